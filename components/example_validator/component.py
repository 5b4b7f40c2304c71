"""ExampleValidator: TFX's, but examples that the run has no use for stop it with the reason."""

import json
from collections.abc import Collection

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import component_spec, standard_artifacts

from components.example_validator import executor


class ExampleValidatorSpec(component_spec.ComponentSpec):
    """What ExampleValidator takes and gives; `ExampleValidator` documents each."""

    PARAMETERS = {"tested_classes": component_spec.ExecutionParameter(type=str)}
    INPUTS = {
        "statistics": component_spec.ChannelParameter(type=standard_artifacts.ExampleStatistics),
        "schema": component_spec.ChannelParameter(type=standard_artifacts.Schema),
    }
    OUTPUTS = {"anomalies": component_spec.ChannelParameter(type=standard_artifacts.ExampleAnomalies)}


class ExampleValidator(base_component.BaseComponent):
    """Compares the statistics of each split with the schema, and looks for the pictures that the gate will need."""

    SPEC_CLASS = ExampleValidatorSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self, statistics: types.BaseChannel, schema: types.BaseChannel, *, tested_classes: Collection[str]
    ) -> None:
        """Declares the step.

        Args:
          statistics: of each split.
          schema: the curated one.
          tested_classes: names of the classes whose accuracy on the test split is to be measured.
        """
        super().__init__(
            ExampleValidatorSpec(
                statistics=statistics,
                schema=schema,
                tested_classes=json.dumps(sorted(tested_classes)),
                anomalies=types.Channel(type=standard_artifacts.ExampleAnomalies),
            )
        )
