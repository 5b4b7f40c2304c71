"""Report: what a run did, as one page that people open.

`executor` gathers what the steps before it left, `numbers` measures, `charts` draws, `gallery` chooses pictures and
shows where the model looked, `data_section` tells of the data, and `page` puts it all into `report.html.j2`.
"""

FILE_NAME = "report.html"
