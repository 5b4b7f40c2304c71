"""Tables of the files that were not used, or not used as one would wish, as CSV."""

import csv
import io
import os
from collections.abc import Iterable, Sequence

from tfx.dsl.io import fileio

from components import names
from components.image_example_gen.leakage import Leak
from components.image_example_gen.plan import Plan


def write_reports(directory: str, plan: Plan, leaks: Iterable[Leak]) -> None:
    """Writes `quarantine.csv` (file, reason), `duplicates.csv` (file, kept) and `leakage.csv`, in UTF-8.

    The last holds file, split, near (the training picture) and distance (of `Leak`).

    File names are escaped as `components.names` does; a cell that begins like a formula gets an apostrophe.
    """
    quarantined = ((names.escape(path), reason) for path, reason in plan.quarantined)
    _write(os.path.join(directory, "quarantine.csv"), ("file", "reason"), quarantined)
    duplicates = ((names.escape(path), names.escape(kept)) for path, kept in plan.duplicates)
    _write(os.path.join(directory, "duplicates.csv"), ("file", "kept"), duplicates)
    alike = ((names.escape(path), split, names.escape(near), str(distance)) for path, split, near, distance in leaks)
    _write(os.path.join(directory, "leakage.csv"), ("file", "split", "near", "distance"), alike)


def _write(path: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    text = io.StringIO()
    # A spreadsheet that splits at semicolons leaves a quoted cell whole.
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(header)
    writer.writerows(map(names.csv_cell, row) for row in rows)
    with fileio.open(path, "wb") as file:
        file.write(text.getvalue().encode())
