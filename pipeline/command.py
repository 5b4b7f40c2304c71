"""What every command that runs steps shares: exit codes, and how it is interrupted."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

PUBLISHED, FAILED, BAD_INPUT, NOT_BLESSED, INTERRUPTED = 0, 1, 2, 3, 130


class _Interrupt(KeyboardInterrupt):
    """Python ends itself by SIGINT, whatever the exit code, if a plain KeyboardInterrupt went through `exec`."""


@contextlib.contextmanager
def interrupts() -> Iterator[threading.Event]:
    """Remembers that the run shall end besides raising it: Beam wraps what is raised in it, a library may swallow it.

    Ctrl-C, what `kill`, `timeout` and schedulers send, and a terminal that is closed all interrupt a run alike.
    """
    interrupted = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        interrupted.set()
        raise _Interrupt

    caught = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as `nohup` asks for
        caught.append(signal.SIGHUP)
    before = {number: signal.signal(number, handle) for number in caught}
    try:
        yield interrupted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
