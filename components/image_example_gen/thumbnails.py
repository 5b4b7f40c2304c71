"""Small copies of the pictures that a person will want to see, although no split holds them or only as bytes.

They are made while the data folder is at hand: later steps may run where it is not.
"""

import contextlib
import os
from collections.abc import Iterable, Iterator

from tfx.dsl.io import fileio

from components.image_example_gen import pictures
from components.image_example_gen.leakage import Leak
from components.image_example_gen.plan import Plan

FOLDER = "thumbnails"
_SIDE = 160  # pixels
_QUARANTINED = 24
_LEAKS = 12


def quarantined_file(row: int) -> str:
    """Path, relative to the examples, of the thumbnail of a row of quarantine.csv, counted from 0."""
    return os.path.join(FOLDER, f"quarantined-{row}.jpg")


def leak_files(row: int) -> tuple[str, str]:
    """Paths, relative to the examples, of the two thumbnails of a row of leakage.csv: held out, and in train."""
    return os.path.join(FOLDER, f"leak-{row}.jpg"), os.path.join(FOLDER, f"leak-{row}-near.jpg")


def write_thumbnails(directory: str, root: str, max_pixels: int, plan: Plan, leaks: Iterable[Leak]) -> None:
    """Writes JPEG files of at most 160 pixels a side for the first quarantined files and the first leaks.

    A file that does not decode has none.

    Args:
      directory: of the examples.
      root: the data folder.
      max_pixels: a picture with more is not decoded.
      plan: names the quarantined files.
      leaks: pairs of pictures that look alike.
    """
    fileio.makedirs(os.path.join(directory, FOLDER))
    for target, path in _chosen(plan, list(leaks)):
        with contextlib.suppress(OSError, pictures.Refused):
            data = _read(os.path.join(root, path), pictures.max_bytes(max_pixels))
            thumbnail = pictures.thumbnail(data, max_pixels, _SIDE)
            with fileio.open(os.path.join(directory, target), "wb") as file:
                file.write(thumbnail)


def _chosen(plan: Plan, leaks: list[Leak]) -> Iterator[tuple[str, str]]:
    """Each thumbnail's name with the picture's path in the data folder."""
    for row, (path, _) in enumerate(plan.quarantined[:_QUARANTINED]):
        yield quarantined_file(row), path
    for row, leak in enumerate(leaks[:_LEAKS]):
        yield from zip(leak_files(row), (leak.path, leak.near), strict=True)


def _read(path: str, max_bytes: int) -> bytes:
    if os.path.getsize(path) > max_bytes:
        raise pictures.Refused("too many bytes")
    with open(path, "rb") as file:
        return file.read()
