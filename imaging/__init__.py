"""Pictures as bytes and pixels: opening, measuring, comparing and re-encoding them. Knows no step.

`opening` and `tags` bound the cost of hostile files; `normalising` converts all others to what every step can decode.
"""
