"""Tables for people: CSV files in UTF-8 that a spreadsheet opens without running what is in them."""

import csv
import io
import itertools
from collections.abc import Iterable, Sequence

import tensorflow as tf

from common import escaping


def write(path: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Writes a table; a cell that begins like a formula gets an apostrophe.

    Args:
      path: any address that TensorFlow can open.
      header: names of the columns.
      rows: their cells; names are escaped already, as `common.escaping` does.
    """
    text = io.StringIO()
    # A spreadsheet that splits at semicolons leaves a quoted cell whole.
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(header)
    writer.writerows(map(escaping.csv_cell, row) for row in rows)
    with tf.io.gfile.GFile(path, "wb") as file:
        file.write(text.getvalue().encode())


def read(path: str, most: int | None = None) -> list[list[str]]:
    """The rows of such a table, without its header.

    Args:
      path: as for `write`.
      most: how many rows, from the first on; None for all.
    """
    with tf.io.gfile.GFile(path, "rb") as file:
        rows = csv.reader(io.StringIO(file.read().decode()))
    next(rows)
    return list(itertools.islice(rows, most))
