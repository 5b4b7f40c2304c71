"""What a command or a call takes: time, processor time and memory. Linux alone, by /proc."""

import os
import resource
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple

_INTERVAL = 0.1  # seconds between two looks at memory
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TIMES = slice(11, 15)  # of what `_stat` gives: user and system time, the process's own and that of its ended children


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


def command(arguments: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> Command:
    """Runs a command to its end.

    Args:
      arguments: the program and its arguments.
      log: file for standard error.
      environment: variables besides those of this process.
    """
    watch = _Watch()
    lines: list[Line] = []
    with log.open("wb") as errors:
        process = subprocess.Popen(
            arguments, stdout=subprocess.PIPE, stderr=errors, text=True, env={**os.environ, **(environment or {})}
        )
    assert process.stdout is not None
    reader = threading.Thread(target=_read, args=(process.stdout, process.pid, watch, lines))
    reader.start()
    peak, ended = 0, 0
    try:
        while not ended:
            time.sleep(_INTERVAL)
            peak = max(peak, _resident(_tree(process.pid)))
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
    began = _own_seconds()
    watch = _Watch()
    work()
    return watch.usage(_own_seconds() - began)


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
        ticks = sum(int(value) for stat in _tree(pid).values() for value in stat[_TIMES])
        lines.append(Line(text.rstrip("\n"), watch.seconds(), ticks / _TICKS))


def _tree(root: int) -> dict[int, list[str]]:
    """What /proc says of a process and all that descend from it, by process id."""
    stats = {int(path.name): stat for path in Path("/proc").glob("[0-9]*") if (stat := _stat(path))}
    found = {root} & stats.keys()
    while more := {pid for pid, stat in stats.items() if int(stat[1]) in found} - found:
        found |= more
    return {pid: stats[pid] for pid in found}


def _stat(process: Path) -> list[str]:
    """The fields of a process from its state on; none where it has ended."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _resident(tree: Mapping[int, list[str]]) -> int:
    return sum(int(stat[21]) for stat in tree.values()) * _PAGE


def _busy_seconds() -> float:
    """Of all processors since the machine started, what its host took from it included."""
    user, nice, system, _idle, _waiting, *rest = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:9])
    return (user + nice + system + sum(rest)) / _TICKS


def _own_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
