"""BulkInferrer: predictions for a folder of pictures without classes.

TFX's own takes examples, and hands a model their bytes as they are. This one takes files, and makes of each what
ingestion makes of it.
"""

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import component_spec, standard_artifacts

from components.bulk_inferrer import driver, executor


class BulkInferrerSpec(component_spec.ComponentSpec):
    """What BulkInferrer takes and gives; `BulkInferrer` documents each."""

    PARAMETERS = {
        "data": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "model_blessing": component_spec.ChannelParameter(type=standard_artifacts.ModelBlessing),
        "baseline_model": component_spec.ChannelParameter(type=standard_artifacts.Model, optional=True),
    }
    OUTPUTS = {"inference_result": component_spec.ChannelParameter(type=standard_artifacts.InferenceResult)}


class BulkInferrer(base_beam_component.BaseBeamComponent):
    """Predicts every file of a folder, at any depth: what its folders are called means nothing.

    The model is this run's if it is blessed, else the last blessed one; without either nothing is predicted. Its output
    `inference_result` holds what `executor.Executor` describes. The cache knows the pictures by their content.
    """

    SPEC_CLASS = BulkInferrerSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)
    DRIVER_CLASS = driver.Driver

    def __init__(
        self,
        model: types.BaseChannel,
        model_blessing: types.BaseChannel,
        baseline_model: types.BaseChannel,
        *,
        data: str,
    ) -> None:
        """Declares the step.

        Args:
          model: this run's model.
          model_blessing: whether it is blessed.
          baseline_model: the last blessed model, if any.
          data: the folder of pictures, absolute.
        """
        super().__init__(
            BulkInferrerSpec(
                model=model,
                model_blessing=model_blessing,
                baseline_model=baseline_model,
                data=data,
                inference_result=types.Channel(type=standard_artifacts.InferenceResult),
            )
        )
