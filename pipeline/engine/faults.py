"""Faults of the place that a run writes to, each reported in one line."""

import contextlib
import errno
import os
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from common.errors import UserError

# By their messages: Beam and the metadata store preserve nothing else.
_FULL = re.compile("No space left on device|Disk quota exceeded|database or disk is full")
# As TensorFlow and Python name the file that could not be written.
_FULL_AT = re.compile(rf"(?:^|\s)(/[^;\n]*); (?:{_FULL.pattern})|(?:{_FULL.pattern}): (?:'.*' -> )?'(/[^'\n]*)'", re.M)
_READ_ONLY = re.compile("Read-only file system|attempt to write a readonly database")
_DAMAGED = re.compile("database disk image is malformed|file is not a database|a subset of tables in MLMD")
_LOCKED = re.compile("database is locked|Concurrent writes aborted")
_OTHER_VERSION = re.compile("MLMD database version")

METADATA_FILE = "metadata.db"
_AGAIN = "run the same command again"
_LOCKED_SECONDS = 2.0
# A new store takes a quarter of a megabyte, what is written to it at once less.
_ROOM_BYTES = 4 * 2**20


class FaultError(Exception):
    """What keeps a run from going on though its input is good; the message is one line, the exit code 1."""


def raise_if_known(error: Exception, output: Path, where: str = "") -> None:
    """Tells an error whose cause, however wrapped, is a fault of the output folder.

    Args:
      error: what was raised.
      output: the output folder.
      where: goes in front of the message.

    Raises:
      FaultError: it is such a fault. Otherwise nothing happens.
    """
    reason = _reason("\n".join(_words(error)), output)
    if reason:
        raise FaultError(f"{where}{reason}") from error


@contextlib.contextmanager
def writing(output: Path) -> Iterator[None]:
    """Tells why something cannot be written to the output folder.

    Raises:
      FaultError: no space is left.
      UserError: anything else, such as a missing permission.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise_if_known(error, output)
        raise UserError(
            f"output: {error.filename or str(output)!r} cannot be written ({error.strerror}); "
            f"choose another folder with --output"
        ) from error


def check_room(folder: Path) -> None:
    """Makes sure that the metadata store can write what belongs together.

    A full disk makes SQLite undo a transaction. ML Metadata does not notice and goes on with the rest of it, statement
    by statement, so that the store then holds half an execution. The room is taken and given back, as a quota shows
    nowhere else.

    Args:
      folder: the store's.

    Raises:
      OSError: there is not enough room.
    """
    with tempfile.TemporaryFile(dir=folder) as file:
        os.posix_fallocate(file.fileno(), 0, _ROOM_BYTES)


def check_metadata(output: Path) -> None:
    """Tells a metadata store that cannot be used before anything is loaded for a run.

    Raises:
      FaultError: it is damaged, or another program has locked it.
      UserError: it cannot be opened.
    """
    path = output / METADATA_FILE
    if not path.exists():
        return
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=_LOCKED_SECONDS, isolation_level=None)) as store:
            store.execute("BEGIN IMMEDIATE")
            (verdict,) = store.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise sqlite3.DatabaseError("database disk image is malformed")
    except sqlite3.Error as error:
        raise_if_known(error, output)
        raise UserError(f"the metadata store {str(path)!r} cannot be used ({error})") from error


def _words(error: BaseException) -> Iterator[str]:
    """The messages of an error and of all that led to it."""
    queue, seen = [error], set()
    while queue:
        one = queue.pop()
        if id(one) not in seen:
            seen.add(id(one))
            yield str(one)
            queue += [other for other in (one.__cause__, one.__context__) if other is not None]


def _reason(words: str, output: Path) -> str:
    """What happened and what to do about it; empty for what is no fault of the output folder."""
    if _FULL.search(words):
        return f"no space left on {_disks(words, output)}; free some and {_AGAIN}"
    if _READ_ONLY.search(words) and not os.access(output, os.W_OK):
        return f"the folder {str(output)!r} has become read-only; make it writable and {_AGAIN}"
    store = f"the metadata store {str(output / METADATA_FILE)!r}"
    afresh = "move it and the folder 'pipeline' beside it away: every step then runs again"
    if _DAMAGED.search(words):
        return f"{store} is damaged; {afresh}"
    if _OTHER_VERSION.search(words):
        return f"{store} was written by another version of ML Metadata; {afresh}"
    if _LOCKED.search(words):
        return f"{store} is locked by another program; end that one and {_AGAIN}"
    return ""


def _disks(words: str, output: Path) -> str:
    """The file systems of the files that an error names; where it names none, those a run writes to that are full."""
    places = _by_device([str(output), os.environ.get("TMPDIR") or "/tmp", os.path.expanduser("~")])
    named = _by_device(os.path.dirname(before or after) for before, after in _FULL_AT.findall(words))
    # By a folder that the user knows, if one is there. What was to be written may be gone by now, or have met a quota.
    full = [places.get(device, path) for device, path in named.items()] or [*filter(_is_full, places.values())]
    return " or ".join(f"{path!r} ({_free(path)} free now)" for path in full or places.values())


def _by_device(places: Iterable[str]) -> dict[int, str]:
    """The first folder on each file system; for what is not there, the folder that it would be in."""
    devices: dict[int, str] = {}
    for place in places:
        path = os.path.abspath(place)
        while not os.path.exists(path):
            path = os.path.dirname(path)
        devices.setdefault(os.stat(path).st_dev, path)
    return devices


def _is_full(path: str) -> bool:
    return shutil.disk_usage(path).free < _ROOM_BYTES or _has_no_inodes(path)


def _has_no_inodes(path: str) -> bool:
    state = os.statvfs(path)
    return bool(state.f_files) and not state.f_favail


def _free(path: str) -> str:
    size = f"{shutil.disk_usage(path).free / 1e6:.0f} MB"
    return f"{size} but no inodes" if _has_no_inodes(path) else size
