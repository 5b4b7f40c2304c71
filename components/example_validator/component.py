"""ExampleValidator: TFX's, but an anomaly stops the run with its text."""

from tfx.components import ExampleValidator as TfxExampleValidator
from tfx.dsl.components.base import executor_spec

from components.example_validator import executor


class ExampleValidator(TfxExampleValidator):
    """Compares the statistics of each split with the schema."""

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)
