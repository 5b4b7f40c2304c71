from pathlib import Path

import pytest

from pipeline.local_run import _show
from pipeline.screen import Screen
from pipeline.summary import Summary


@pytest.mark.parametrize(
    ("leakage", "lines"),
    [
        (0, []),
        (1, ["leakage    1 held-out picture looks like a training picture: /examples/leakage.csv"]),
        (3, ["leakage    3 held-out pictures look like a training picture: /examples/leakage.csv"]),
    ],
)
def test_leakage_is_told_where_there_is_any(leakage: int, lines: list[str], capfd: pytest.CaptureFixture[str]) -> None:
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
    _show(summary, Path(), Screen())
    assert [line for line in capfd.readouterr().out.splitlines() if line.startswith("leakage")] == lines
