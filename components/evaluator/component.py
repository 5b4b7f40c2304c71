"""Evaluator: TFMA through the serving signature on the test split's original bytes, and the gate.

TFX's own Evaluator takes its configuration when the pipeline is built. Metrics a class and slices a class need the
class names, which only the data tells, so this one builds the configuration when it runs.
"""

from tfx.dsl.components.base.base_beam_component import BaseBeamComponent
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_artifacts import Examples, Model, ModelBlessing, ModelEvaluation

from common.spec_component import SpecComponent
from components.evaluator import executor


class EvaluatorSpec(ComponentSpec):
    """What Evaluator takes and gives."""

    INPUTS = {
        # Pictures, with a test split.
        "examples": ChannelParameter(type=Examples),
        # The candidate.
        "model": ChannelParameter(type=Model),
        # The last blessed model, if any. One of other classes is not compared with.
        "baseline_model": ChannelParameter(type=Model, optional=True),
        # Its blessing, which says where the model was if its files are gone.
        "baseline_blessing": ChannelParameter(type=ModelBlessing, optional=True),
        # The evaluation that led to it, whose predictions are not computed again.
        "baseline_evaluation": ChannelParameter(type=ModelEvaluation, optional=True),
    }
    PARAMETERS = {
        # Least accuracy on the whole test split, 0 to 1.
        "min_accuracy": ExecutionParameter(type=float),
        # How far accuracy may lie below the baseline's, 0 to 1.
        "max_accuracy_drop": ExecutionParameter(type=float),
        # Least mean of the classes' accuracies, and least accuracy of each class, 0 to 1. Not checked where left out.
        "min_balanced_accuracy": ExecutionParameter(type=float, optional=True),
        "min_class_accuracy": ExecutionParameter(type=float, optional=True),
        # Least accuracy on the test pictures of a class, by class name.
        "slices": ExecutionParameter(type=dict),
    }
    OUTPUTS = {
        "evaluation": ChannelParameter(type=ModelEvaluation),
        "blessing": ChannelParameter(type=ModelBlessing),
    }


class Evaluator(SpecComponent, BaseBeamComponent):
    """Measures a model on the test split and blesses it if it passes each threshold and answers in a server."""

    SPEC_CLASS = EvaluatorSpec
    EXECUTOR_SPEC = BeamExecutorSpec(executor.Executor)
