"""FeatureExtractor: runs each picture through the frozen layers once, so that training need not."""

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import component_spec, standard_artifacts

from components.feature_extractor import driver, executor
from components.feature_extractor.augmentation import Augmentation


class FeatureExtractorSpec(component_spec.ComponentSpec):
    """What FeatureExtractor takes and gives; `FeatureExtractor` documents each."""

    PARAMETERS = {
        "backbone": component_spec.ExecutionParameter(type=str),
        "weights": component_spec.ExecutionParameter(type=str),
        "image_size": component_spec.ExecutionParameter(type=int),
        "fine_tune": component_spec.ExecutionParameter(type=int),
        "fine_tune_at": component_spec.ExecutionParameter(type=int),
        "views": component_spec.ExecutionParameter(type=int),
        "flip": component_spec.ExecutionParameter(type=int),
        "rotation": component_spec.ExecutionParameter(type=float),
        "zoom": component_spec.ExecutionParameter(type=float),
        "precision": component_spec.ExecutionParameter(type=str),
        "batch_size": component_spec.ExecutionParameter(type=int),
        "seed": component_spec.ExecutionParameter(type=int),
    }
    INPUTS = {
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "transform_graph": component_spec.ChannelParameter(type=standard_artifacts.TransformGraph),
    }
    OUTPUTS = {"features": component_spec.ChannelParameter(type=standard_artifacts.Examples)}


class FeatureExtractor(base_beam_component.BaseBeamComponent):
    """Applies the Transform graph, the augmentation and the frozen layers to the train and eval splits.

    Its output `features` holds what `modeling.features` describes.
    """

    SPEC_CLASS = FeatureExtractorSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)
    DRIVER_CLASS = driver.Driver

    def __init__(
        self,
        examples: types.BaseChannel,
        transform_graph: types.BaseChannel,
        *,
        backbone: str,
        weights: str,
        image_size: int,
        fine_tune: bool,
        fine_tune_at: int | None,
        views: int,
        augmentation: Augmentation,
        precision: str,
        batch_size: int,
        seed: int,
    ) -> None:
        """Declares the step.

        Args:
          examples: pictures, as ImageExampleGen writes them.
          transform_graph: the graph from a picture's bytes to a tensor.
          backbone: name of a class of `keras.applications`.
          weights: "imagenet", "random" or the path of a weights file.
          image_size: side of the pictures in pixels.
          fine_tune: whether stage 2 follows, which needs the activations at the boundary.
          fine_tune_at: index of the first layer that stage 2 trains; None for the backbone's last stage.
          views: augmented views of each training picture; 0 for the picture itself alone.
          augmentation: limits of the augmentation.
          precision: "auto", "float32" or "bfloat16".
          batch_size: pictures in one forward pass.
          seed: seed of the augmentation and, for random weights, of these.
        """
        super().__init__(
            FeatureExtractorSpec(
                examples=examples,
                transform_graph=transform_graph,
                backbone=backbone,
                weights=weights,
                image_size=image_size,
                fine_tune=int(fine_tune),
                # Parameters in the metadata store have no null.
                fine_tune_at=-1 if fine_tune_at is None else fine_tune_at,
                views=views,
                flip=int(augmentation.flip),
                rotation=augmentation.rotation,
                zoom=augmentation.zoom,
                precision=precision,
                batch_size=batch_size,
                seed=seed,
                features=types.Channel(type=standard_artifacts.Examples),
            )
        )
