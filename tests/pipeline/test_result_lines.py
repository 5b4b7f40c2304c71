"""What a run says at its end of things that are not always there."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.local_run import _show
from pipeline.screen import Screen
from pipeline.summary import Inference, Summary


def _lines(capfd: pytest.CaptureFixture[str], start: str, leakage: int = 0, **changes: Any) -> list[str]:
    """The lines of a summary that begin with a word."""
    summary = Summary(
        blessed=False,
        pushed_to=None,
        metrics={},
        gate=[],
        baseline_note="",
        files={"found": 9, "used": 9, "duplicate": 0, "quarantined": 0, "leakage": leakage},
        steps=[],
        classes=[],
        examples="/examples",
        model="",
        training="",
        report="",
    )
    _show(summary._replace(**changes), Path(), Screen())
    return [line for line in capfd.readouterr().out.splitlines() if line.startswith(start)]


@pytest.mark.parametrize(
    ("leakage", "lines"),
    [
        (0, []),
        (1, ["leakage    1 held-out picture looks like a training picture: /examples/leakage.csv"]),
        (3, ["leakage    3 held-out pictures look like a training picture: /examples/leakage.csv"]),
    ],
)
def test_leakage_is_told_where_there_is_any(leakage: int, lines: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert _lines(capfd, "leakage", leakage) == lines


@pytest.mark.parametrize(
    ("inference", "lines"),
    [
        (None, []),
        (
            Inference(found=2, predicted=2, failed=0, model="/model", is_candidate=True, csv="/p.csv"),
            ["predicted  2 of 2 files: /p.csv"],
        ),
        (
            Inference(found=2, predicted=0, failed=0, model=None, is_candidate=False, csv=None),
            ["predicted  nothing: no model is blessed yet"],
        ),
    ],
)
def test_predictions_are_told_where_there_are_any(
    inference: Inference | None, lines: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert _lines(capfd, "predicted", inference=inference) == lines
