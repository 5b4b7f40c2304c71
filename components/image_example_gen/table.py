"""Tables of labels: each row names a picture and its class, and may name its split and its group.

Standard library only, but for Parquet, so that a command line can refuse a wrong table before anything slow is loaded.
"""

import contextlib
import csv
import json
import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TextIO

from common import escaping, folders
from common.errors import UserError
from components.image_example_gen import parquet

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")

# What people call the columns, in lower case.
_SYNONYMS = {
    "file_name": ("filename", "file", "filepath", "file_path", "path", "image", "image_name", "image_path", "img"),
    "label": ("class", "class_name", "labels", "category", "target"),
    "split": ("subset", "partition", "set"),
    "group": (),
}


class Columns(NamedTuple):
    """Names of the columns. Those of a table that has no such column are empty.

    Attributes:
      file_name: of the picture's path, relative to the table's folder.
      label: of its class.
      split: of the split that it belongs to.
      group: of what it shares with others that must not be in another split.
    """

    file_name: str = "file_name"
    label: str = "label"
    split: str = "split"
    group: str = "group"


class Row(NamedTuple):
    """What a table says of a picture; empty where it says nothing.

    Attributes:
      file_name: path as it stands there.
      label: in Unicode's composed form, like the next two.
      split: as it stands there.
      group: the same.
    """

    file_name: str
    label: str
    split: str
    group: str


class Table(NamedTuple):
    """A table, with the columns that are read.

    Attributes:
      path: of the file.
      columns: as they are called in it.
    """

    path: str
    columns: Columns

    def rows(self) -> Iterator[Row]:
        """The rows that are not empty, one at a time.

        Raises:
          UserError: the file cannot be read, or a cell holds neither text nor a number.
        """
        wanted = [name for name in self.columns if name]
        places = [wanted.index(name) if name else -1 for name in self.columns]
        for where, cells in _cells(self.path, wanted):
            texts = [_text(value, self.path, where) for value in cells]
            if any(texts):
                file_name, *others = (texts[place] if place >= 0 else "" for place in places)
                if "://" in file_name and folders.is_address(file_name):
                    raise UserError(
                        f"{self.path!r}: {where}: {file_name!r} is an address; pictures must be files of this machine, "
                        f"or on a file system that is mounted there"
                    )
                # Of a million rows, a few texts are left.
                yield Row(file_name, *(sys.intern(unicodedata.normalize("NFC", other)) for other in others))


def is_one(path: str) -> bool:
    """Whether a path names a table and not a folder."""
    return path.lower().endswith(SUFFIXES) and not os.path.isdir(path)


def metadata(folder: str, names: Columns) -> Table | None:
    """The table of labels that Hugging Face's `imagefolder` looks for in a folder; None if there is none.

    Args:
      folder: that of the pictures.
      names: what its columns are called, exactly.

    Raises:
      UserError: there are two, or one lacks a column that is named.
    """
    paths = (os.path.join(folder, f"metadata{suffix}") for suffix in SUFFIXES)
    found = [path for path in paths if os.path.isfile(path) and _has_labels(path, names)]
    if len(found) > 1:
        raise UserError(f"{found[0]!r} and {found[1]!r} both list pictures; keep one")
    return open_table(found[0], names) if found else None


def _has_labels(path: str, names: Columns) -> bool:
    """Whether a file that may hold anything, and lie beside class folders, is a table of labels."""
    try:
        return {names.file_name, names.label} <= set(_header(path))
    except UserError:
        return False


def open_table(path: str, names: Columns) -> Table:
    """Finds out which of a table's columns are which.

    Args:
      path: of the file.
      names: what the columns are called. One that has its usual name may be called otherwise in the table, if only one
        column can be it; one that is called "" is not read.

    Raises:
      UserError: the file cannot be read, or has no column for the file names or the labels, or two for one of them.
    """
    header = _header(path)
    chosen = {use: _choose(path, header, use, name) for use, name in names._asdict().items()}
    for use in ("file_name", "label"):
        if not chosen[use]:
            wanted = getattr(names, use)
            raise UserError(
                f"{path!r}: no column {wanted!r} among {escaping.first_few(header, 20)}; "
                f"expected one, or its name in ingest.columns.{use}"
            )
    return Table(path, Columns(**chosen))


