"""What a report says of data that may be wrong: the first rows of DataAudit's tables, with pictures."""

import os
from collections.abc import Sequence
from typing import NamedTuple

from tfx import types

from common import csv_tables
from common.data_issues import LABEL_ISSUES_FILE, MOST_SHOWN, IssueCounts
from components.report import album
from imaging import thumbnails


class LabelIssue(NamedTuple):
    """A picture whose label looks wrong.

    Attributes:
      file_name: relative to the data folder, printable.
      split: its split.
      given: name of its class, printable.
      suggested: name of the class that it looks like, printable.
      probability: of the suggested class, 0 to 1.
      given_probability: of the given class, 0 to 1.
      picture: data URI; empty where there is none.
    """

    file_name: str
    split: str
    given: str
    suggested: str
    probability: float
    given_probability: float
    picture: str


class Issues(NamedTuple):
    """What may be wrong.

    Attributes:
      counts: how much of each kind.
      label_issues: the first of them.
    """

    counts: IssueCounts
    label_issues: Sequence[LabelIssue]


def read(data_issues: types.Artifact) -> Issues:
    """Reads what DataAudit wrote."""
    uri = data_issues.uri
    return Issues(
        counts=IssueCounts.read(data_issues),
        label_issues=[_label_issue(uri, row, *cells) for row, cells in enumerate(_first_rows(uri, LABEL_ISSUES_FILE))],
    )


def _label_issue(
    uri: str, row: int, file_name: str, split: str, given: str, suggested: str, probability: str, given_probability: str
) -> LabelIssue:
    thumbnail = _thumbnail(uri, LABEL_ISSUES_FILE, row)
    return LabelIssue(file_name, split, given, suggested, float(probability), float(given_probability), thumbnail)


def _first_rows(uri: str, name: str) -> list[list[str]]:
    return csv_tables.read(os.path.join(uri, name))[:MOST_SHOWN]


def _thumbnail(uri: str, table: str, row: int, column: int = 0) -> str:
    return album.stored(os.path.join(uri, thumbnails.issue_file(table, row, column)))
