"""Report: a page for people, from all that the steps before it left."""

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import component_spec, standard_artifacts

from components.report import driver, executor


class HtmlReport(types.Artifact):
    """A folder with `report.html`, a page that needs nothing else."""

    TYPE_NAME = "HtmlReport"


class ReportSpec(component_spec.ComponentSpec):
    """What Report takes and gives; `Report` documents each."""

    PARAMETERS = {
        "configuration": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "statistics": component_spec.ChannelParameter(type=standard_artifacts.ExampleStatistics),
        "features": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "model_run": component_spec.ChannelParameter(type=standard_artifacts.ModelRun),
        "evaluation": component_spec.ChannelParameter(type=standard_artifacts.ModelEvaluation),
        "blessing": component_spec.ChannelParameter(type=standard_artifacts.ModelBlessing),
    }
    OUTPUTS = {"report": component_spec.ChannelParameter(type=HtmlReport)}


class Report(base_component.BaseComponent):
    """Writes `report.html`: the gate, the model's numbers and mistakes, the data, and how it all came about.

    The file needs nothing else: no network, no script, no other file.
    """

    SPEC_CLASS = ReportSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)
    DRIVER_CLASS = driver.Driver

    def __init__(
        self,
        examples: types.BaseChannel,
        statistics: types.BaseChannel,
        features: types.BaseChannel,
        model: types.BaseChannel,
        model_run: types.BaseChannel,
        evaluation: types.BaseChannel,
        blessing: types.BaseChannel,
        *,
        configuration: str,
    ) -> None:
        """Declares the step.

        Args:
          examples: pictures, as ImageExampleGen writes them.
          statistics: StatisticsGen's.
          features: FeatureExtractor's.
          model: the candidate.
          model_run: what its training left.
          evaluation: Evaluator's.
          blessing: Evaluator's verdict.
          configuration: the run's settings, to be shown, as YAML.
        """
        super().__init__(
            ReportSpec(
                examples=examples,
                statistics=statistics,
                features=features,
                model=model,
                model_run=model_run,
                evaluation=evaluation,
                blessing=blessing,
                configuration=configuration,
                report=types.Channel(type=HtmlReport),
            )
        )
