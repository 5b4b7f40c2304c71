"""FeatureExtractor: runs each picture through the frozen layers once, so that training need not."""

from tfx.dsl.components.base.base_beam_component import BaseBeamComponent
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_artifacts import Examples, TransformGraph

from common.spec_component import SpecComponent
from components.feature_extractor import driver, executor


class FeatureExtractorSpec(ComponentSpec):
    """What FeatureExtractor takes and gives."""

    INPUTS = {
        # Pictures, as ImageExampleGen writes them.
        "examples": ChannelParameter(type=Examples),
        # The graph from a picture's bytes to a tensor.
        "transform_graph": ChannelParameter(type=TransformGraph),
    }
    PARAMETERS = {
        # Name of a class of `keras.applications`.
        "backbone": ExecutionParameter(type=str),
        # "imagenet", "random" or the path of a weights file.
        "weights": ExecutionParameter(type=str),
        # Side of the pictures in pixels.
        "image_size": ExecutionParameter(type=int),
        # Whether stage 2 follows, which needs the activations at the boundary.
        "fine_tune": ExecutionParameter(type=bool),
        # Index of the first layer that stage 2 trains; None for the backbone's last stage.
        "fine_tune_at": ExecutionParameter(type=int, optional=True),
        # Augmented views of each training picture; 0 for the picture itself alone.
        "augmentation_views": ExecutionParameter(type=int),
        # How far a view may stray from its picture, as `augmentation.Augmentation` has it.
        "flip": ExecutionParameter(type=bool),
        "rotation": ExecutionParameter(type=float),
        "zoom": ExecutionParameter(type=float),
        # "auto", "tensorflow" or "ncnn".
        "engine": ExecutionParameter(type=str),
        # "auto", "float32" or "bfloat16".
        "precision": ExecutionParameter(type=str),
        # Pictures in one forward pass.
        "batch_size": ExecutionParameter(type=int),
        # Of the augmentation and, for random weights, of these.
        "seed": ExecutionParameter(type=int),
    }
    # What `modeling.features` describes.
    OUTPUTS = {"features": ChannelParameter(type=Examples)}


class FeatureExtractor(SpecComponent, BaseBeamComponent):
    """Applies the Transform graph, the augmentation and the frozen layers to the train and eval splits."""

    SPEC_CLASS = FeatureExtractorSpec
    EXECUTOR_SPEC = BeamExecutorSpec(executor.Executor)
    DRIVER_CLASS = driver.Driver
