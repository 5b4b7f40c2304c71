"""What a step leaves for Kubeflow's launcher, whose JSON is strict and whose messages are bounded."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.step_facts import CLASSIFICATION, METRICS, Output
from pipeline.kubeflow import outputs


def _write(tmp_path: Path, kind: str, value: Any) -> dict[str, Any]:
    """The metadata that the launcher reads for an output with a value."""
    told: dict[str, Any] = {
        "outputFile": str(tmp_path / "told" / "output_metadata.json"),
        "artifacts": {"shown": {"artifacts": [{"name": "shown", "uri": "minio://bucket/shown"}]}},
    }
    outputs.write(told, {"shown": str(tmp_path / "files" / "shown")}, [Output("shown", kind, lambda _: value)], {})

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    answer = json.loads(Path(told["outputFile"]).read_text(), parse_constant=refuse)
    (artifact,) = answer["artifacts"]["shown"]["artifacts"]
    assert artifact["uri"] == "minio://bucket/shown"
    assert json.loads((tmp_path / "files" / "shown").read_text()) == artifact["metadata"]
    found: dict[str, Any] = artifact["metadata"]
    return found


def test_metrics_that_are_no_numbers_are_left_out(tmp_path: Path) -> None:
    metrics = {"accuracy": 0.5, "loss": math.nan, "auc": math.inf, "recall": None}
    assert _write(tmp_path, METRICS, metrics) == {"accuracy": 0.5}


@pytest.mark.parametrize(("classes", "letters", "is_shown"), [(500, 4, True), (501, 4, False), (400, 4000, False)])
def test_a_confusion_matrix_that_no_message_holds_is_left_out(
    tmp_path: Path, classes: int, letters: int, is_shown: bool
) -> None:
    names = [f"{number:0{letters}}" for number in range(classes)]
    found = _write(tmp_path, CLASSIFICATION, (names, np.zeros((classes, classes), int)))
    assert ("confusionMatrix" in found) == is_shown
    assert len(json.dumps(found)) < 4 << 20
    if not is_shown:
        assert found["left_out"].endswith("the report has the confusion matrix")
