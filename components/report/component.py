"""Report: a page for people, from all that the steps before it left."""

from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.types import Artifact
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_artifacts import Examples, ExampleStatistics, Model, ModelBlessing, ModelEvaluation, ModelRun

from common.artifacts import DataIssues
from common.spec_component import SpecComponent
from components.report import driver, executor


class HtmlReport(Artifact):
    """A folder with `report.html`, a page that needs nothing else."""

    TYPE_NAME = "HtmlReport"


class ReportSpec(ComponentSpec):
    """What Report takes and gives."""

    INPUTS = {
        # Pictures, as ImageExampleGen writes them, and StatisticsGen's of them.
        "examples": ChannelParameter(type=Examples),
        "statistics": ChannelParameter(type=ExampleStatistics),
        # FeatureExtractor's.
        "features": ChannelParameter(type=Examples),
        # The candidate, and what its training left.
        "model": ChannelParameter(type=Model),
        "model_run": ChannelParameter(type=ModelRun),
        # Evaluator's.
        "evaluation": ChannelParameter(type=ModelEvaluation),
        "blessing": ChannelParameter(type=ModelBlessing),
        # DataAudit's.
        "data_issues": ChannelParameter(type=DataIssues),
    }
    PARAMETERS = {
        # How the model's pictures become squares: `ingest.resize`.
        "resize": ExecutionParameter(type=str),
        # The run's settings, to be shown, as YAML.
        "configuration": ExecutionParameter(type=str),
    }
    OUTPUTS = {"report": ChannelParameter(type=HtmlReport)}


class Report(SpecComponent):
    """Writes `report.html`: the gate, the model's numbers and mistakes, the data, and how it all came about.

    The file needs nothing else: no network, no script, no other file.
    """

    SPEC_CLASS = ReportSpec
    EXECUTOR_SPEC = ExecutorClassSpec(executor.Executor)
    DRIVER_CLASS = driver.Driver
