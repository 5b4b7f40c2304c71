"""The one place where files of pictures are read; pictures in an object store would be read here."""

import os
import stat

from imaging import normalising


def read(path: str, max_pixels: int) -> bytes:
    """All bytes of a file.

    Args:
      path: the file.
      max_pixels: of the largest picture that is accepted.

    Raises:
      OSError: the file cannot be read.
      Refused: it is no regular file, or has more bytes than such a picture needs.
    """
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise normalising.Refused("not a regular file")  # to open a pipe would wait for ever
    if status.st_size > normalising.max_bytes(max_pixels):
        raise normalising.Refused(f"too many bytes for a picture of {max_pixels} pixels")
    with open(path, "rb") as file:
        return file.read()
