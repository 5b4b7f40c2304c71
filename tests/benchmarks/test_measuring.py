"""What a command and its children take is measured as a whole."""

import sys
import time
from pathlib import Path

from benchmarks import measuring

_MEGABYTES = 64
# A parent that prints, and a child with memory and work of its own.
_CHILD = f"import time; kept = bytearray({_MEGABYTES} << 20); end = time.process_time() + 0.2\n" + (
    "while time.process_time() < end: pass\nimport time; time.sleep(0.3)"
)
_PARENT = (
    f"import subprocess, sys; print('begins', flush=True); subprocess.run([sys.executable, '-c', {_CHILD!r}])\n"
    + ("print('ended', flush=True); print('to the log', file=sys.stderr); sys.exit(3)")
)


def test_a_command_is_measured_with_its_children(tmp_path: Path) -> None:
    found = measuring.command([sys.executable, "-c", _PARENT], tmp_path / "log")
    assert found.exit_code == 3
    assert (tmp_path / "log").read_text() == "to the log\n"
    assert [line.text for line in found.lines] == ["begins", "ended"]
    begins, ended = found.lines
    assert 0.2 <= ended.cpu_seconds - begins.cpu_seconds <= found.usage.cpu_seconds
    assert 0.5 <= ended.seconds - begins.seconds <= found.usage.seconds
    assert found.peak_bytes > _MEGABYTES << 20


def test_a_call_is_measured_by_the_clock_and_by_the_processor() -> None:
    found = measuring.call(lambda: time.sleep(0.05))
    assert found.seconds >= 0.05
    assert found.cpu_seconds < 0.05
    assert found.others >= 0
