"""Small files of rows that pass work from one pass to the next, outside Beam's memory."""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tfx.dsl.io import fileio


def write(path: str, rows: Iterable[tuple[Any, ...]]) -> None:
    """Writes rows of JSON values."""
    with fileio.open(path, "wb") as file:
        # ASCII throughout: a file name may hold bytes that are no text.
        file.write("".join(f"{json.dumps(row)}\n" for row in rows).encode("ascii"))


def read(path: str) -> Iterator[list[Any]]:
    """The rows that `write` wrote."""
    with fileio.open(path, "rb") as file:
        for line in file.read().splitlines():
            yield json.loads(line)


def write_batches(directory: str, rows: Sequence[tuple[Any, ...]], size: int) -> list[str]:
    """Writes the rows in files of `size` rows.

    Args:
      directory: made if missing.
      rows: JSON values.
      size: rows in a file; the last may hold fewer.

    Returns:
      The files' paths, in the order of the rows.
    """
    fileio.makedirs(directory)
    paths = []
    for start in range(0, len(rows), size):
        paths.append(os.path.join(directory, f"{start // size:05d}"))
        write(paths[-1], rows[start : start + size])
    return paths
