"""ImageExampleGen: folders of pictures in, examples out."""

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import component_spec, standard_artifacts

from components.image_example_gen import driver, executor


class ImageExampleGenSpec(component_spec.ComponentSpec):
    """What ImageExampleGen takes and gives; `ImageExampleGen` documents each."""

    PARAMETERS = {
        "data": component_spec.ExecutionParameter(type=str),
        "eval_fraction": component_spec.ExecutionParameter(type=float),
        "test_fraction": component_spec.ExecutionParameter(type=float),
        "max_quarantined_fraction": component_spec.ExecutionParameter(type=float),
        "max_pixels": component_spec.ExecutionParameter(type=int),
    }
    INPUTS: dict[str, component_spec.ChannelParameter] = {}
    OUTPUTS = {"examples": component_spec.ChannelParameter(type=standard_artifacts.Examples)}


class ImageExampleGen(base_beam_component.BaseBeamComponent):
    """Reads `root/<class>/*` or `root/{train,eval,test}/<class>/*`; `layout.find` tells what exactly.

    Each file found is used, or counted as a duplicate (the same bytes twice in a class), or quarantined with
    a reason (no whole picture, too large, or the same bytes under two classes). Pictures go to splits by the
    hash of their bytes where a split has no folder. The output `examples` holds what `executor.Executor`
    describes. The cache knows the data set by its content: a copied or touched folder is not read again.
    """

    SPEC_CLASS = ImageExampleGenSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)
    DRIVER_CLASS = driver.Driver

    def __init__(
        self,
        data: str,
        *,
        eval_fraction: float,
        test_fraction: float,
        max_quarantined_fraction: float,
        max_pixels: int,
    ) -> None:
        """Declares the step.

        Args:
          data: the data folder.
          eval_fraction: share of train's pictures that becomes the eval split where it has no folder, 0 to 1.
          test_fraction: the same for the test split.
          max_quarantined_fraction: larger shares of quarantined files stop the run, 0 to 1.
          max_pixels: a picture with more is quarantined before it is decoded.
        """
        super().__init__(
            ImageExampleGenSpec(
                data=data,
                eval_fraction=float(eval_fraction),
                test_fraction=float(test_fraction),
                max_quarantined_fraction=float(max_quarantined_fraction),
                max_pixels=max_pixels,
                examples=types.Channel(type=standard_artifacts.Examples),
            )
        )
