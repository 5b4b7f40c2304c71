"""Report: one page about a run.

`executor` collects what the steps before it wrote, `numbers` computes, `charts` draws, `gallery` chooses pictures and
makes their saliency maps, `data_section` describes the data, and `page` renders everything with `report.html.j2`, as
`templates` does for any page.
"""

FILE_NAME = "report.html"
