"""BulkInferrer: predictions for a folder of pictures without classes.

TFX's own takes examples, and hands a model their bytes as they are. This one takes files, and makes of each what
ingestion makes of it.
"""

from tfx.dsl.components.base.base_beam_component import BaseBeamComponent
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_artifacts import InferenceResult, Model, ModelBlessing

from common.spec_component import SpecComponent
from components.bulk_inferrer import driver, executor


class BulkInferrerSpec(ComponentSpec):
    """What BulkInferrer takes and gives."""

    INPUTS = {
        # This run's model, and whether it is blessed.
        "model": ChannelParameter(type=Model),
        "model_blessing": ChannelParameter(type=ModelBlessing),
        # The last blessed model, if any.
        "baseline_model": ChannelParameter(type=Model, optional=True),
    }
    PARAMETERS = {
        # The folder of pictures, absolute.
        "data": ExecutionParameter(type=str),
    }
    # What `executor.Executor` describes.
    OUTPUTS = {"inference_result": ChannelParameter(type=InferenceResult)}


class BulkInferrer(SpecComponent, BaseBeamComponent):
    """Predicts every file of a folder, at any depth: what its folders are called means nothing.

    The model is this run's if it is blessed, else the last blessed one; without either nothing is predicted. The cache
    knows the pictures by their content.
    """

    SPEC_CLASS = BulkInferrerSpec
    EXECUTOR_SPEC = BeamExecutorSpec(executor.Executor)
    DRIVER_CLASS = driver.Driver
