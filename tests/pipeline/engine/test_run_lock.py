"""Two runs in one output folder: one works, the other is told who holds the folder and touches nothing."""

import fcntl
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pictures import write_classes
from workplace import REPOSITORY, Workplace

from common.errors import UserError
from pipeline import local_run
from pipeline.engine import run_lock

_HOLD = """
import sys
import time
from pathlib import Path
from common.errors import UserError
from pipeline.engine import run_lock
{before}
try:
    with run_lock.hold(Path(sys.argv[1])):
        {held}
        print("held", flush=True)
        sys.stdin.read()
except UserError as error:
    print(error)
"""
# A child made by fork alone and one made by fork and exec, both of which live on.
_MAKE_CHILDREN = """
        import os, subprocess, time
        if not os.fork():
            print(os.getpid(), flush=True)
            time.sleep(60)
            os._exit(0)
        print(subprocess.Popen(["sleep", "60"], close_fds=False).pid, flush=True)
"""


def _holder(output: Path, before: str = "", held: str = "") -> "subprocess.Popen[str]":
    """A process that holds the lock, or says why it does not, until its standard input ends."""
    return subprocess.Popen(
        [sys.executable, "-c", _HOLD.format(before=before, held=held), str(output)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    return process.stdout.readline().rstrip("\n")


def _end(process: "subprocess.Popen[str]") -> None:
    process.communicate(timeout=30)


def _second_run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """The command with TensorFlow out of reach."""
    blocker = "import sys; sys.modules.update(dict.fromkeys(['tensorflow', 'keras', 'tfx', 'apache_beam'])); "
    code = f"{blocker}from pipeline.local_run import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )


def _is_free(output: Path) -> bool:
    try:
        with run_lock.hold(output):
            return True
    except UserError:
        return False


def _tree(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.parametrize("data", ["a folder", "the sample"])
def test_a_second_run_is_told_who_holds_the_folder_and_touches_nothing(tmp_path: Path, data: str) -> None:
    place = Workplace(tmp_path)
    write_classes(place.data, {"apple": 2, "berry": 2})
    first = subprocess.Popen(
        [sys.executable, "-m", "pipeline.local_run", *place.arguments()], cwd=REPOSITORY, stdout=subprocess.DEVNULL
    )
    while not list(place.output.glob("logs/*")):
        time.sleep(0.05)
    first.send_signal(signal.SIGSTOP)  # what changes from now on is not its doing
    before = _tree(place.output)
    arguments = ["--output", str(place.output), *(["--data", str(place.data)] if data == "a folder" else [])]
    second = _second_run(*arguments)
    assert (second.returncode, second.stdout) == (local_run.BAD_INPUT, "")
    assert re.fullmatch(
        rf"error: output folder '{place.output}' is in use by process {first.pid} on {re.escape(os.uname().nodename)} "
        rf"since \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d: \S*python\S* -m pipeline\.local_run --config .* --output "
        rf"{place.output}; wait until it ends, or choose another folder with --output\n",
        second.stderr,
    )
    assert _tree(place.output) == before

    first.kill()
    first.wait()
    assert _is_free(place.output), "the lock of a run that was killed blocks nobody"


def test_a_child_that_outlives_a_killed_run_does_not_keep_the_lock(tmp_path: Path) -> None:
    holder = _holder(tmp_path, held=_MAKE_CHILDREN.strip())
    lines = {_line(holder) for _ in range(3)}
    children = [int(line) for line in lines - {"held"}]
    assert len(children) == 2
    assert not _is_free(tmp_path)
    holder.kill()
    holder.wait()
    try:
        for child in children:
            os.kill(child, 0)  # still there
        assert _is_free(tmp_path)
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)


def test_of_many_that_start_at_the_same_moment_exactly_one_wins(tmp_path: Path) -> None:
    (tmp_path / run_lock.FILE_NAME).write_text("process 1 on gone since 2020-01-01 00:00:00: a run that was killed")
    runs = [_holder(tmp_path, before="print('ready', flush=True); sys.stdin.readline()") for _ in range(6)]
    assert [_line(run) for run in runs] == ["ready"] * len(runs)
    for run in runs:
        assert run.stdin
        run.stdin.write("go\n")
        run.stdin.flush()
    said = [_line(run) for run in runs]
    (winner,) = [run for run, line in zip(runs, said, strict=True) if line == "held"]
    told = [line for line in said if line != "held"]
    assert len(told) == len(runs) - 1
    assert all(f"in use by process {winner.pid} on " in line for line in told)
    for run in runs:
        _end(run)


def test_a_folder_is_free_again_after_a_run(tmp_path: Path) -> None:
    with run_lock.hold(tmp_path):
        assert not _is_free(tmp_path)
    assert _is_free(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"rubbish",
        b"\xff\xfe\x00",
        b"process 1 on a since 2020-01-01 00:00:00: \x1b[2Jclears the screen",
        b"process 1 on a since 2020-01-01 00:00:00: two\nlines",
        b"process 1 on a since 2020-01-01 00:00:00: long" * 100_000,
    ],
)
def test_whatever_the_lock_file_holds_the_line_is_a_good_one(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / run_lock.FILE_NAME
    path.write_bytes(content)
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(UserError) as caught, run_lock.hold(tmp_path):
            pass
    assert len(str(caught.value)) < 1500
    if not content.endswith(b"long"):
        assert f"output folder '{tmp_path}' is in use by another run; wait until it ends" in str(caught.value)
    assert _is_free(tmp_path), "a stale file blocks nobody, whatever it holds"


def test_the_lock_file_is_never_a_link_to_somewhere_else(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("kept")
    (tmp_path / run_lock.FILE_NAME).symlink_to(tmp_path / "precious")
    with pytest.raises(UserError, match=r"\.lock' cannot be written"), run_lock.hold(tmp_path):
        pass
    assert (tmp_path / "precious").read_text() == "kept"
