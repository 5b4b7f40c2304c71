"""The verdict on trials: the configuration stays unless another is better by more than noise."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from components.trainer import trials
from components.trainer.trials import Trial


def _trial(number: int, losses: list[float], **changes: Any) -> Trial:
    metrics = {"loss": float(np.mean(losses)), "accuracy": 0.5}
    made = Trial(number, {}, metrics, metrics, losses, stage_1="epochs", penalty=None, fine_tuning="off", seconds=1.0)
    return made._replace(**changes)


_LOSSES = np.random.default_rng(0).exponential(0.3, 50)
_GAINS = np.random.default_rng(1).normal(0.02, 0.04, 50)


@pytest.mark.parametrize(("compared", "chosen"), [(1, 1), (1000, 0)])
def test_the_best_wins_by_a_paired_test_corrected_for_the_number_of_trials(compared: int, chosen: int) -> None:
    best = _trial(1, (_LOSSES - _GAINS).tolist())
    others = [_trial(2 + number, (_LOSSES + 1).tolist()) for number in range(compared - 1)]
    verdict = trials.judge([_trial(0, _LOSSES.tolist()), best, *others])
    error = _GAINS.std(ddof=1) / np.sqrt(50)
    assert verdict.best.number == 1
    assert verdict.chosen.number == chosen
    assert (verdict.gain, verdict.standard_error) == pytest.approx((_GAINS.mean(), error))
    assert verdict.p_value == pytest.approx(stats.t.sf(_GAINS.mean() / error, 49) * compared)
    assert verdict.gain / error > 2, "the standard error of the losses themselves would hide such a gain"
    assert best.standard_error > 2 * error


@pytest.mark.parametrize("losses", [[[0.1, 0.2], [0.1, 0.2]], [[0.1], [0.05]], [[0.1, 0.2], [0.2, 0.3]]])
def test_without_a_gain_or_a_second_picture_the_configuration_stays(losses: list[list[float]]) -> None:
    verdict = trials.judge([_trial(number, one) for number, one in enumerate(losses)])
    assert (verdict.chosen.number, verdict.p_value) == (0, 1)


@pytest.mark.parametrize(
    ("trial", "name"),
    [
        (_trial(0, [0.1]), "as configured"),
        (_trial(0, [0.1], penalty=0.0316227766), "as configured, penalty 0.0316"),
        (_trial(3, [0.1], values={"fine_tune": False}), "stage 1 alone"),
        (
            _trial(4, [0.1], values={"fine_tune": True, "penalty": None, "dropout": 0.35, "hidden": 64}),
            "with stage 2, dropout 0.35, hidden 64",
        ),
    ],
)  # fmt: skip
def test_a_trial_is_named_by_its_settings(trial: Trial, name: str) -> None:
    assert trials.name(trial) == name
