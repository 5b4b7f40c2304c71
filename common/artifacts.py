"""Artifact types of our own that more than one step names."""

from tfx.types import Artifact


class DataIssues(Artifact):
    """A folder with the tables of `common.data_issues`, and the `thumbnails/` of their first rows."""

    TYPE_NAME = "DataIssues"
