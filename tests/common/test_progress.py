"""Progress of work that is done elsewhere."""

import time
from pathlib import Path

import pytest

from common import progress


def test_files_that_workers_elsewhere_finish_count_and_take_nothing_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_SECONDS", 0.01)
    told: list[int] = []
    progress.listen(lambda done, total, unit: told.append(done))
    try:
        progress.start(100, "pictures")
        paths = [tmp_path / name for name in "abcd"]
        with progress.by_files(map(str, paths)):
            progress.advance(30)  # by a worker in this process
            for path in paths[:2]:
                path.touch()
            _wait_for(told, 50)
            progress.advance(10)
            paths[2].touch()
            _wait_for(told, 75)
    finally:
        progress.listen(None)
    assert told == [0, 30, *sorted(told[2:])], "nothing goes back"


def _wait_for(told: list[int], done: int) -> None:
    for _ in range(500):
        if told[-1] == done:
            return
        time.sleep(0.01)
    raise AssertionError(f"{done} was never told: {told}")
