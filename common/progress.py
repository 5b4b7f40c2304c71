"""Progress of long steps, told to whoever wants to show it.

A step calls `start` once and `advance` as it goes; without a listener both do nothing.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator

Listener = Callable[[int, int, str], None]

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


def _tell() -> None:
    if _listener is not None:
        _listener(_done, _total, f"{_within}{_unit}")
