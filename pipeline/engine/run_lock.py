"""One run at a time in an output folder.

Two runs would write into the same metadata store and clean away what the other has not finished yet.
"""

import contextlib
import datetime
import os
import re
import shlex
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from common import escaping, locks
from common.errors import UserError
from pipeline.engine import faults

FILE_NAME = ".lock"
_HOLDER = re.compile(r"process \d+ on \S+ since [\d-]+ [\d:]+: .+")
_HOLDER_BYTES = 1000
_WRITES_ITS_NAME_SECONDS = 0.2


@contextlib.contextmanager
def hold(output: Path) -> Iterator[None]:
    """Keeps other runs out of a folder until the block ends.

    The lock is that of `locks.hold` on the file `.lock`, whose text only tells who holds it. A file system without
    locks is refused: the metadata store needs them as well.

    Args:
      output: an existing folder.

    Raises:
      UserError: another run holds the folder, or the lock file cannot be written.
      FaultError: no space is left, or the folder was not there any more when the block failed.
    """
    path = output / FILE_NAME

    def refuse() -> None:
        raise UserError(
            f"output folder {str(output)!r} is in use by {_holder(path)}; "
            f"wait until it ends, or choose another folder with --output"
        )

    with contextlib.ExitStack() as stack:
        with faults.writing(output):
            file = stack.enter_context(locks.hold(path, refuse))
            file.truncate()
            file.write(_myself().encode())
        try:
            yield
        except Exception as error:
            if not _is_at(path, file.fileno()):
                raise faults.FaultError(
                    f"the output folder {str(output)!r} is gone: it was unmounted, removed or replaced while the run "
                    f"wrote to it; bring it back and run the same command again"
                ) from error
            raise


def _myself() -> str:
    since = datetime.datetime.now().isoformat(" ", "seconds")
    return escaping.escape(
        f"process {os.getpid()} on {socket.gethostname()} since {since}: {shlex.join(sys.orig_argv)}"
    )


def _holder(path: Path) -> str:
    """Who holds the lock, as far as the file tells: anybody may have written anything there."""
    time.sleep(_WRITES_ITS_NAME_SECONDS)  # the holder may have got the lock only just now
    try:
        with path.open("rb") as file:
            text = file.read(_HOLDER_BYTES).decode(errors="replace")
    except OSError:
        text = ""
    return text if _HOLDER.fullmatch(text) and text.isprintable() else "another run"


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except OSError:
        return False
