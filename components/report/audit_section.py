"""What a report says of data that may be wrong: the first rows of DataAudit's tables, with pictures."""

import os
from collections.abc import Sequence
from typing import NamedTuple

from tfx import types

from common import csv_tables
from common.data_issues import (
    LABEL_ISSUES_FILE,
    MOST_SHOWN,
    NEAR_DUPLICATES_FILE,
    ODD_PICTURES_FILE,
    OUTLIERS_FILE,
    IssueCounts,
)
from common.examples import read_notes
from components.report import album
from components.report.data_section import Row
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
      outliers: file, split, class and similarity of the first.
      near_duplicates: file, split and class of both pictures and their similarity, the first.
      odd_pictures: file, split, class, oddity, value and the usual value of the first.
      notes: what was not looked for.
    """

    counts: IssueCounts
    label_issues: Sequence[LabelIssue]
    outliers: Sequence[Row]
    near_duplicates: Sequence[Row]
    odd_pictures: Sequence[Row]
    notes: Sequence[str]


def read(data_issues: types.Artifact) -> Issues:
    """Reads what DataAudit wrote."""
    uri = data_issues.uri
    return Issues(
        counts=IssueCounts.read(data_issues),
        label_issues=[_label_issue(uri, row, *cells) for row, cells in enumerate(_first_rows(uri, LABEL_ISSUES_FILE))],
        outliers=_rows(uri, OUTLIERS_FILE),
        near_duplicates=_rows(uri, NEAR_DUPLICATES_FILE),
        odd_pictures=_rows(uri, ODD_PICTURES_FILE),
        notes=read_notes(data_issues),
    )


def _rows(uri: str, table: str) -> list[Row]:
    """Rows with the pictures that they have."""
    return [
        Row(cells, [found for column in range(2) if (found := _thumbnail(uri, table, row, column))])
        for row, cells in enumerate(_first_rows(uri, table))
    ]


def _label_issue(
    uri: str, row: int, file_name: str, split: str, given: str, suggested: str, probability: str, given_probability: str
) -> LabelIssue:
    thumbnail = _thumbnail(uri, LABEL_ISSUES_FILE, row, 0)
    return LabelIssue(file_name, split, given, suggested, float(probability), float(given_probability), thumbnail)


def _first_rows(uri: str, name: str) -> list[list[str]]:
    return csv_tables.read(os.path.join(uri, name), MOST_SHOWN)


def _thumbnail(uri: str, table: str, row: int, column: int) -> str:
    return album.stored(os.path.join(uri, thumbnails.issue_file(table, row, column)))
