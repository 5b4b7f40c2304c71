"""A result is kept with its machine, shown, and compared with an earlier one."""

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import results
from benchmarks.results import AT_LEAST, AT_MOST, Result, Target

_ROWS = [
    {"row": "fast", "seconds": 2.0, "interval": [1.0, 3.0]},
    {"row": "slow", "seconds": 10.0, "peak_bytes": 5_000_000},
]
_TARGETS = [
    Target("speed", AT_LEAST, 8, 9.0),
    Target("memory", AT_MOST, 1.0, 1.5),
    Target("accuracy", AT_LEAST, 0.9, None),
]
_RESULT = Result("trial", {"pictures": 4}, _ROWS, _TARGETS)


def _finish(folder: Path, result: Result) -> Any:
    """What `finish` writes."""
    output = folder / "trial.json"
    results.finish(result, argparse.Namespace(output=output, compare=output))
    return json.loads(output.read_text())


def test_a_result_is_kept_with_its_machine_and_a_plot(tmp_path: Path) -> None:
    written = _finish(tmp_path, _RESULT)
    assert written["rows"] == _ROWS
    assert [target["met"] for target in written["targets"]] == [True, False, None]
    assert written["targets"][1] == {"what": "memory", "at_most": 1.0, "value": 1.5, "met": False}
    assert written["machine"]["cores"] >= 1
    assert written["machine"]["memory_bytes"] > 1 << 28
    drawn = (tmp_path / "trial.svg").read_text()
    assert all(f">{name}</text>" in drawn for name in ("fast", "slow", "seconds"))


def test_a_run_is_compared_with_the_one_that_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _finish(tmp_path, _RESULT)
    capsys.readouterr()
    slower = [{"row": "fast", "seconds": 3.0}, {"row": "new", "seconds": 1.0}]
    _finish(tmp_path, _RESULT._replace(rows=slower))
    compared = capsys.readouterr().out.split("Against the result")[1]
    assert "| fast | seconds | 2 | 3 | 1.5 |" in compared
    assert "new" not in compared
    assert "OTHER" not in compared


def test_a_comparison_says_that_machine_or_settings_are_others() -> None:
    kept = results.as_json(_RESULT)
    now = json.loads(json.dumps(kept))
    kept["machine"]["cores"] += 1
    kept["settings"]["pictures"] = 5
    lines = "\n".join(results.compare(now, kept))
    assert "ANOTHER MACHINE" in lines
    assert "OTHER SETTINGS" in lines


def test_targets_go_by_processor_time_where_the_machine_was_shared() -> None:
    assert results.clock([0.0, 0.05])[0] == "seconds"
    assert results.clock([0.0, 1.2])[0] == "cpu_seconds"
