"""Progress of long steps, told to whoever wants to show it.

A step calls `start` once and `advance` as it goes; without a listener both do nothing.
"""

import contextlib
import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

Listener = Callable[[int, int, str], None]

_SECONDS = 2.0  # between two looks at files
_lock = threading.Lock()
_listener: Listener | None = None
_done = 0
_total = 0
_unit = ""
_within = ""


def listen(listener: Listener | None) -> None:
    """Sets the one listener, called with units done, units in all, and the unit's name; None for nobody."""
    global _listener
    _listener = listener


def start(total: int, unit: str) -> None:
    """Begins a stretch of work.

    Args:
      total: units in all.
      unit: what is counted, in the plural, such as "pictures".
    """
    global _done, _total, _unit
    with _lock:
        _done, _total, _unit = 0, total, unit
        _tell()


@contextlib.contextmanager
def within(whole: str) -> Iterator[None]:
    """Puts what a stretch of work is part of, such as "trial 3 of 20", in front of its unit until the block ends."""
    global _within
    _within = f"{whole}: "
    try:
        yield
    finally:
        _within = ""


def advance(count: int = 1) -> None:
    """Adds to what is done; callable from any thread."""
    global _done
    with _lock:
        _done += count
        _tell()


@contextlib.contextmanager
def by_files(paths: Iterable[str]) -> Iterator[None]:
    """Also counts what workers in other processes do, from whom nothing is heard but the files that they finish.

    Args:
      paths: of files that appear, one by one, while the block does the stretch of work that was begun last; each
        stands for the same part of it.
    """
    names: dict[str, set[str]] = defaultdict(set)
    for path in paths:
        names[os.path.dirname(path)].add(os.path.basename(path))
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(names, ended), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def _watch(names: dict[str, set[str]], ended: threading.Event) -> None:
    global _done
    from tfx.dsl.io import fileio  # what only tells its progress need not wait for it

    files = sum(map(len, names.values()))
    while not ended.wait(_SECONDS):
        with contextlib.suppress(Exception):  # the work itself tells what is wrong with the storage
            there = sum(len(names[folder].intersection(fileio.listdir(folder))) for folder in names)
            with _lock:
                if (found := _total * there // files) > _done:
                    _done = found
                    _tell()


def _tell() -> None:
    if _listener is not None:
        _listener(_done, _total, f"{_within}{_unit}")
