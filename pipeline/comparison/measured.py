"""What the steps left of one backbone."""

import os
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tfx.utils import path_utils

from common.lineage import Lineage
from components.report import numbers
from components.report.driver import step_seconds
from modeling import evaluations, probabilities
from modeling.probabilities import Predictions
from pipeline.engine.runner import Step
from pipeline.engine.store import as_tfx

# The steps whose time depends on the backbone, as columns name them.
TIMED = {"FeatureExtractor": "features", "Trainer": "training", "Evaluator": "evaluation"}


class Measured(NamedTuple):
    """One backbone. Paths are local.

    Attributes:
      name: a key of `BACKBONES`.
      accuracy: on the test split.
      loss: the same, 0 or more.
      passed: whether it reaches the thresholds of the gate.
      seconds: wall time of each step of TIMED when it last ran, by its name there.
      parameters: numbers in the whole classifier, trained or not.
      bytes: size of the SavedModel's files.
      predictions: of the test pictures.
      saved_model: its folder.
      examples: folder of the examples; the same for all backbones.
    """

    name: str
    accuracy: numbers.Share
    loss: float
    passed: bool
    seconds: dict[str, float]
    parameters: int
    bytes: int
    predictions: Predictions
    saved_model: str
    examples: str


def read(name: str, steps: Iterable[Step], lineage: Lineage) -> Measured:
    """Reads it from the metadata store and the artifacts.

    Args:
      name: the backbone's.
      steps: of its pipeline, complete.
      lineage: the store that they are in.
    """
    found = {step.name: as_tfx(lineage, lineage.outputs(step.execution_id)) for step in steps}
    evaluation, blessing = (found["Evaluator"][key][0] for key in ("evaluation", "blessing"))
    saved_model = path_utils.serving_model_path(found["Trainer"]["model"][0].uri)
    predictions = probabilities.read(evaluation.uri)
    right = int((predictions.probabilities.argmax(axis=1) == predictions.labels).sum())
    seconds = step_seconds(lineage, [evaluation.id])
    return Measured(
        name=name,
        accuracy=numbers.share(right, len(predictions.labels)),
        loss=evaluations.overall_metrics(evaluation.uri)["loss"],
        passed=blessing.get_int_custom_property("blessed") == 1,
        seconds={title: seconds[step] for step, title in TIMED.items()},
        parameters=_parameters(saved_model),
        bytes=sum(os.path.getsize(os.path.join(at, file)) for at, _, files in os.walk(saved_model) for file in files),
        predictions=predictions,
        saved_model=saved_model,
        examples=found["ImageExampleGen"]["examples"][0].uri,
    )


def _parameters(saved_model: str) -> int:
    """Read from the index of the saved variables. Those that are no floats are the state of random generators."""
    variables = tf.train.load_checkpoint(os.path.join(saved_model, "variables", "variables"))
    shapes = variables.get_variable_to_shape_map()
    kinds = variables.get_variable_to_dtype_map()
    return sum(int(np.prod(shape)) for name, shape in shapes.items() if kinds[name].is_floating)
