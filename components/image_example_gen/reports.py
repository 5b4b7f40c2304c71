"""What people will want to see of files that were not used, or not used as one would wish: tables and thumbnails."""

import contextlib
import os
from collections.abc import Iterable, Iterator

from tfx.dsl.io import fileio

from common import csv_tables, escaping
from common.examples import DUPLICATES_FILE, LEAKAGE_FILE, QUARANTINED_FILE
from components.image_example_gen.leakage import Leak
from components.image_example_gen.plan import Plan
from imaging import thumbnails
from imaging.opening import Refused

_QUARANTINED = 24  # thumbnails of these at most
_LEAKS = 12


def write_reports(directory: str, plan: Plan, leaks: Iterable[Leak]) -> None:
    """Writes `quarantine.csv` (file, reason), `duplicates.csv` (file, kept) and `leakage.csv`, in UTF-8.

    The last holds file, split, near (the training picture) and distance (of `Leak`).

    File names are escaped as `common.escaping` does; a cell that begins like a formula gets an apostrophe.
    """
    quarantined = ((escaping.escape(path), reason) for path, reason in plan.quarantined)
    csv_tables.write(os.path.join(directory, QUARANTINED_FILE), ("file", "reason"), quarantined)
    duplicates = ((escaping.escape(path), escaping.escape(kept)) for path, kept in plan.duplicates)
    csv_tables.write(os.path.join(directory, DUPLICATES_FILE), ("file", "kept"), duplicates)
    alike = ((escaping.escape(leak.path), leak.split, escaping.escape(leak.near), str(leak.distance)) for leak in leaks)
    csv_tables.write(os.path.join(directory, LEAKAGE_FILE), ("file", "split", "near", "distance"), alike)


def write_thumbnails(directory: str, root: str, max_pixels: int, plan: Plan, leaks: Iterable[Leak]) -> None:
    """Writes JPEG files of at most 160 pixels a side for the first quarantined files and the first leaks.

    They are made while the data folder is at hand: later steps may run where it is not. A file that does not decode
    has none.

    Args:
      directory: of the examples.
      root: the data folder.
      max_pixels: a picture with more is not decoded.
      plan: names the quarantined files.
      leaks: pairs of pictures that look alike.
    """
    fileio.makedirs(os.path.join(directory, thumbnails.FOLDER))
    for target, path in _chosen(plan, list(leaks)):
        with contextlib.suppress(OSError, Refused):
            thumbnail = thumbnails.make(os.path.join(root, path), max_pixels)
            with fileio.open(os.path.join(directory, target), "wb") as file:
                file.write(thumbnail)


def _chosen(plan: Plan, leaks: list[Leak]) -> Iterator[tuple[str, str]]:
    """Each thumbnail's name with the picture's path in the data folder."""
    for row, (path, _) in enumerate(plan.quarantined[:_QUARANTINED]):
        yield thumbnails.quarantined_file(row), path
    for row, leak in enumerate(leaks[:_LEAKS]):
        yield from zip(thumbnails.leak_files(row), (leak.path, leak.near), strict=True)
