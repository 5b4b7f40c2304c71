"""Tables of the files that were not used, as CSV."""

import csv
import io
import os
from collections.abc import Iterable

from tfx.dsl.io import fileio

from components import names
from components.image_example_gen.plan import Plan


def write_reports(directory: str, plan: Plan) -> None:
    """Writes `quarantine.csv` (file, reason) and `duplicates.csv` (file, kept), in UTF-8.

    File names are escaped as `components.names` does; a cell that begins like a formula gets an apostrophe.
    """
    quarantined = ((names.escape(path), reason) for path, reason in plan.quarantined)
    _write(os.path.join(directory, "quarantine.csv"), ("file", "reason"), quarantined)
    duplicates = ((names.escape(path), names.escape(kept)) for path, kept in plan.duplicates)
    _write(os.path.join(directory, "duplicates.csv"), ("file", "kept"), duplicates)


def _write(path: str, header: tuple[str, str], rows: Iterable[tuple[str, str]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_cell(text) for text in row] for row in rows)
    with fileio.open(path, "wb") as file:
        file.write(text.getvalue().encode())


def _cell(text: str) -> str:
    """A spreadsheet would run a file name that begins like a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
