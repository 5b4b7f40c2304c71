"""Small files of rows that pass work from one pass to the next, outside Beam's memory."""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from tfx.dsl.io import fileio


def write(path: str, rows: Iterable[NamedTuple]) -> None:
    """Writes rows of JSON values, or of such rows themselves."""
    with fileio.open(path, "wb") as file:
        # ASCII throughout: a file name may hold bytes that are no text.
        file.write("".join(f"{json.dumps(_named(row))}\n" for row in rows).encode("ascii"))


def read(path: str) -> Iterator[dict[str, Any]]:
    """The rows that `write` wrote, as values by the fields' names."""
    with fileio.open(path, "rb") as file:
        for line in file.read().splitlines():
            yield json.loads(line)


def write_batches(directory: str, rows: Sequence[NamedTuple], size: int) -> list[str]:
    """Writes the rows in files of `size` rows.

    Args:
      directory: made if missing.
      rows: as `write` takes them.
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


def _named(value: Any) -> Any:
    """A row's values by name, where JSON would have them by place."""
    return {name: _named(one) for name, one in value._asdict().items()} if hasattr(value, "_asdict") else value
