"""ExampleValidator: TFX's, but examples that the run has no use for stop it with the reason."""

from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_artifacts import ExampleAnomalies, ExampleStatistics, Schema

from common.spec_component import SpecComponent
from components.example_validator import executor


class ExampleValidatorSpec(ComponentSpec):
    """What ExampleValidator takes and gives."""

    INPUTS = {
        # Of each split.
        "statistics": ChannelParameter(type=ExampleStatistics),
        # The curated one.
        "schema": ChannelParameter(type=Schema),
    }
    PARAMETERS = {
        # Names of the classes whose accuracy on the test split is to be measured.
        "tested_classes": ExecutionParameter(type=list),
        # 1 if that of each class is, or else 0.
        "tests_each_class": ExecutionParameter(type=int),
    }
    OUTPUTS = {"anomalies": ChannelParameter(type=ExampleAnomalies)}


class ExampleValidator(SpecComponent):
    """Compares the statistics of each split with the schema, and looks for the pictures that the gate will need."""

    SPEC_CLASS = ExampleValidatorSpec
    EXECUTOR_SPEC = ExecutorClassSpec(executor.Executor)
