"""What an evaluation found, read back from its folder."""

import json
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tensorflow_model_analysis as tfma

from common.examples import CLASS_NAME
from modeling.served import Served

# The models, as TFMA knows them.
CANDIDATE = "candidate"
BASELINE = "baseline"
# TFMA computes accuracies in float32, where 19 of 20 is a little less than 0.95.
ROUNDING = 1e-6
# Custom property of an evaluation: why the last blessed model was not compared with; empty where it was.
BASELINE_NOTE = "baseline_note"
OVERALL = "overall"
_CLASS_CHECKS = "class_checks.json"
_SERVED = "served.json"


class Check(NamedTuple):
    """One threshold of the gate.

    Attributes:
      metric: "accuracy"; "accuracy_change" for the difference to the last blessed model's; "balanced_accuracy" for the
        mean of the accuracies of the classes with test pictures; "class_accuracy" for the least accuracy of a class; or
        "served" for the share of some test pictures that the exported model answers in a server as it did in the
        evaluation.
      slice: "overall", or the class whose test pictures count; of "class_accuracy" the worst class.
      value: what was measured.
      threshold: the least value that passes.
      passed: whether it does.
      note: more about a failure; empty where the numbers say it all.
    """

    metric: str
    slice: str
    value: float
    threshold: float
    passed: bool
    note: str = ""


class Slice(NamedTuple):
    """Test pictures that have something in common.

    Attributes:
      key: the feature, one of `common.examples.SLICES`.
      value: its value.
      pictures: how many there are.
      right: how many of them the candidate gets right.
    """

    key: str
    value: str
    pictures: int
    right: int


def slices(evaluation: str) -> list[Slice]:
    """All slices of one feature that TFMA measured, from the evaluation's folder, in no order."""
    found = []
    for where, metrics in _load(evaluation).slicing_metrics:
        if len(where) == 1:
            ((key, value),) = where
            values = metrics[""][""]
            pictures = values["example_count"]["doubleValue"]
            right = values["accuracy"]["doubleValue"] * pictures
            found.append(Slice(key, str(value), round(pictures), round(right)))
    return found


def overall_metrics(evaluation: str) -> dict[str, float]:
    """The candidate's metrics on the whole test split, by name, from the evaluation's folder."""
    return _metrics(_load(evaluation), "")


def confusion_matrix(evaluation: str, classes: int) -> npt.NDArray[np.int64]:
    """Test pictures by true class (rows) and predicted class (columns), int64 [classes, classes]."""
    ((_, by_output),) = [plot for plot in _load(evaluation).plots if not plot[0]]
    (matrix_by_threshold,) = by_output[""][""]["multiClassConfusionMatrixAtThresholds"]["matrices"]
    counts = np.zeros((classes, classes), np.int64)
    for entry in matrix_by_threshold["entries"]:
        # Zeros are left out of what TFMA writes.
        counts[entry.get("actualClassId", 0), entry.get("predictedClassId", 0)] = entry["numWeightedExamples"]
    return counts


def checks(evaluation: str) -> list[Check]:
    """Each threshold with what was measured, from the evaluation's folder."""
    candidate = _load(evaluation)
    found = []
    for measured in (metric for spec in candidate.config.metrics_specs for metric in spec.metrics):
        for limit in measured.per_slice_thresholds:
            metric = json.loads(measured.config)["name"]
            # In an evaluation of an earlier release, a class may have a threshold too.
            name = limit.slicing_specs[0].feature_values.get(CLASS_NAME, "")
            least = _asked(limit.threshold.value_threshold.lower_bound.value)
            metrics = _metrics(candidate, name)
            value, note = (metrics[metric], "") if metrics else (0.0, "the test split holds no picture of this class")
            found.append(check(metric, name or OVERALL, value, least, note))
            if limit.threshold.HasField("change_threshold"):
                change = value - _metrics(_load(evaluation, BASELINE), name)[metric]
                least = _asked(limit.threshold.change_threshold.absolute.value)
                found.append(check(f"{metric}_change", name or OVERALL, change, least))
    found += [Check(**one) for one in _read(evaluation, _CLASS_CHECKS) or []]
    if (served := _read(evaluation, _SERVED)) is not None:
        answered = Served(**served)
        share = answered.equal / answered.asked
        found.append(Check("served", OVERALL, share, 1.0, answered.passed, answered.problem))
    return found


def write_served(evaluation: str, answered: Served) -> None:
    """Keeps what a server would answer in the evaluation's folder."""
    _write(evaluation, _SERVED, answered._asdict())


def write_class_checks(evaluation: str, found: Sequence[Check]) -> None:
    """Keeps what the gate found of the classes in the evaluation's folder."""
    _write(evaluation, _CLASS_CHECKS, [one._asdict() for one in found])


def check(metric: str, where: str, value: float, least: float, note: str = "") -> Check:
    """A value that is enough if it is no lower than the least one, but for rounding.

    Args:
      metric: as in Check.
      where: the slice.
      value: what was measured.
      least: the threshold.
      note: why the value is not enough whatever it is; empty where it counts.
    """
    return Check(metric, where, value, least, not note and value >= least - ROUNDING, note)


def _asked(least: float) -> float:
    """The threshold as it was asked for, of the one that TFMA has."""
    return round(least + ROUNDING, 9)


def _write(evaluation: str, name: str, content: Any) -> None:
    with tf.io.gfile.GFile(os.path.join(evaluation, name), "w") as file:
        file.write(json.dumps(content))


def _read(evaluation: str, name: str) -> Any:
    path = os.path.join(evaluation, name)
    if not tf.io.gfile.exists(path):  # an evaluation from before there was this check
        return None
    with tf.io.gfile.GFile(path) as file:
        return json.loads(file.read())


def _load(evaluation: str, model: str = CANDIDATE) -> tfma.EvalResult:
    # TFMA drops a model's name where there is only one.
    is_only_one = len(_read(evaluation, "eval_config.json")["evalConfig"]["modelSpecs"]) == 1
    return tfma.load_eval_result(evaluation, model_name=None if is_only_one else model)


def _metrics(result: tfma.EvalResult, class_name: str) -> dict[str, float]:
    where = ((CLASS_NAME, class_name),) if class_name else ()
    values = result.get_metrics_for_slice(where) or {}  # None for a slice without pictures
    return {name: value["doubleValue"] for name, value in values.items() if "doubleValue" in value}
