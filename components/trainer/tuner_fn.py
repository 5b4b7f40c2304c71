"""Searches settings for both stages of training with KerasTuner, over stored features; TFX's hook.

A trial is what Trainer would do with its settings, so a run with the winner's comes to the same loss.
"""

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import keras_tuner
import tensorflow as tf
from keras_tuner.engine.base_tuner import BaseTuner
from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.oracles import RandomSearchOracle
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.components.tuner.component import TunerFnResult

from common import labels, progress
from components.trainer import run_fn, trials
from components.trainer.run_fn import Settings
from components.trainer.trials import HEAD, STAGE_2, Search

TRIALS = "trials"  # folder, in the working directory, of the finished ones
_EVAL_LOSS = "eval_loss"

Values = dict[str, Any]


def tuner_fn(fn_args: FnArgs) -> TunerFnResult:
    """What TFX's Tuner calls.

    Args:
      fn_args: TFX's. `train_files` lie in the features' artifact; `custom_config` holds the fields of Settings as
        "settings" and those of Search as "search"; `working_dir` is kept until the search is finished.
    """
    settings = Settings.of(fn_args.custom_config["settings"])
    search = Search(**fn_args.custom_config["search"])
    directory = os.path.dirname(os.path.dirname(fn_args.train_files[0]))
    return TunerFnResult(_Tuner(directory, settings, search, fn_args.working_dir), {})


class _Oracle(RandomSearchOracle):
    """Searches one space after another: the configuration as it is, then heads, then stage 2 with the best of them."""

    def __init__(self, settings: Settings, search: Search) -> None:
        most = 3 + search.trials + search.stage_2_trials
        # KerasTuner takes 0 for no seed.
        super().__init__(keras_tuner.Objective(_EVAL_LOSS, "min"), max_trials=most, seed=settings.seed + 1)
        self._settings = settings
        self._search = search
        self._spaces = self._in_turn()
        self._left = 0

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """KerasTuner's; a space of which no more can be drawn makes way for the next."""
        while True:
            if self._left:
                self._left -= 1
                drawn = super().populate_space(trial_id)
                if drawn["status"] != TrialStatus.STOPPED:
                    return drawn
            space = next(self._spaces, None)
            if space is None:
                return {"status": TrialStatus.STOPPED, "values": None}
            self.hyperparameters, self._left = space

    def _in_turn(self) -> Iterator[tuple[keras_tuner.HyperParameters, int]]:
        """Each space, and how many trials it has; a space that is asked for late knows the trials before."""
        settings, search = self._settings, self._search
        yield _space({}), 1
        head = {"fine_tune": False} if settings.fine_tune else {}
        if head:
            yield _space(head), 1
        if settings.solver != "lbfgs" or settings.penalty is not None:
            yield _space({**head, "solver": "lbfgs"}), 1
        yield _space({**head, "solver": "adam"}, _choices(settings, HEAD)), search.trials
        if settings.fine_tune:
            heads = [trial for trial in self.get_best_trials(len(self.trials)) if "fine_tune" in _values(trial)]
            best = {**_values(heads[0]), "fine_tune": True}
            choices = _choices(settings, {**STAGE_2, "fine_tune_at": search.fine_tune_at})
            if len(best) > 1:  # of the configured head, the first trial has shown it
                yield _space(best), min(1, search.stage_2_trials)
            yield _space(best, choices), search.stage_2_trials - (len(best) > 1)


def _values(trial: Trial) -> Values:
    return dict(trial.hyperparameters.values)


def _choices(settings: Settings, tried: Mapping[str, Iterable[Any]]) -> dict[str, list[Any]]:
    configured = settings._asdict()
    return {key: sorted({*values, *([configured[key]] if key in configured else [])}) for key, values in tried.items()}


def _space(fixed: Values, choices: Mapping[str, list[Any]] | None = None) -> keras_tuner.HyperParameters:
    space = keras_tuner.HyperParameters()
    for key, value in fixed.items():
        if not choices or key not in choices:
            space.Fixed(key, value)
    for key, values in (choices or {}).items():
        if values:
            space.Choice(key, values)
    return space


class _Tuner(BaseTuner):
    """Runs the trials that are not finished yet.

    KerasTuner's own state is not kept: the seed and the finished trials give it again, and it cannot be half written.
    """

    oracle: _Oracle

    def __init__(self, directory: str, settings: Settings, search: Search, work: str) -> None:
        oracle = _Oracle(settings, search)
        super().__init__(oracle, directory=work, project_name="oracle", overwrite=True)
        self._features = directory
        self._classes = len(labels.read_labels(directory))
        self._settings = settings
        self._configured_at = next(iter(search.fine_tune_at), None)
        self._work = work
        tf.io.gfile.makedirs(os.path.join(work, TRIALS))

    def search(self) -> None:
        """KerasTuner's own goes on after an error, and would look for settings on a full disk."""
        while (trial := self.oracle.create_trial(self.tuner_id)).status == TrialStatus.RUNNING:
            self.oracle.update_trial(trial.trial_id, {_EVAL_LOSS: self.run_trial(trial)})
            trial.status = TrialStatus.COMPLETED
            self.oracle.end_trial(trial)

    def run_trial(self, trial: Trial) -> float:
        """The loss on eval that a trial's settings lead to."""
        number = int(trial.trial_id)
        path = trials.path(os.path.join(self._work, TRIALS), number)
        if not tf.io.gfile.exists(path):
            with progress.within(f"trial {number + 1} of up to {self.oracle.max_trials}"):
                done = self._train(number, _settled(_values(trial)))
            with tf.io.gfile.GFile(f"{path}.partial", "w") as file:
                file.write(json.dumps(done._asdict()))
            tf.io.gfile.rename(f"{path}.partial", path, overwrite=True)
        with tf.io.gfile.GFile(path) as file:
            return trials.Trial(**json.loads(file.read())).loss

    def _train(self, number: int, values: Values) -> trials.Trial:
        began = time.monotonic()
        at = values.get("fine_tune_at", self._configured_at)
        changes = {key: value for key, value in values.items() if key != "fine_tune_at"}
        settings = self._settings._replace(**changes)
        data = run_fn.read_features(self._features, settings)
        backbone = run_fn.load_backbone(data.info, settings) if settings.fine_tune else None
        work = os.path.join(self._work, f"training-{number}")
        tf.io.gfile.makedirs(work)
        run = run_fn.start(data, self._classes, settings, work, work)
        trained = run_fn.train(run, data, self._classes, settings, backbone, at)
        tf.io.gfile.rmtree(work)
        return trials.Trial(
            number,
            values,
            losses=trained.losses.tolist(),
            seconds=round(time.monotonic() - began, 3),
            **trained.results._asdict(),
        )


def _settled(values: Values) -> Values:
    """A solver comes without a penalty: lbfgs chooses it, adam has none."""
    return {**values, "penalty": None} if "solver" in values else values
