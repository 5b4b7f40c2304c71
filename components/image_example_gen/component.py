"""ImageExampleGen: folders or tables of pictures in, examples out."""

from tfx.dsl.components.base.base_beam_component import BaseBeamComponent
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_artifacts import Examples

from common.spec_component import SpecComponent
from components.image_example_gen import driver, executor


class ImageExampleGenSpec(ComponentSpec):
    """What ImageExampleGen takes and gives."""

    INPUTS: dict[str, ChannelParameter] = {}
    PARAMETERS = {
        # The data folder, or a table of labels.
        "data": ExecutionParameter(type=str),
        # Share of train's pictures that becomes the eval or test split where that has no folder, 0 to 1.
        "eval_fraction": ExecutionParameter(type=float),
        "test_fraction": ExecutionParameter(type=float),
        # Larger shares of quarantined files stop the run, 0 to 1.
        "max_quarantined_fraction": ExecutionParameter(type=float),
        # A picture with more is quarantined before it is decoded.
        "max_pixels": ExecutionParameter(type=int),
        # Those of `reading.Options`.
        "layout": ExecutionParameter(type=str),
        "follow_links": ExecutionParameter(type=bool),
        "strict": ExecutionParameter(type=bool),
        # What puts pictures into groups that no cut divides: as `group_names.by_path` has it.
        "group": ExecutionParameter(type=str),
        # The names of `table.Columns`.
        "columns": ExecutionParameter(type=dict),
    }
    # What `executor.Executor` describes.
    OUTPUTS = {"examples": ChannelParameter(type=Examples)}


class ImageExampleGen(SpecComponent, BaseBeamComponent):
    """Reads `root/<class>/*`, `root/{train,eval,test}/<class>/*` or a table; `layout.find` tells what exactly.

    Each file found is used, or counted as a duplicate (the same bytes twice in a class), or quarantined with
    a reason (no whole picture, too large, or the same bytes under two classes); hidden ones and those that are not
    meant to be pictures are only counted. Where neither a folder nor the table gives a split, `cutting.cut` does, by
    the hash of a picture or of its group. The cache knows the data set by its content: a copied or touched folder is
    not read again, a table is if it says something else.
    """

    SPEC_CLASS = ImageExampleGenSpec
    EXECUTOR_SPEC = BeamExecutorSpec(executor.Executor)
    DRIVER_CLASS = driver.Driver
