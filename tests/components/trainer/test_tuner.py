"""Tuner: its trials are what Trainer would do, they come again from the same seed, and a killed search goes on."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import steps
from tfx.types.standard_artifacts import Examples, Model, TransformGraph

from common import progress
from common.errors import UserError
from components.trainer import run_fn, tuner_fn
from components.trainer.trials import HEAD, STAGE_2, Search, Trial


@pytest.fixture(scope="module", autouse=True)
def _short_trials() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tuner_fn, "HEAD", {**HEAD, "epochs": (1, 2)})
        patch.setattr(tuner_fn, "STAGE_2", {**STAGE_2, "fine_tune_epochs": (1,)})
        yield


@pytest.fixture(scope="module")
def found(features: Examples, tmp_path_factory: pytest.TempPathFactory) -> list[Trial]:
    """The trials of a search through heads and stage 2."""
    return steps.tune(features, tmp_path_factory.mktemp("tuned"), Search(1, 2, []))


def test_the_configuration_comes_first_then_heads_then_stage_2_with_the_best(found: list[Trial]) -> None:
    configured, head, free, drawn, as_configured, tuned = found
    assert configured.values == {}
    assert head.values == {"fine_tune": False}
    assert free.values == {"fine_tune": False, "solver": "lbfgs", "penalty": None}, "it is chosen by the loss on eval"
    assert drawn.values.keys() == {"fine_tune", "solver", "penalty", *HEAD}
    assert free.loss < min(head.loss, drawn.loss)
    assert as_configured.values == {**free.values, "fine_tune": True}
    assert tuned.values.keys() == {*as_configured.values, *STAGE_2}
    assert [trial.fine_tuning == "off" for trial in found] == [False, True, True, True, False, False]
    assert [trial.number for trial in found] == [*range(6)]


def test_a_trial_is_what_trainer_does(found: list[Trial], model: Model) -> None:
    metrics = json.loads((Path(model.uri).parent / "run" / "metrics.json").read_text())
    assert {key: getattr(found[0], key) for key in metrics} == metrics


def test_a_trial_has_the_loss_of_each_eval_picture(found: list[Trial], examples: Examples) -> None:
    for trial in found:
        assert len(trial.losses) == len(steps.read(examples, "eval"))
        assert np.mean(trial.losses) == pytest.approx(trial.loss, rel=1e-5)


class _Killed(Exception):
    pass


def test_a_killed_search_does_not_run_its_finished_trials_again(features: Examples, tmp_path: Path) -> None:
    search, settings = Search(1, 0, []), {"fine_tune": False, "epochs": 2}
    undisturbed = steps.tune(features, tmp_path / "undisturbed", search, **settings)
    units: list[str] = []

    def die_in_the_last(done: int, total: int, unit: str) -> None:
        units.append(unit)
        if unit.startswith("trial 3 of") and done:
            raise _Killed

    progress.listen(die_in_the_last)
    try:
        with pytest.raises(_Killed):
            steps.tune(features, tmp_path / "killed", search, **settings)
        finished = {path.name: path.stat().st_mtime_ns for path in tmp_path.rglob("killed/.unfinished-*/trials/*.json")}
        assert len(finished) == 2
        units.clear()
        progress.listen(lambda done, total, unit: units.append(unit))
        resumed = steps.tune(features, tmp_path / "killed", search, **settings)
    finally:
        progress.listen(None)
    assert {unit.partition(" of")[0] for unit in units} == {"trial 3"}
    assert [_without_seconds(trial) for trial in resumed] == [_without_seconds(trial) for trial in undisturbed]
    results = tmp_path / "killed" / "results"
    assert {name: (results / name).stat().st_mtime_ns for name in finished} == finished, "moved, not made again"
    assert not list(tmp_path.rglob(".unfinished-*"))


def _without_seconds(trial: Trial) -> dict[str, Any]:
    return trial._replace(seconds=0)._asdict()


def test_an_error_ends_the_search(features: Examples, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"backbone\.weights"):
        steps.tune(features, tmp_path, Search(0, 0, []), weights=str(tmp_path / "missing.weights.h5"))


def test_stage_2_may_begin_behind_the_cut_and_not_before_it(
    examples: Examples, transform_graph: TransformGraph, tmp_path: Path
) -> None:
    features = steps.extract(examples, transform_graph, tmp_path / "features", fine_tune_at=15)
    settings = steps.TRAINING._replace(fine_tune_epochs=1)
    data = run_fn.read_features(features.uri, settings)
    trainable = {}
    for index in (15, 17):
        backbone = run_fn.load_backbone(data.info, settings)
        run = run_fn.start(data, 3, settings, str(tmp_path), str(tmp_path / str(index)))
        (tmp_path / str(index)).mkdir()
        run_fn.train(run, data, 3, settings, backbone, index)
        trainable[index] = len(backbone.trainable_weights)
    assert trainable == {15: 6, 17: 2}, "the kernels and biases of three convolutions, and of one"
    with pytest.raises(UserError, match=r"trainer\.fine_tune_at: the features end at .*, Trainer goes on from"):
        run_fn.train(run, data, 3, settings, backbone, 11)
