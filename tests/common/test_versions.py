"""What happens in the folder of published models when processes are killed, fail, or work at the same time."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from common import versions

# Makes a version, half of which is there when it says so; the other half follows when it is told to go on.
_SLOW = """
import sys
from pathlib import Path
from common import versions

with versions.new_version(sys.argv[1]) as (_, folder):
    Path(folder).mkdir()
    Path(folder, "first").write_text("whole")
    print("half", flush=True)
    sys.stdin.readline()
    Path(folder, "second").write_text("whole")
"""


def _slow(base: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", _SLOW, str(base)],
        cwd=Path(versions.__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "half\n"
    return process


def _make(base: Path, error: Exception | None = None) -> str:
    with versions.new_version(str(base)) as (version, folder):
        Path(folder).mkdir()
        if error:
            raise error
    return version


def _numbers(base: Path) -> list[str]:
    return sorted(path.name for path in base.iterdir() if path.name.isdecimal())


def _partial(base: Path) -> list[Path]:
    return list(base.glob(".partial-*"))


def test_a_version_is_seen_when_it_is_whole(tmp_path: Path) -> None:
    with _slow(tmp_path) as process:
        assert not _numbers(tmp_path)
        process.communicate("go on\n")
    (version,) = _numbers(tmp_path)
    assert {path.name for path in (tmp_path / version).iterdir()} == {"first", "second"}
    assert not _partial(tmp_path)


def test_a_killed_process_leaves_no_version_and_the_next_one_clears_up(tmp_path: Path) -> None:
    with _slow(tmp_path) as process:
        process.kill()
    assert not _numbers(tmp_path)
    assert len(_partial(tmp_path)) == 1
    version = _make(tmp_path)
    assert _numbers(tmp_path) == [version]
    assert not _partial(tmp_path)


def test_a_process_waits_for_another_one_and_leaves_its_folder_alone(tmp_path: Path) -> None:
    with _slow(tmp_path) as first:
        (partial,) = _partial(tmp_path)
        second = subprocess.Popen(
            [sys.executable, "-c", _SLOW, str(tmp_path)],
            cwd=Path(versions.__file__).parents[1],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(1)
        assert _partial(tmp_path) == [partial]
        assert (partial / "first").exists()
        first.communicate("go on\n")
    assert second.wait(10) == 0
    assert len(_numbers(tmp_path)) == 2


def test_a_failure_publishes_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="the disk is full"):
        _make(tmp_path, OSError("the disk is full"))
    assert not _numbers(tmp_path)
    assert not _partial(tmp_path)


def test_versions_increase_within_a_second_and_when_the_clock_goes_back(tmp_path: Path) -> None:
    before = int(time.time())
    assert before <= int(_make(tmp_path)) <= time.time()
    tomorrow = int(time.time()) + 86_400
    (tmp_path / str(tomorrow)).mkdir()
    (tmp_path / ("9" * 30)).mkdir()  # beyond 64 bits: no version to a server
    assert [_make(tmp_path) for _ in range(3)] == [str(tomorrow + number) for number in (1, 2, 3)]


def test_other_users_may_read_a_version_who_may_read_the_folder(tmp_path: Path) -> None:
    base = tmp_path / "serving"
    version = _make(base)
    assert (base / version).stat().st_mode == base.stat().st_mode
