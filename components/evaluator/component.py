"""Evaluator: TFMA through the serving signature on the test split's original bytes, and the gate.

TFX's own Evaluator takes its configuration when the pipeline is built. Metrics a class and slices a class need the
class names, which only the data tells, so this one builds the configuration when it runs.
"""

import json
from collections.abc import Mapping

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import component_spec, standard_artifacts

from components.evaluator import executor


class EvaluatorSpec(component_spec.ComponentSpec):
    """What Evaluator takes and gives; `Evaluator` documents each."""

    PARAMETERS = {
        "min_accuracy": component_spec.ExecutionParameter(type=float),
        "max_accuracy_drop": component_spec.ExecutionParameter(type=float),
        "slices": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "baseline_model": component_spec.ChannelParameter(type=standard_artifacts.Model, optional=True),
        "baseline_blessing": component_spec.ChannelParameter(type=standard_artifacts.ModelBlessing, optional=True),
    }
    OUTPUTS = {
        "evaluation": component_spec.ChannelParameter(type=standard_artifacts.ModelEvaluation),
        "blessing": component_spec.ChannelParameter(type=standard_artifacts.ModelBlessing),
    }


class Evaluator(base_beam_component.BaseBeamComponent):
    """Measures a model on the test split and blesses it if it passes each threshold and answers in a server."""

    SPEC_CLASS = EvaluatorSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        model: types.BaseChannel,
        baseline_model: types.BaseChannel,
        baseline_blessing: types.BaseChannel,
        *,
        min_accuracy: float,
        max_accuracy_drop: float,
        slices: Mapping[str, float],
    ) -> None:
        """Declares the step.

        Args:
          examples: pictures, with a test split.
          model: the candidate.
          baseline_model: the last blessed model, if any. One of other classes is not compared with.
          baseline_blessing: its blessing, which tells where the model was if that is gone.
          min_accuracy: least accuracy on the whole test split, 0 to 1.
          max_accuracy_drop: how far accuracy may lie below the baseline's, 0 to 1.
          slices: least accuracy on the test pictures of a class, by class name.
        """
        super().__init__(
            EvaluatorSpec(
                examples=examples,
                model=model,
                baseline_model=baseline_model,
                baseline_blessing=baseline_blessing,
                min_accuracy=min_accuracy,
                max_accuracy_drop=max_accuracy_drop,
                slices=json.dumps(dict(slices), sort_keys=True),
                evaluation=types.Channel(type=standard_artifacts.ModelEvaluation),
                blessing=types.Channel(type=standard_artifacts.ModelBlessing),
            )
        )
