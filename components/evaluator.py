"""Evaluator: TFMA through the serving signature on the test split's original bytes, and the gate.

TFX's own Evaluator takes its configuration when the pipeline is built. Metrics a class and slices a class need the
class names, which only the data tells, so this one builds the configuration when it runs.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import tensorflow_model_analysis as tfma
from google.protobuf import json_format
from tfx import types
from tfx.components.evaluator import executor as tfx_evaluator
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import artifact_utils, component_spec, standard_artifacts
from tfx.utils import path_utils

from components import labels as labels_file
from components.errors import UserError
from components.trainer.serving import ASSETS, SERVE_EXAMPLES

TEST_SPLIT = "test"
CLASS_NAME = "class_name"
BASELINE_NOTE = "baseline_note"
_ACCURACY = "SparseCategoricalAccuracy"
_CANDIDATE = "candidate"
_ROUNDING = 1e-6
_BASELINE = "baseline"


class EvaluatorSpec(component_spec.ComponentSpec):
    """What Evaluator takes and gives; `Evaluator` documents each."""

    PARAMETERS = {
        "min_accuracy": component_spec.ExecutionParameter(type=float),
        "max_accuracy_drop": component_spec.ExecutionParameter(type=float),
        "slices": component_spec.ExecutionParameter(type=str),
        "code_fingerprint": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "baseline_model": component_spec.ChannelParameter(type=standard_artifacts.Model, optional=True),
    }
    OUTPUTS = {
        "evaluation": component_spec.ChannelParameter(type=standard_artifacts.ModelEvaluation),
        "blessing": component_spec.ChannelParameter(type=standard_artifacts.ModelBlessing),
    }


class Executor(tfx_evaluator.Executor):
    """TFX's executor, with a configuration made from the model's classes."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Evaluates and blesses or not. The arguments are TFX's; their keys are those of EvaluatorSpec."""
        classes = _classes(input_dict["model"])
        baseline = input_dict.get("baseline_model") or []
        note = _incomparable(classes, baseline)
        if note:
            baseline = []
        config = eval_config(
            classes,
            exec_properties["min_accuracy"],
            exec_properties["max_accuracy_drop"],
            json.loads(exec_properties["slices"]),
            has_baseline=bool(baseline),
        )
        super().Do(
            {**input_dict, "baseline_model": baseline},
            output_dict,
            {
                "eval_config": json_format.MessageToJson(config),
                "example_splits": json.dumps([TEST_SPLIT]),
            },
        )
        evaluation = artifact_utils.get_single_instance(output_dict["evaluation"])
        evaluation.set_string_custom_property(BASELINE_NOTE, note)


class Evaluator(base_beam_component.BaseBeamComponent):
    """Measures a model on the test split and blesses it if it passes each threshold."""

    SPEC_CLASS = EvaluatorSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        model: types.BaseChannel,
        baseline_model: types.BaseChannel,
        *,
        min_accuracy: float,
        max_accuracy_drop: float,
        slices: Mapping[str, float],
        code_fingerprint: str,
    ) -> None:
        """Declares the step.

        Args:
          examples: pictures, with a test split.
          model: the candidate.
          baseline_model: the last blessed model, if any. One of other classes is not compared with.
          min_accuracy: least accuracy on the whole test split, 0 to 1.
          max_accuracy_drop: how far accuracy may lie below the baseline's, 0 to 1.
          slices: least accuracy on the test pictures of a class, by class name.
          code_fingerprint: identifies the code that this step runs.
        """
        super().__init__(
            EvaluatorSpec(
                examples=examples,
                model=model,
                baseline_model=baseline_model,
                min_accuracy=min_accuracy,
                max_accuracy_drop=max_accuracy_drop,
                slices=json.dumps(dict(slices), sort_keys=True),
                code_fingerprint=code_fingerprint,
                evaluation=types.Channel(type=standard_artifacts.ModelEvaluation),
                blessing=types.Channel(type=standard_artifacts.ModelBlessing),
            )
        )


