"""What reaches the terminal, and what the log keeps."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.screen import Screen

REPOSITORY = Path(__file__).parents[2]

_PROGRAM = """
import os, sys, time
from pathlib import Path
from pipeline.screen import Screen, output_to
screen = Screen()
with output_to(Path(sys.argv[1])):
    with screen.running("A step"):
        print("noise of Python")
        print("complaint of Python", file=sys.stderr)
        os.write(2, b"noise of native code\\n")
        screen.advance(3, 10, "pictures")
        time.sleep(0.5)
    screen.step("A step", "run", 75.25)
print("back again")
"""


def _on_a_terminal(log: Path, program: str) -> str:
    """What a program shows on a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", program, str(log)], cwd=REPOSITORY, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 4096):
            shown += chunk
    except OSError:  # Linux tells the end of a terminal so
        pass
    os.close(ours)
    assert process.wait() == 0
    return shown.decode()


def test_noise_goes_to_the_log_and_steps_to_the_terminal(tmp_path: Path) -> None:
    shown = _on_a_terminal(tmp_path / "log", _PROGRAM)
    log = (tmp_path / "log").read_text()
    for noise in ("noise of Python", "complaint of Python", "noise of native code"):
        assert noise not in shown
        assert noise in log
    assert "3/10" in shown
    assert "A step               run     1m 15.2s" in shown
    assert "back again" in shown


def test_without_a_terminal_only_lines_are_printed(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(tmp_path / "log")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "A step               run     1m 15.2s\nback again\n"
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0.0s"),
        (59.94, "59.9s"),
        (59.96, "1m 00.0s"),
        (119.94, "1m 59.9s"),
        (119.97, "2m 00.0s"),
        (5000, "83m 20.0s"),
    ],
)
def test_a_duration_has_less_than_sixty_seconds_in_a_minute(
    seconds: float, shown: str, capfd: pytest.CaptureFixture[str]
) -> None:
    Screen().step("A step", "run", seconds)
    assert capfd.readouterr().out == f"A step               run     {shown:>8}\n"


_TO_A_FULL_DISK = """
import logging, sys
from pathlib import Path
from pipeline.screen import Screen, output_to
screen = Screen()
with output_to(Path("/dev/full")):
    print("noise " * 100_000)
    print("complaint", file=sys.stderr, flush=True)
    logging.warning("warning")
    screen.line("a line")
print("back again")
"""


def test_a_log_that_cannot_be_written_stops_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _TO_A_FULL_DISK], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "a line\nback again\n", "")


_AFTER_ITS_TERMINAL = """
import sys
from pipeline.screen import Screen
screen = Screen()
with screen.running("A step"):
    sys.stdin.read()
    screen.advance(1, 2, "pictures")
    screen.line("a line")
sys.exit(7)
"""


def test_a_terminal_that_is_closed_stops_nothing() -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", _AFTER_ITS_TERMINAL],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=theirs,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(theirs)
    assert os.read(ours, 4096)
    os.close(ours)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (7, "")


_INTERRUPTED = """
from pathlib import Path
import sys
from pipeline.screen import Screen, output_to
screen = Screen()
with output_to(Path(sys.argv[1])):
    try:
        with screen.running("A step"):
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        screen.step("A step", "failed", 1)
"""


def test_a_step_that_is_interrupted_leaves_the_cursor_visible(tmp_path: Path) -> None:
    shown = _on_a_terminal(tmp_path / "log", _INTERRUPTED)
    hide, show = "\x1b[?25l", "\x1b[?25h"
    assert shown.rindex(hide) < shown.rindex(show) < shown.rindex("A step")
