"""Small copies of pictures for people to look at, and what their files are called in the folder of the examples."""

import os

from imaging import normalising, picture_files

FOLDER = "thumbnails"
_SIDE = 160  # pixels


def quarantined_file(row: int) -> str:
    """Path, relative to the examples, of the thumbnail of a row of quarantine.csv, counted from 0."""
    return os.path.join(FOLDER, f"quarantined-{row}.jpg")


def leak_files(row: int) -> tuple[str, str]:
    """Paths, relative to the examples, of the two thumbnails of a row of leakage.csv: held out, and in train."""
    return os.path.join(FOLDER, f"leak-{row}.jpg"), os.path.join(FOLDER, f"leak-{row}-near.jpg")


def issue_file(table: str, row: int, column: int) -> str:
    """Path, relative to DataAudit's output, of a thumbnail of a row of one of its tables, both counted from 0."""
    return os.path.join(FOLDER, f"{os.path.splitext(table)[0]}-{row}-{column}.jpg")


def make(path: str, max_pixels: int) -> bytes:
    """A JPEG of at most 160 pixels a side of the picture in a file.

    Args:
      path: the file.
      max_pixels: a picture with more is not decoded.

    Raises:
      OSError: the file cannot be read.
      Refused: it holds no usable picture.
    """
    return of_bytes(picture_files.read(path, max_pixels), max_pixels)


def of_bytes(data: bytes, max_pixels: int) -> bytes:
    """The same of a picture's bytes; raises Refused as `make` does."""
    return normalising.thumbnail(data, max_pixels, _SIDE)
