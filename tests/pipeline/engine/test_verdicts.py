"""Attempts at a step that was found to have wrong settings: which of them look again."""

from pathlib import Path

import pytest

from common.errors import TransientError, UserError
from pipeline.engine import verdicts


def _attempt(folder: Path, error: Exception, run_id: str = "run") -> bool:
    """Whether an attempt that would raise the error came to its work."""
    worked = []

    def step() -> None:
        verdicts.recall(folder, run_id)
        worked.append(True)
        with verdicts.kept(folder, run_id):
            raise error

    with pytest.raises(type(error)) as caught:
        step()
    assert str(caught.value) == str(error)
    return bool(worked)


def test_retries_are_told_the_same_and_a_person_s_retry_looks_again(tmp_path: Path) -> None:
    error = UserError("no class 'plum'")
    looked = [_attempt(tmp_path / "Trainer", error) for _ in range(6)]
    assert looked == [True, False, False, True, False, False]


def test_a_first_attempt_looks_again_where_the_backend_numbers_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong, lost = UserError("no class 'plum'"), RuntimeError("no class 'plum'")
    attempts = [("0", wrong, True), ("0", wrong, True), ("1", wrong, False), ("0", lost, True), ("1", wrong, True)]
    for number, error, looks in attempts:
        monkeypatch.setenv("KFP_RETRY_INDEX", number)
        assert _attempt(tmp_path, error) is looks


def test_another_run_and_what_may_pass_are_looked_at_again(tmp_path: Path) -> None:
    error = UserError("no class 'plum'")
    assert _attempt(tmp_path, error, "first")
    assert _attempt(tmp_path, error, "second")
    assert not _attempt(tmp_path, error, "second")
    for _ in range(3):
        assert _attempt(tmp_path, TransientError("no class 'plum'"), "third")
    for _ in range(3):
        assert _attempt(tmp_path, RuntimeError("no class 'plum'"), "fourth")


def test_a_verdict_that_was_cut_short_is_none(tmp_path: Path) -> None:
    _attempt(tmp_path, UserError("no class 'plum'"))
    (file,) = tmp_path.iterdir()
    file.write_text(file.read_text()[:20])
    verdicts.recall(tmp_path, "run")
