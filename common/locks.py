"""Locks between processes, of which none outlives its process."""

import contextlib
import fcntl
import io
import os
from collections.abc import Callable, Iterator

_held: set[io.FileIO] = set()


def _close_all() -> None:
    for file in _held:
        file.close()


# The lock belongs to the open file, which a child made by fork shares: one that lives longer would keep the lock.
os.register_at_fork(after_in_child=_close_all)


@contextlib.contextmanager
def hold(path: str | os.PathLike[str], on_wait: Callable[[], None] = lambda: None) -> Iterator[io.FileIO]:
    """Keeps other processes, and other holders in this one, out of a block of code.

    The lock is flock(2) on a file that stays where it is. The kernel drops the lock with the process that holds it,
    however that one ends, so none is ever stale. Linux keeps such locks on the server of NFS (from 2.6.12 on) and of
    SMB (from 5.5 on), so that several machines see each other's; a machine that dies keeps its lock until the server
    has given it up.

    Args:
      path: the lock's file, made if missing. A link is refused.
      on_wait: called once where another one holds the lock, before it is waited for; what this raises ends the wait.

    Yields:
      The file, open for reading and writing and unbuffered. What is in it is the caller's.

    Raises:
      OSError: the file cannot be opened, or its file system has no locks.
    """
    # NFS gives an exclusive lock only on a file that is open for writing.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    with open(descriptor, "r+b", buffering=0) as file:
        _held.add(file)
        try:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                on_wait()
                fcntl.flock(file, fcntl.LOCK_EX)
            yield file
        finally:
            _held.discard(file)
