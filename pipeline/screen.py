"""What a run shows: a line a step, a bar in the long ones; everything else goes to a log file."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

_NAME_WIDTH = 20


class Screen:
    """Lines on the terminal, which outlive the redirection of standard output."""

    def __init__(self) -> None:
        """Keeps its own copy of standard output."""
        self._console = Console(file=os.fdopen(os.dup(sys.stdout.fileno()), "w"), highlight=False, soft_wrap=True)
        self._progress: Progress | None = None

    def line(self, text: str = "") -> None:
        """Prints a line as it is: names in it are not taken for markup."""
        self._console.print(text, markup=False)

    def step(self, name: str, state: str, seconds: float) -> None:
        """Prints the line of a finished step."""
        self.line(f"{name:<{_NAME_WIDTH}} {state:<7} {_duration(seconds):>8}")

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
        """Moves the bar of the running step; a listener of `components.progress`."""
        if self._progress is not None:
            self._progress.update(self._progress.task_ids[0], completed=done, total=total, description=unit)


@contextlib.contextmanager
def output_to(log: Path) -> Iterator[None]:
    """Sends all that this process writes to standard output and error to a file, until the block ends.

    Python's streams are replaced, and the file descriptors below them too: TensorFlow's native code knows only these.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    saved = [os.dup(1), os.dup(2)]
    with log.open("a", buffering=1, encoding="utf-8", errors="backslashreplace") as file:
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)
        try:
            with contextlib.redirect_stdout(file), contextlib.redirect_stderr(file):
                yield
        finally:
            for descriptor, source in zip((1, 2), saved, strict=True):
                os.dup2(source, descriptor)
                os.close(source)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes)}m {rest:04.1f}s" if minutes else f"{rest:.1f}s"
