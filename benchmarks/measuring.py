"""What a command or a call takes: time, processor time and memory."""

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, NamedTuple

import psutil

_INTERVAL = 0.1  # seconds between two looks at memory


class Usage(NamedTuple):
    """What something took.

    Attributes:
      seconds: wall time.
      cpu_seconds: user and system time of all threads and, of a command, all its processes.
      others: processors that everything else on the machine kept busy meanwhile, on average; near 0 where it was idle.
    """

    seconds: float
    cpu_seconds: float
    others: float


class Line(NamedTuple):
    """A line that a command printed, and the seconds and processor seconds that had passed by then."""

    text: str
    seconds: float
    cpu_seconds: float


class Command(NamedTuple):
    """A command that ended.

    Attributes:
      exit_code: negative for a signal.
      usage: from its start to its end.
      peak_bytes: most resident memory of all its processes together, looked at ten times a second; pages that processes
        share count for each of them.
      lines: of its standard output.
    """

    exit_code: int
    usage: Usage
    peak_bytes: int
    lines: list[Line]


def command(arguments: Sequence[str], log: Path) -> Command:
    """Runs a command to its end.

    Args:
      arguments: the program and its arguments.
      log: file for standard error.
    """
    watch = _Watch()
    lines: list[Line] = []
    with log.open("wb") as errors:
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=errors, text=True)
    assert process.stdout is not None
    reader = threading.Thread(target=_read, args=(process.stdout, process.pid, watch, lines))
    reader.start()
    peak, ended = 0, 0
    try:
        while not ended:
            time.sleep(_INTERVAL)
            peak = max(peak, int(_total(process.pid, lambda one: one.memory_info().rss)))
            ended, status, used = os.wait4(process.pid, os.WNOHANG)
    except BaseException:
        process.kill()
        process.wait()
        raise
    finally:
        reader.join()
        process.stdout.close()
    process.returncode = os.waitstatus_to_exitcode(status)
    peak = max(peak, used.ru_maxrss * 1024)  # of the largest process, which no look can have missed
    return Command(process.returncode, watch.usage(used.ru_utime + used.ru_stime), peak, lines)


def call(work: Callable[[], object]) -> Usage:
    """Calls something in this process."""
    began = time.process_time()
    watch = _Watch()
    work()
    return watch.usage(time.process_time() - began)


class _Watch:
    """The time since it was made, of the clock and of the whole machine's processors."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._busy = _busy_seconds()

    def seconds(self) -> float:
        return time.monotonic() - self._began

    def usage(self, cpu_seconds: float) -> Usage:
        seconds = self.seconds()
        others = (_busy_seconds() - self._busy - cpu_seconds) / seconds
        return Usage(seconds, cpu_seconds, max(0.0, others))


def _read(stream: IO[str], pid: int, watch: _Watch, lines: list[Line]) -> None:
    for text in stream:
        # All four times: user and system, of the process itself and of its children that have ended.
        cpu_seconds = _total(pid, lambda one: sum(one.cpu_times()[:4]))
        lines.append(Line(text.rstrip("\n"), watch.seconds(), cpu_seconds))


def _total(pid: int, ask: Callable[[psutil.Process], float]) -> float:
    """The sum over a process and all that descend from it, without those that end meanwhile."""
    total = 0.0
    with contextlib.suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                total += ask(process)
    return total


def _busy_seconds() -> float:
    """Of all processors since the machine started, what its host took from it included."""
    times = psutil.cpu_times()
    return times.user + times.nice + times.system + times.irq + times.softirq + times.steal
