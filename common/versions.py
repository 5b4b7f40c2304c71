"""The folder of published models, one folder per version: each version appears there atomically.

Standard library only. Local folders only: object stores have no rename of a folder.
"""

import contextlib
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from common import locks

# TensorFlow Serving takes folders whose names are numbers, of 64 bits, for versions and passes by all other names.
VERSION = re.compile(r"[0-9]{1,18}")
_PARTIAL = ".partial-"
_LOCK = ".lock"


@contextlib.contextmanager
def new_version(base: str) -> Iterator[tuple[str, str]]:
    """Holds while a version is made.

    Waits while another process makes one in the same folder. Removes what a killed process left of one.

    Args:
      base: the folder of all versions; made if missing.

    Yields:
      The version, and the path of a folder to make and fill, `.partial-<version>`: renamed to `<version>` at the end of
      the block, or removed if that raised.
    """
    os.makedirs(base, exist_ok=True)
    with locks.hold(os.path.join(base, _LOCK)):
        # A process that still worked on one would hold the lock.
        for leftover in Path(base).glob(f"{_PARTIAL}*"):
            shutil.rmtree(leftover)
        version = next_number(os.listdir(base))
        partial = Path(base, f"{_PARTIAL}{version}")
        try:
            yield version, str(partial)
            # A power cut may otherwise keep the name of a version and lose what is in its files.
            _flush([partial, *partial.rglob("*")])
            partial.rename(Path(base, version))
            _flush([Path(base)])
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def newest(base: str) -> str | None:
    """The version with the highest number; None where there is none.

    Args:
      base: the folder of all versions.
    """
    return max(filter(VERSION.fullmatch, os.listdir(base)), key=int, default=None) if os.path.isdir(base) else None


def next_number(names: Iterable[str]) -> str:
    """The time in seconds, or one more than the newest version among the names: more, even if the clock went back."""
    versions = [int(name) for name in names if VERSION.fullmatch(name)]
    return str(max([int(time.time()), *(version + 1 for version in versions)]))


def _flush(paths: Iterable[Path]) -> None:
    """Waits until files and folders are on disk."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
