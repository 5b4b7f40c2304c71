"""What Evaluator does: TFMA's evaluation with thresholds, and a question to the model as a server would ask it."""

import itertools
import json
import os
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from tfx import types
from tfx.components.evaluator import constants
from tfx.components.evaluator import executor as tfx_evaluator
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils

from common import escaping, example_records
from common import labels as labels_file
from common.examples import TEST
from components.evaluator import extractors, gate
from components.evaluator.eval_config import eval_config
from modeling import devices, evaluations, probabilities, served
from modeling.evaluations import BASELINE_NOTE

_SERVED_PICTURES = 8  # enough to tell weights from no weights; the check shall take seconds


class Executor(tfx_evaluator.Executor):
    """TFX's executor, with a configuration made from the model's classes."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Evaluates and blesses or not. The arguments are TFX's; their keys are those of EvaluatorSpec."""
        devices.configure()
        classes = _classes(input_dict["model"])
        baseline = input_dict.get("baseline_model") or []
        note = _incomparable(classes, baseline) or _gone(baseline, input_dict.get("baseline_blessing") or [])
        if note:
            baseline = []
        slices = exec_properties["slices"]
        gate.check_names(slices, classes)
        config = eval_config(
            exec_properties["min_accuracy"], exec_properties["max_accuracy_drop"], has_baseline=bool(baseline)
        )
        evaluation = artifact_utils.get_single_instance(output_dict["evaluation"])
        kept = _kept(input_dict.get("baseline_evaluation") or [], baseline)
        with probabilities.kept_in(evaluation.uri, kept):
            super().Do(
                {**input_dict, "baseline_model": baseline},
                output_dict,
                {
                    "eval_config": json_format.MessageToJson(config),
                    "example_splits": json.dumps([TEST]),
                    "custom_extractors": f"{extractors.__name__}.extractors",
                },
            )
        probabilities.sign(evaluation.uri, _directory(input_dict["model"]))
        evaluation.set_string_custom_property(BASELINE_NOTE, note)
        answered = _serve(input_dict, evaluation.uri, classes)
        evaluations.write_served(evaluation.uri, answered)
        of_classes = gate.checks(
            evaluations.confusion_matrix(evaluation.uri, len(classes)),
            classes,
            slices,
            exec_properties.get("min_balanced_accuracy"),
            exec_properties.get("min_class_accuracy"),
        )
        evaluations.write_class_checks(evaluation.uri, of_classes)
        if not (answered.passed and all(check.passed for check in of_classes)):
            _refuse(artifact_utils.get_single_instance(output_dict["blessing"]))


def _serve(input_dict: dict[str, list[types.Artifact]], evaluation: str, classes: list[str]) -> served.Served:
    """Asks the model as a server would about the first test pictures: it has to say what the evaluation saw."""
    test = example_records.read(artifact_utils.get_single_uri(input_dict["examples"]), TEST)
    examples = list(itertools.islice(test, _SERVED_PICTURES))
    evaluated = probabilities.of_candidate(evaluation, {example.sha256 for example in examples})
    expected = np.array([evaluated[example.sha256] for example in examples], np.float32)
    images = [example.image for example in examples]
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
    others = ", ".join(map(escaping.escape, _classes(baseline)))
    return f"not compared with the last blessed model: its classes are {others}"


def _kept(evaluation: list[types.Artifact], baseline: list[types.Artifact]) -> str:
    """Folder of the evaluation in which the baseline was blessed, if it keeps what the baseline would say here."""
    if not (baseline and evaluation and probabilities.are_of(evaluation[0].uri, _directory(baseline))):
        return ""
    return str(evaluation[0].uri)


def _gone(baseline: list[types.Artifact], blessing: list[types.Artifact]) -> str:
    """Why there is no baseline though a model was blessed; empty where there is one or none was."""
    if baseline or not blessing:
        return ""
    model = blessing[0].get_string_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY)
    return f"not compared with the last blessed model: it is gone from {escaping.escape(model)}"