def eval_config(
    classes: list[str],
    min_accuracy: float,
    max_accuracy_drop: float,
    slices: Mapping[str, float],
    has_baseline: bool,
) -> tfma.EvalConfig:
    """TFMA's configuration for a classifier of these classes.

    Args:
      classes: names by class id.
      min_accuracy: as in `Evaluator`, like the next two.
      max_accuracy_drop: as in `Evaluator`.
      slices: as in `Evaluator`.
      has_baseline: whether a baseline takes part.

    Raises:
      UserError: `slices` names an unknown class.
    """
    unknown = sorted(set(slices) - set(classes))
    if unknown:
        raise UserError(f"gate.slices: {unknown[0]!r} is no class; expected one of {', '.join(map(repr, classes))}")
    model = {"signature_name": SERVE_EXAMPLES, "label_key": "label", "prediction_key": "probabilities"}
    models = [tfma.ModelSpec(name=_CANDIDATE, **model)]
    if has_baseline:
        models.append(tfma.ModelSpec(name=_BASELINE, is_baseline=True, **model))
    return tfma.EvalConfig(
        model_specs=models,
        slicing_specs=[tfma.SlicingSpec(), tfma.SlicingSpec(feature_keys=[CLASS_NAME])],
        metrics_specs=[
            tfma.MetricsSpec(
                metrics=[
                    tfma.MetricConfig(class_name="ExampleCount"),
                    tfma.MetricConfig(
                        class_name=_ACCURACY,
                        config='{"name": "accuracy"}',
                        per_slice_thresholds=[
                            _threshold(tfma.SlicingSpec(), min_accuracy, max_accuracy_drop if has_baseline else None),
                            *(
                                _threshold(tfma.SlicingSpec(feature_values={CLASS_NAME: name}), floor, None)
                                for name, floor in sorted(slices.items())
                            ),
                        ],
                    ),
                    tfma.MetricConfig(class_name="SparseCategoricalCrossentropy", config='{"name": "loss"}'),
                    tfma.MetricConfig(class_name="MultiClassConfusionMatrixPlot"),
                ]
            ),
            tfma.MetricsSpec(
                binarize=tfma.BinarizationOptions(class_ids={"values": range(len(classes))}),
                metrics=[
                    tfma.MetricConfig(class_name="Precision", config='{"name": "precision", "top_k": 1}'),
                    tfma.MetricConfig(class_name="Recall", config='{"name": "recall", "top_k": 1}'),
                    tfma.MetricConfig(class_name="AUC", config='{"name": "auc"}'),
                ],
            ),
        ],
    )


class Check(NamedTuple):
    """One threshold of the gate.

    Attributes:
      metric: "accuracy", or "accuracy_change" for the difference to the last blessed model's.
      slice: "overall", or the class whose test pictures count.
      value: what was measured.
      threshold: the least value that passes.
      passed: whether it does.
    """

    metric: str
    slice: str
    value: float
    threshold: float
    passed: bool


def overall_metrics(evaluation: str) -> dict[str, float]:
    """The candidate's metrics on the whole test split, by name, from the evaluation's folder."""
    return _metrics(_load(evaluation), "")


def checks(evaluation: str) -> list[Check]:
    """Each threshold with what was measured, from the evaluation's folder."""
    candidate = _load(evaluation)
    found = []
    for metric in (metric for spec in candidate.config.metrics_specs for metric in spec.metrics):
        for limit in metric.per_slice_thresholds:
            name = limit.slicing_specs[0].feature_values.get(CLASS_NAME, "")
            value = _metrics(candidate, name)["accuracy"]
            found.append(_check("accuracy", name, value, limit.threshold.value_threshold.lower_bound.value))
            if limit.threshold.HasField("change_threshold"):
                change = value - _metrics(_load(evaluation, _BASELINE), name)["accuracy"]
                found.append(_check("accuracy_change", name, change, limit.threshold.change_threshold.absolute.value))
    return found


def _check(metric: str, class_name: str, value: float, least: float) -> Check:
    return Check(metric, class_name or "overall", value, round(least + _ROUNDING, 9), value >= least)


def _load(evaluation: str, model: str = _CANDIDATE) -> tfma.EvalResult:
    # TFMA drops a model's name where there is only one.
    is_only_one = len(tfma.load_eval_result(evaluation).config.model_specs) == 1
    return tfma.load_eval_result(evaluation, model_name=None if is_only_one else model)


def _metrics(result: tfma.EvalResult, class_name: str) -> dict[str, float]:
    where = ((CLASS_NAME, class_name),) if class_name else ()
    values = result.get_metrics_for_slice(where)
    return {name: value["doubleValue"] for name, value in values.items() if "doubleValue" in value}


def _threshold(
    where: tfma.SlicingSpec, floor: float, max_drop: float | None
) -> tfma.PerSliceMetricThreshold:
    # TFMA computes accuracies in float32, where 19 of 20 is a little less than 0.95.
    threshold = tfma.MetricThreshold(value_threshold={"lower_bound": {"value": floor - _ROUNDING}})
    if max_drop is not None:
        threshold.change_threshold.direction = tfma.MetricDirection.HIGHER_IS_BETTER
        threshold.change_threshold.absolute.value = -max_drop - _ROUNDING
    return tfma.PerSliceMetricThreshold(slicing_specs=[where], threshold=threshold)


def _classes(model: list[types.Artifact]) -> list[str]:
    directory = path_utils.serving_model_path(artifact_utils.get_single_uri(model))
    return labels_file.read_labels(f"{directory}/{ASSETS}")


def _incomparable(classes: list[str], baseline: list[types.Artifact]) -> str:
    """Why a baseline cannot be compared with; empty where it can or there is none."""
    if not baseline or _classes(baseline) == classes:
        return ""
    return f"not compared with the last blessed model: its classes are {', '.join(_classes(baseline))}"