def _choose(path: str, header: Sequence[str], use: str, name: str) -> str:
    """The column for a use; empty if there is none."""
    if not name or name in header:
        return _only_one(path, [column for column in header if name and column == name], use)
    if name != Columns._field_defaults[use]:
        if use in ("split", "group"):
            raise UserError(
                f"{path!r}: no column {name!r} among {escaping.first_few(header, 20)}; ingest.columns.{use} names it"
            )
        return ""
    usual = (use, *_SYNONYMS[use])
    return _only_one(path, [column for column in header if re.sub(r"[\s-]+", "_", column.lower()) in usual], use)


def _only_one(path: str, columns: Sequence[str], use: str) -> str:
    if len(columns) > 1:
        raise UserError(
            f"{path!r}: the columns {' and '.join(map(repr, columns))} may each be the {use}; "
            f"ingest.columns.{use} names the one to use"
        )
    return columns[0] if columns else ""


def _header(path: str) -> list[str]:
    match _suffix(path):
        case ".jsonl":
            return list(dict.fromkeys(key for _, row in _json_rows(path) for key in row))
        case ".parquet":
            return parquet.header(path)
        case _:
            _, header = next(_csv_rows(path), ("", []))
            return header


def _cells(path: str, wanted: Sequence[str]) -> Iterator[tuple[str, Iterable[Any]]]:
    """The wanted columns' values of each row, with where the row is."""
    match _suffix(path):
        case ".jsonl":
            for where, row in _json_rows(path):
                yield where, [row.get(name) for name in wanted]
        case ".parquet":
            yield from ((f"row {number}", row) for number, row in enumerate(parquet.rows(path, wanted), start=1))
        case _:
            rows = _csv_rows(path)
            _, header = next(rows)
            places = [header.index(name) for name in wanted]
            for where, cells in rows:
                if any(cells[len(header) :]):
                    raise UserError(
                        f"{path!r}: {where} has {len(cells)} cells, expected {len(header)}; "
                        f"a comma in a name needs quotes around the name"
                    )
                cells += [""] * (len(header) - len(cells))  # spreadsheets leave out empty ones at the end
                yield where, [cells[place] for place in places]


def _suffix(path: str) -> str:
    return os.path.splitext(path)[1].lower()


def _csv_rows(path: str) -> Iterator[tuple[str, list[str]]]:
    """The rows, the header first."""
    with _text_file(path) as file:
        first = file.readline()
        file.seek(0)
        # Excel separates by semicolons where commas are decimal points.
        delimiter = max(",;\t", key=first.count)
        # Not strict, the rest of a file behind a quote that is never closed would be one cell.
        reader = csv.reader(file, delimiter=delimiter, skipinitialspace=True, strict=True)
        try:
            for row in reader:
                if row:
                    yield f"line {reader.line_num}", [cell.strip() for cell in row]
        except csv.Error as error:
            raise UserError(f"{path!r}: line {reader.line_num}: {error}; expected CSV") from error


def _json_rows(path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    with _text_file(path) as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield f"line {number}", _json_object(line, f"{path!r}: line {number}")


def _json_object(line: str, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        raise UserError(f"{where}: expected a JSON object")
    return row


@contextlib.contextmanager
def _text_file(path: str) -> Iterator[TextIO]:
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            yield file
    except OSError as error:
        raise UserError(f"table {path!r} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"table {path!r} is not UTF-8; save it as such, which spreadsheets call CSV UTF-8") from error


def _text(value: Any, path: str, where: str) -> str:
    """A cell as text: a label 1 is the class "1"."""
    if value is None or value != value:  # not a number
        return ""
    if not isinstance(value, str | int | float):
        raise UserError(f"{path!r}: {where}: a cell holds a {type(value).__name__}, expected text or a number")
    text = str(value).lower() if isinstance(value, bool) else str(value).strip()
    if not text.isprintable() and ("\0" in text or not folders.is_utf8(text)):
        raise UserError(f"{path!r}: {where}: {text!r} cannot be a name")
    return text
