"""The trials of Tuner: what is searched, and what each trial came to. Imports nothing heavy."""

import json
import math
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

# What Tuner tries for the keys of `trainer`, each list with the configured value added. The head is Adam's: lbfgs takes
# a single trial, as it finds its penalty by itself.
HEAD = {
    "epochs": (5, 20, 50),
    "learning_rate": (1e-4, 3e-4, 1e-3, 3e-3, 1e-2),
    "dropout": (0.0, 0.1, 0.2, 0.35, 0.5),
    "hidden": (0, 64, 256, 1024),
    "schedule": ("constant", "cosine"),
}
STAGE_2 = {
    "fine_tune_learning_rate": (1e-6, 3e-6, 1e-5, 3e-5, 1e-4, 3e-4),
    "fine_tune_epochs": (2, 4, 8),
    "schedule": ("constant", "cosine"),
    "dropout": (0.0, 0.1, 0.2, 0.35, 0.5),
}

KINDS = ("configuration", "head", "stage 2")  # of trials
_LEVEL = 0.05  # of the test that a winner must pass


class Search(NamedTuple):
    """What Tuner gets besides the settings of training.

    Attributes:
      trials: of heads, besides the configured one; each trains stage 1 alone.
      stage_2_trials: of stage 2 with the best of these heads; not one where the configuration has no stage 2.
      fine_tune_at: layers that stage 2 may begin with, the configured one first; empty for that one alone.
    """

    trials: int
    stage_2_trials: int
    fine_tune_at: list[int]


class Trial(NamedTuple):
    """One training.

    Attributes:
      number: from 0 on, in their order; 0 is the configuration as it is.
      values: the keys of `trainer` that differ from the configuration, or may.
      train: loss and accuracy on the training split.
      eval: the same on eval.
      losses: that of each picture of the eval split, always in the same order.
      stage_1: how it trained, and `penalty` with which: as in TrainingResults.
      penalty: see `stage_1`.
      fine_tuning: "kept", "undone" or "off".
      seconds: how long it took.
    """

    number: int
    values: dict[str, Any]
    train: dict[str, float]
    eval: dict[str, float]
    losses: list[float]
    stage_1: str
    penalty: float | None
    fine_tuning: str
    seconds: float

    @property
    def loss(self) -> float:
        """The mean loss on eval."""
        return self.eval["loss"]

    @property
    def standard_error(self) -> float:
        """Of the mean loss on eval; NaN for a single picture."""
        return _standard_error(self.losses)


class Verdict(NamedTuple):
    """Which trial's values to take.

    Attributes:
      best: the trial with the least loss on eval.
      chosen: the best, or the configuration where the best is not better by more than noise.
      gain: mean over eval pictures of the configuration's loss less the best's; 0 or more.
      standard_error: of that.
      p_value: of no gain, by a paired t-test, times the number of trials compared (Bonferroni), at most 1.
    """

    best: Trial
    chosen: Trial
    gain: float
    standard_error: float
    p_value: float


def judge(trials: list[Trial]) -> Verdict:
    """Prefers the configuration, the first of the trials, unless the best is better by more than noise."""
    from scipy import stats

    configured, best = trials[0], min(trials, key=lambda trial: trial.loss)
    differences = [before - after for before, after in zip(configured.losses, best.losses, strict=True)]
    p_value = 1.0
    if any(differences) and len(differences) > 1:
        found = stats.ttest_1samp(differences, 0, alternative="greater").pvalue
        p_value = min(1.0, float(found) * (len(trials) - 1))
    chosen = best if p_value < _LEVEL else configured
    return Verdict(best, chosen, statistics.fmean(differences), _standard_error(differences), p_value)


def _standard_error(values: list[float]) -> float:
    return statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan


def path(directory: str, number: int) -> str:
    """The file of one trial in a folder of them."""
    return str(Path(directory) / f"trial-{number:04d}.json")


def read(directory: str) -> list[Trial]:
    """The trials of a folder, in their order."""
    files: Iterable[Path] = sorted(Path(directory).glob("trial-*.json"))
    return [Trial(**json.loads(file.read_text())) for file in files]


def p_value(verdict: Verdict) -> str:
    """The p-value in words, and what was done to it."""
    value = "below 0.001" if verdict.p_value < 0.001 else f"{verdict.p_value:.3f}"
    return f"p {value}, corrected for the number of trials"


def kind(trial: Trial) -> str:
    """One of KINDS."""
    configuration, head, stage_2 = KINDS
    return configuration if not trial.number else stage_2 if trial.values.get("fine_tune") else head


def name(trial: Trial) -> str:
    """What a trial's settings are, on one line, such as "solver adam, epochs 20"."""
    shown = {key: value for key, value in trial.values.items() if key not in ("fine_tune", "penalty")}
    if trial.penalty is not None:
        shown["penalty"] = trial.penalty
    values = ", ".join(
        f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}" for key, value in shown.items()
    )
    what = {"configuration": "as configured", "head": "stage 1 alone", "stage 2": "with stage 2"}[kind(trial)]
    return f"{what}, {values}" if values else what
