"""DataAudit: what may be wrong with the data."""

from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_artifacts import Examples, ModelEvaluation

from common.artifacts import DataIssues
from common.spec_component import SpecComponent
from components.data_audit import executor


class DataAuditSpec(ComponentSpec):
    """What DataAudit takes and gives."""

    INPUTS = {
        # Pictures, as ImageExampleGen writes them.
        "examples": ChannelParameter(type=Examples),
        # FeatureExtractor's, of the train and eval splits.
        "features": ChannelParameter(type=Examples),
        # Evaluator's, with the probabilities of the test split.
        "evaluation": ChannelParameter(type=ModelEvaluation),
    }
    PARAMETERS = {
        # Of the folds.
        "seed": ExecutionParameter(type=int),
    }
    # What `common.data_issues` describes.
    OUTPUTS = {"data_issues": ChannelParameter(type=DataIssues)}


class DataAudit(SpecComponent):
    """Lists pictures that deserve a look. It changes nothing, and only Report reads the lists."""

    SPEC_CLASS = DataAuditSpec
    EXECUTOR_SPEC = ExecutorClassSpec(executor.Executor)
