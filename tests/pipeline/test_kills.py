"""kill -9 inside each step in turn: the same command finishes, repeats nothing, and comes to what it would have."""

import csv
import json
import signal
import zipfile
from pathlib import Path
from typing import Any

import forks
import h5py
import killed_run
import ml_metadata as mlmd
import numpy as np
import pytest
from ml_metadata.proto import metadata_store_pb2
from pictures import write_classes
from workplace import Workplace, all_steps

from pipeline import local_run


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _only(folder: Path) -> Path:
    (one,) = folder.iterdir()
    return one


def _weights(place: Workplace) -> dict[str, Any]:
    found = {}

    def visit(name: str, node: Any) -> None:
        if isinstance(node, h5py.Dataset):
            found[name] = node[...]

    model = _only(place.output / "pipeline" / "Trainer" / "model") / "model.keras"
    with zipfile.ZipFile(model) as archive, archive.open("model.weights.h5") as packed, h5py.File(packed) as file:
        file.visititems(visit)
    return found


def _executions(place: Workplace) -> list[metadata_store_pb2.Execution]:
    connection = metadata_store_pb2.ConnectionConfig()
    connection.sqlite.filename_uri = str(place.output / "metadata.db")
    return mlmd.MetadataStore(connection).get_executions()


# Two epochs of stage 2, so that one is finished when the second is cut short.
_SETTINGS = ("--set", "trainer.fine_tune_epochs=2")


def _killed(place: Workplace, step: str) -> list[list[str]]:
    """Kills a run inside a step; returns the names and states of the steps before."""
    code, printed = forks.run(killed_run.main, step, place.arguments(*_SETTINGS))
    assert code == -signal.SIGKILL, printed
    return [line.split()[:2] for line in printed.splitlines() if line.startswith(tuple(all_steps()))]


@pytest.mark.slow
def test_a_run_that_is_killed_inside_each_step_comes_to_what_an_undisturbed_one_does(tmp_path: Path) -> None:
    undisturbed, killed = Workplace(tmp_path / "undisturbed"), Workplace(tmp_path / "killed")
    for place in (undisturbed, killed):
        write_classes(place.data, {"apple": 30, "berry": 40})
    assert undisturbed.run(*_SETTINGS) == local_run.PUBLISHED

    features: dict[str, int] = {}
    training: list[dict[str, Any]] = []
    for number, step in enumerate(all_steps()):
        before = _killed(killed, step)
        assert [name for name, _ in before] == all_steps()[:number]
        # All but the step that was killed last time, which is the last before this one, and the look-up of a baseline.
        again = [name for name, state in before[:-1] if state != "cached" and name != "LatestBlessedModel"]
        assert not again, f"killed inside {step}: {again} ran again"
        if step == "FeatureExtractor":
            (unfinished,) = (killed.output / "pipeline" / step / "features").glob(".unfinished-*")
            features = {path.name: path.stat().st_ino for path in unfinished.rglob("Split-train/*.tfrecord")}
        if step == "Trainer":
            (checkpoint,) = (killed.output / "pipeline" / step / "model_run").glob(".unfinished-*/stage_2.npz")
            with np.load(checkpoint) as arrays:
                training = json.loads(str(arrays["state"]))["history"]

    assert killed.run(*_SETTINGS) == local_run.PUBLISHED
    assert killed.executed() == ["Report"]
    summary, expected = killed.summary, undisturbed.summary
    for key in ("files", "classes", "blessed"):
        assert summary[key] == expected[key]
    for split in ("train", "eval"):
        assert summary["metrics"][split] == expected["metrics"][split]
    # Evaluation adds up in float32, in batches whose sizes Beam chooses by the clock.
    assert summary["metrics"]["test"] == pytest.approx(expected["metrics"]["test"], rel=1e-6)
    weights, expected_weights = _weights(killed), _weights(undisturbed)
    assert weights.keys() == expected_weights.keys()
    assert all(np.array_equal(weights[name], expected_weights[name]) for name in weights)
    extracted = _only(killed.output / "pipeline" / "FeatureExtractor" / "features")
    reference = _only(undisturbed.output / "pipeline" / "FeatureExtractor" / "features")
    for split in ("Split-train", "Split-eval"):
        assert _files(extracted / split) == _files(reference / split)

    assert len(features) == 2, "activations and bottlenecks of the one training shard"
    assert {name: (extracted / "Split-train" / name).stat().st_ino for name in features} == features, "not made again"
    assert len(training) == 1, "one epoch of stage 2 was done"
    with (_only(killed.output / "pipeline" / "Trainer" / "model_run") / "history.csv").open() as file:
        (row,) = [row for row in csv.DictReader(file) if row["stage"] == "2" and row["epoch"] == "1"]
    assert float(row["seconds"]) == training[0]["seconds"], "not trained again"

    log = "".join(path.read_text() for path in (killed.output / "logs").iterdir())
    assert "extracted by an earlier attempt" in log
    assert "epochs that an earlier attempt trained: 1" in log
    assert len(killed.versions()) == 1
    assert not [path for path in killed.output.rglob("*") if "partial" in path.name or "unfinished" in path.name]
    states = {execution.last_known_state for execution in _executions(killed)}
    assert metadata_store_pb2.Execution.RUNNING not in states
    # Every output folder that is left is that of an execution that completed.
    complete = {
        str(one.id) for one in _executions(killed) if one.last_known_state == metadata_store_pb2.Execution.COMPLETE
    }
    assert {path.name for path in killed.output.glob("pipeline/*/[!.]*/*")} <= complete
    assert {path.name for path in killed.output.glob("pipeline/*/.system/executor_execution/*")} <= complete
