"""A comparison of backbones on the same data, settings and seed.

`measured` reads what the steps left of each backbone, `pairs` compares their predictions, `latency` times their
SavedModels, `results` holds it all, and `comparison_page` renders it with `comparison.html.j2`.
"""

# In an output folder: a place of its own, where no server looks and no run finds a model to compare itself with.
FOLDER = "comparison"
PAGE, NUMBERS = "comparison.html", "comparison.json"
