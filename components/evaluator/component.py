"""Evaluator: TFMA through the serving signature on the test split's original bytes, and the gate.

TFX's own Evaluator takes its configuration when the pipeline is built. Metrics a class and slices a class need the
class names, which only the data tells, so this one builds the configuration when it runs.
"""

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from tfx import types
from tfx.components.evaluator import constants
from tfx.components.evaluator import executor as tfx_evaluator
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import artifact_utils, component_spec, standard_artifacts
from tfx.utils import io_utils, path_utils

from components import labels as labels_file
from components import names, served
from components.evaluator import extractors, predictions, results
from components.evaluator.config import eval_config

TEST_SPLIT = "test"
BASELINE_NOTE = "baseline_note"
_SERVED_PICTURES = 8  # enough to tell weights from no weights; the check shall take seconds


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
        evaluation = artifact_utils.get_single_instance(output_dict["evaluation"])
        with predictions.kept_in(evaluation.uri):
            super().Do(
                {**input_dict, "baseline_model": baseline},
                output_dict,
                {
                    "eval_config": json_format.MessageToJson(config),
                    "example_splits": json.dumps([TEST_SPLIT]),
                    "custom_extractors": f"{extractors.__name__}.extractors",
                },
            )
        evaluation.set_string_custom_property(BASELINE_NOTE, note)
        answered = _serve(input_dict, evaluation.uri, classes)
        results.write_served(evaluation.uri, answered)
        if not answered.passed:
            _refuse(artifact_utils.get_single_instance(output_dict["blessing"]))


class Evaluator(base_beam_component.BaseBeamComponent):
    """Measures a model on the test split and blesses it if it passes each threshold and answers in a server."""

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


def _serve(input_dict: dict[str, list[types.Artifact]], evaluation: str, classes: list[str]) -> served.Served:
    """Asks the model as a server would about the first test pictures: it has to say what the evaluation saw."""
    split = artifact_utils.get_split_uri(input_dict["examples"], TEST_SPLIT)
    examples = tf.data.TFRecordDataset(sorted(tf.io.gfile.glob(f"{split}/*"))).take(_SERVED_PICTURES)
    features = [tf.train.Example.FromString(one).features.feature for one in examples.as_numpy_iterator()]
    images, sha256s = ([one[key].bytes_list.value[0] for one in features] for key in ("image", "sha256"))
    evaluated = predictions.find(evaluation, set(sha256s))
    expected = np.array([evaluated[sha256] for sha256 in sha256s], np.float32)
    return served.check(_directory(input_dict["model"]), images, expected, classes)


def _refuse(blessing: types.Artifact) -> None:
    """Takes back what TFX has blessed."""
    file = os.path.join(blessing.uri, constants.BLESSED_FILE_NAME)
    if tf.io.gfile.exists(file):
        tf.io.gfile.remove(file)
    io_utils.write_string_file(os.path.join(blessing.uri, constants.NOT_BLESSED_FILE_NAME), "")
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, constants.NOT_BLESSED_VALUE)


def _directory(model: list[types.Artifact]) -> str:
    return path_utils.serving_model_path(artifact_utils.get_single_uri(model))


def _classes(model: list[types.Artifact]) -> list[str]:
    directory = _directory(model)
    return labels_file.read_labels(f"{directory}/{labels_file.ASSETS}")


def _incomparable(classes: list[str], baseline: list[types.Artifact]) -> str:
    """Why a baseline cannot be compared with; empty where it can or there is none."""
    if not baseline or _classes(baseline) == classes:
        return ""
    others = ", ".join(map(names.escape, _classes(baseline)))
    return f"not compared with the last blessed model: its classes are {others}"
