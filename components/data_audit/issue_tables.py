"""Writes a table of suspicious pictures, and thumbnails of those in its first rows."""

import contextlib
import os
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

import tensorflow as tf

from common import csv_tables, escaping, example_records
from common.data_issues import LABEL_ISSUES_FILE, MOST_SHOWN, NEAR_DUPLICATES_FILE, ODD_PICTURES_FILE, OUTLIERS_FILE
from common.examples import SPLITS
from components.data_audit.label_issues import LabelIssue
from components.data_audit.odd_pictures import Oddity
from components.data_audit.pictures import Picture
from imaging import thumbnails
from imaging.normalising import Refused


class Table(NamedTuple):
    """A table, the most suspicious picture first.

    Attributes:
      file: its name.
      header: names of the columns.
      rows: their cells, escaped.
      pictures: hashes of the pictures that a row is about.
    """

    file: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    pictures: Sequence[Sequence[str]]


def of_label_issues(issues: Sequence[tuple[Picture, LabelIssue]], classes: Sequence[str]) -> Table:
    """One row a picture; `classes` are names by class id."""
    names = [escaping.escape(name) for name in classes]
    rows = [
        (
            picture.example.file_name,
            picture.split,
            names[issue.given],
            names[issue.suggested],
            f"{issue.probability:.4f}",
            f"{issue.given_probability:.4f}",
        )
        for picture, issue in issues
    ]
    header = ("file", "split", "given", "suggested", "probability", "given_probability")
    return Table(LABEL_ISSUES_FILE, header, rows, [[picture.example.sha256] for picture, _ in issues])


def of_outliers(outliers: Sequence[tuple[Picture, float]]) -> Table:
    """One row a picture, with its mean similarity to its nearest neighbours."""
    rows = [(*_cells(picture), f"{similarity:.4f}") for picture, similarity in outliers]
    header = ("file", "split", "class", "similarity")
    return Table(OUTLIERS_FILE, header, rows, [[picture.example.sha256] for picture, _ in outliers])


def of_near_duplicates(pairs: Sequence[tuple[Picture, Picture, float]]) -> Table:
    """One row a pair, first those of two classes, then those of two splits."""
    pairs = sorted(pairs, key=lambda pair: (_class(pair[0]) == _class(pair[1]), pair[0].split == pair[1].split))
    rows = [(*_cells(one), *_cells(other), f"{similarity:.4f}") for one, other, similarity in pairs]
    header = ("file", "split", "class", "near", "near_split", "near_class", "similarity")
    hashes = [[one.example.sha256, other.example.sha256] for one, other, _ in pairs]
    return Table(NEAR_DUPLICATES_FILE, header, rows, hashes)


def of_odd_pictures(oddities: Sequence[tuple[Picture, Oddity]]) -> Table:
    """One row a picture and oddity."""
    rows = [(*_cells(picture), odd.oddity, f"{odd.value:.4g}", f"{odd.usual:.4g}") for picture, odd in oddities]
    header = ("file", "split", "class", "oddity", "value", "usual")
    return Table(ODD_PICTURES_FILE, header, rows, [[picture.example.sha256] for picture, _ in oddities])


def _cells(picture: Picture) -> tuple[str, str, str]:
    return picture.example.file_name, picture.split, escaping.escape(_class(picture))


def _class(picture: Picture) -> str:
    return picture.example.class_name


def write(directory: str, tables: Sequence[Table], examples: str) -> None:
    """Writes the tables, and JPEG files of at most 160 pixels a side for their first rows.

    Args:
      directory: where they go.
      tables: which ones.
      examples: folder of the examples, with the pictures.
    """
    for table in tables:
        csv_tables.write(os.path.join(directory, table.file), table.header, table.rows)
    tf.io.gfile.makedirs(os.path.join(directory, thumbnails.FOLDER))
    targets: dict[str, list[str]] = {}
    for table in tables:
        for row, sha256s in enumerate(table.pictures[:MOST_SHOWN]):
            for column, sha256 in enumerate(sha256s):
                targets.setdefault(sha256, []).append(thumbnails.issue_file(table.file, row, column))
    for sha256, thumbnail in _thumbnails(examples, targets):
        for target in targets[sha256]:
            with tf.io.gfile.GFile(os.path.join(directory, target), "wb") as file:
                file.write(thumbnail)


def _thumbnails(examples: str, sha256s: Collection[str]) -> Iterator[tuple[str, bytes]]:
    for example in (one for split in SPLITS for one in example_records.read(examples, split)):
        if example.sha256 in sha256s:
            with contextlib.suppress(Refused):
                yield example.sha256, thumbnails.of_bytes(example.image, example.height * example.width)
