"""What every command shares: exit codes, `--help`, and how errors, interrupts and lost output end it."""

import argparse
import contextlib
import gc
import io
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FrameType
from typing import NamedTuple, NoReturn

from common.errors import UserError
from pipeline import screen
from pipeline.engine.faults import FaultError

DONE, FAILED, BAD_INPUT, NOT_BLESSED, INCOMPLETE, UNHEALTHY, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130

# New objects after which Python looks for garbage; its default is 700. TensorFlow and TFX make a million that are none
# while they are imported, and looking through them takes a quarter of that time.
_ALLOCATIONS = 100_000

_interrupted = threading.Event()


class Command(NamedTuple):
    """A command line.

    Attributes:
      name: how it is called, such as "python -m pipeline.predict".
      doc: its module's docstring, of which `--help` shows the first line.
      add_arguments: declares its arguments.
      run: does the work; returns the exit code.
      codes: what its exit codes mean; those that all commands share are added.
      interrupted: the line for an interrupt; empty where that is how the command is meant to end.
      leaves_threads: whether threads are at work then which would keep the process until they have finished.
      more_help: further sentences at the end of `--help`.
    """

    name: str
    doc: str | None
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]
    codes: Mapping[int, str]
    interrupted: str = "interrupted"
    leaves_threads: bool = False
    more_help: str = ""

    def main(self, arguments: Sequence[str] | None = None, name: str | None = None) -> int:
        """Runs the command line and returns the exit code; what goes wrong is a line on standard error.

        Args:
          arguments: those of the process where None.
          name: how the command was called, if not by its own name.

        Raises:
          SystemExit: `--help` was asked for (code 0), or the arguments are wrong (code 2).
        """
        options = self._parser(name or self.name).parse_args(arguments)
        with _interrupts():
            try:
                return self.run(options)
            except (Exception, KeyboardInterrupt) as error:
                # An interrupt comes wrapped out of Beam, and as whatever a library made of it.
                if _interrupted.is_set() or isinstance(error, KeyboardInterrupt):
                    code, line = (INTERRUPTED, self.interrupted) if self.interrupted else (DONE, "")
                else:
                    code, line = _told(error)
        if line:
            screen.error_line(line)
        return code

    def end_process(self, arguments: Sequence[str] | None = None, name: str | None = None) -> NoReturn:
        """Ends the process with the exit code of `main`, which takes the same arguments."""
        keep_streams()
        gc.set_threshold(_ALLOCATIONS)
        code = self.main(arguments, name)
        if code == INTERRUPTED and self.leaves_threads:
            os._exit(code)
        gc.freeze()  # or the interpreter, as it ends, looks through all of them again
        sys.exit(code)

    def _parser(self, name: str) -> argparse.ArgumentParser:
        shared = {INTERRUPTED: "interrupted"} if self.interrupted else {}
        codes = {**self.codes, **shared, FAILED: self.codes.get(FAILED, "anything else")}
        meanings = "; ".join(f"{code} {meaning}" for code, meaning in codes.items())
        parser = argparse.ArgumentParser(
            prog=name,
            description=(self.doc or "").partition("\n")[0],
            epilog=f"Exit codes: {meanings}. {self.more_help}",
        )
        self.add_arguments(parser)
        return parser


def is_interrupted() -> bool:
    """Whether the running command shall end, though what was raised for it may have been swallowed."""
    return _interrupted.is_set()


def keep_streams() -> None:
    """Gives the process the standard streams that it was started without, and drops output that nobody reads."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free descriptor: this one
    sys.stdin = sys.stdin or io.TextIOWrapper(io.FileIO(0))
    sys.stdout = screen.dropping(os.dup(1), sys.stdout.encoding if sys.stdout else "utf-8")
    sys.stderr = screen.dropping(os.dup(2), sys.stderr.encoding if sys.stderr else "utf-8")


def _told(error: Exception) -> tuple[int, str]:
    """The exit code and the line for an error; what has neither is a fault of this program, and shows where."""
    match error:
        case UserError():
            return BAD_INPUT, f"error: {error}"
        case BrokenPipeError():  # whoever reads the output, such as `head`, has seen enough
            return FAILED, ""
        case FaultError() | OSError():
            return FAILED, f"error: {error}"
        case _:
            traceback.print_exception(error)
            return FAILED, f"error: {type(error).__name__}: {error}"


class _Interrupt(KeyboardInterrupt):
    """Python ends itself by SIGINT, whatever the exit code, if a plain KeyboardInterrupt went through `exec`."""


@contextlib.contextmanager
def _interrupts() -> Iterator[None]:
    """Remembers that the command shall end besides raising it: Beam wraps what is raised in it, libraries swallow it.

    Ctrl-C, what `kill`, `timeout` and schedulers send, and a terminal that is closed all interrupt a command alike.
    """
    _interrupted.clear()

    def handle(number: int, frame: FrameType | None) -> None:
        _interrupted.set()
        raise _Interrupt

    caught = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as `nohup` asks for
        caught.append(signal.SIGHUP)
    before = {number: signal.signal(number, handle) for number in caught}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
