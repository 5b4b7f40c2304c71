"""What a run shows: one line per step, a bar in the long ones; everything else goes to a log file.

Neither can end a run: what a full disk, a closed pipe or a closed terminal does not take is dropped.
"""

import contextlib
import io
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from common import packages

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_NAME_WIDTH = 20


class Screen:
    """Lines on the terminal, which outlive the redirection of standard output."""

    def __init__(self) -> None:
        """Keeps its own copy of standard output."""
        stream = dropping(os.dup(sys.stdout.fileno()), sys.stdout.encoding)
        self._console = Console(file=stream, highlight=False, soft_wrap=True)
        self._progress: Progress | None = None

    def line(self, text: str = "") -> None:
        """Prints a line as it is: names in it are not taken for markup."""
        self._console.print(text, markup=False)

    def step(self, name: str, state: str, seconds: float) -> None:
        """Prints the line of a finished step."""
        self.line(f"{name:<{_NAME_WIDTH}} {state:<7} {duration(seconds):>8}")

    @contextlib.contextmanager
    def running(self, name: str) -> Iterator[None]:
        """Shows, on a terminal, that a step runs, until the block ends."""
        if not self._console.is_terminal:
            yield
            return
        columns = (
            TextColumn(f"{name:<{_NAME_WIDTH}}", markup=False),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("{task.description}", markup=False),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        # Rich would otherwise print on the terminal what the redirection keeps off it.
        shown = Progress(*columns, console=self._console, transient=True, redirect_stdout=False, redirect_stderr=False)
        with shown as self._progress:
            self._progress.add_task("", total=None)
            try:
                yield
            finally:
                self._progress = None

    def advance(self, done: int, total: int, unit: str) -> None:
        """Moves the bar of the running step; a listener of `common.progress`."""
        if self._progress is not None:
            self._progress.update(self._progress.task_ids[0], completed=done, total=total, description=unit)


def error_line(text: str) -> None:
    """Prints a line on standard error."""
    with dropping(os.dup(sys.stderr.fileno()), sys.stderr.encoding) as stream:
        print(text, file=stream)


@contextlib.contextmanager
def output_to(log: Path) -> Iterator[None]:
    """Sends all that this process writes to standard output and error, or logs, to a file, until the block ends.

    Python's streams are replaced, and the file descriptors below them too: TensorFlow's native code knows only these.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    saved = [os.dup(1), os.dup(2)]
    with dropping(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666), "utf-8") as file:
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)
        try:
            with contextlib.redirect_stdout(file), contextlib.redirect_stderr(file), _logging_to(file):
                yield
        finally:
            for descriptor, source in zip((1, 2), saved, strict=True):
                os.dup2(source, descriptor)
                os.close(source)


@contextlib.contextmanager
def _logging_to(file: TextIO) -> Iterator[None]:
    """Lets the steps' own code log what it does, and not only what goes wrong."""
    handler = logging.StreamHandler(file)
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s: %(message)s"))
    levels = {logger: logger.level for logger in packages.loggers()}
    for logger in levels:
        logger.setLevel(logging.INFO)
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger, level in levels.items():
            logger.removeHandler(handler)
            logger.setLevel(level)


class _Dropping(io.FileIO):
    """A file that drops what it cannot take."""

    def write(self, data: "ReadableBuffer") -> int:
        size = memoryview(data).nbytes
        try:
            return super().write(data) or size  # None where a pipe that shall not block is full
        except OSError:
            return size

    def close(self) -> None:
        with contextlib.suppress(OSError):  # some network file systems tell of a full disk only here
            super().close()


def dropping(descriptor: int, encoding: str) -> io.TextIOWrapper:
    """A text stream of whole lines that raises neither for its file nor for a character; owns the descriptor."""
    file = io.BufferedWriter(_Dropping(descriptor, "w"))
    return io.TextIOWrapper(file, encoding, errors="backslashreplace", line_buffering=True)


def duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds, 1), 60)  # rounded first: 119.97 s are two minutes
    return f"{int(minutes)}m {rest:04.1f}s" if minutes else f"{rest:.1f}s"
