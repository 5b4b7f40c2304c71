"""The artifact that Report leaves."""

from tfx import types


class HtmlReport(types.Artifact):
    """A folder with `report.html`, a page that needs nothing else."""

    TYPE_NAME = "HtmlReport"
