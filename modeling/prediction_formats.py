"""Predictions as lines of text: a table for people, CSV for spreadsheets, JSON for programs.

File and class names are anybody's. The table and CSV escape them as `common.escaping` does, so that none can forge a
row, steer the terminal or run as a formula; JSON has them as they are, written in ASCII.
"""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from rich.cells import cell_len

from common import escaping

FORMATS = ("table", "csv", "jsonl")
_MAX_WIDTH = 60  # of the table's first column; a longer path moves the rest of its line


class File(NamedTuple):
    """One file to predict.

    Attributes:
      path: as it was named or found.
      problem: why there is nothing to open; empty where there may be a picture.
    """

    path: str
    problem: str = ""


class Loaded(NamedTuple):
    """One picture to predict whose bytes are at hand.

    Attributes:
      name: stands for the path.
      data: as a file holds them.
    """

    name: str
    data: bytes


class Prediction(NamedTuple):
    """What the model says about one file.

    Attributes:
      file: its path, as it was named or found.
      top: the most probable classes, the best first, each with its probability, 0 to 1; empty where there is a problem.
      problem: why the file could not be predicted; empty where it was.
    """

    file: str
    top: tuple[tuple[str, float], ...] = ()
    problem: str = ""


class Format(Protocol):
    """How predictions are written; the lines end in a line break."""

    @property
    def header(self) -> str:
        """What comes before the first row, if anything."""

    def row(self, prediction: Prediction) -> str:
        """One prediction."""


def make_format(name: str, files: Iterable[str], classes: Sequence[str], top: int) -> Format:
    """A format by its name.

    Args:
      name: one of `FORMATS`.
      files: all files' paths.
      classes: all classes' names.
      top: how many classes each prediction names; all where there are fewer.
    """
    columns = _columns(min(top, len(classes)))
    if name == "table":
        return _Table(columns, files, classes)
    return _Csv(columns) if name == "csv" else _JsonLines()


class _Table:
    """Columns that are in line on a terminal, with a dash where there is nothing to tell."""

    def __init__(self, columns: list[str], files: Iterable[str], classes: Iterable[str]) -> None:
        widest_file = max((cell_len(escaping.escape(file)) for file in files), default=0)
        widest_class = max((cell_len(escaping.escape(name)) for name in classes), default=0)
        self._widths = [max(len(column), widest_class if "label" in column else 6) for column in columns]
        self._widths[0] = max(len(columns[0]), min(widest_file, _MAX_WIDTH))
        self.header = self._line(columns)

    def row(self, prediction: Prediction) -> str:
        *cells, problem = _cells(prediction, len(self._widths), digits=".4f")
        return self._line([*(cell or "-" for cell in cells), problem])

    def _line(self, cells: Iterable[str]) -> str:
        padded = [cell + " " * (width - cell_len(cell)) for cell, width in zip(cells, self._widths, strict=True)]
        return "  ".join(padded).rstrip() + "\n"


class _Csv:
    """A cell that begins like a formula gets an apostrophe."""

    def __init__(self, columns: list[str]) -> None:
        self._columns = len(columns)
        self.header = _csv_line(columns)

    def row(self, prediction: Prediction) -> str:
        return _csv_line(map(escaping.csv_cell, _cells(prediction, self._columns, digits="")))


class _JsonLines:
    """An object a line, always with the same keys; null for what there is not."""

    header = ""

    def row(self, prediction: Prediction) -> str:
        top = [{"label": label, "score": score} for label, score in prediction.top]
        best = top[0] if top else {"label": None, "score": None}
        return json.dumps({"file": prediction.file, **best, "top": top, "error": prediction.problem or None}) + "\n"


def _columns(top: int) -> list[str]:
    others = [f"{name}_{rank}" for rank in range(2, top + 1) for name in ("label", "score")]
    return ["file", "label", "score", *others, "error"]


def _cells(prediction: Prediction, columns: int, digits: str) -> list[str]:
    cells = [escaping.escape(prediction.file)]
    for label, score in prediction.top:
        cells += [escaping.escape(label), format(score, digits)]
    cells += [""] * (columns - 1 - len(cells))
    return [*cells, prediction.problem]


def _csv_line(cells: Iterable[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()
