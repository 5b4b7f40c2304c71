"""The base of drivers: what the launcher asks before it looks into the cache."""

from collections.abc import Iterable, Mapping

from tfx.dsl.components.base import base_driver, base_node
from tfx.orchestration import metadata
from tfx.orchestration.portable import base_driver as portable_base_driver
from tfx.orchestration.portable import data_types
from tfx.proto.orchestration import driver_output_pb2

from common import fingerprint

CODE_FINGERPRINT = "code_fingerprint"
# Parameters of TFX's own steps that hold the dotted name of a function of ours.
_HOOKS = ("preprocessing_fn", "run_fn", "tuner_fn")


class Driver(base_driver.BaseDriver, portable_base_driver.BaseDriver):
    """Adds what its result depends on, and only the machine that runs it can tell, to the parameters of a step.

    The parameters are part of the cache's key. Every step's code is among them; a step that depends on more has a
    driver of its own. Both of TFX's base classes are needed: a component must name one of the first kind, and the
    launcher calls the second.
    """

    def __init__(self, metadata_handle: metadata.Metadata) -> None:
        """Called by the launcher."""
        base_driver.BaseDriver.__init__(self, metadata_handle)
        portable_base_driver.BaseDriver.__init__(self, metadata_handle)

    def run(self, execution_info: data_types.ExecutionInfo) -> driver_output_pb2.DriverOutput:
        """Called by the launcher before it looks into the cache; raises what `parameters` does."""
        found = {CODE_FINGERPRINT: _code_fingerprint(execution_info), **self.parameters(execution_info)}
        result = driver_output_pb2.DriverOutput()
        for key, value in found.items():
            result.exec_properties[key].string_value = value
        return result

    def parameters(self, execution_info: data_types.ExecutionInfo) -> Mapping[str, str]:
        """What a step depends on besides its inputs, its parameters and its code.

        Args:
          execution_info: the step's inputs and parameters.

        Raises:
          UserError: something cannot be found or understood.
        """
        return {}


def complete(steps: Iterable[base_node.BaseNode]) -> None:
    """Gives `Driver` to each step that has none of its own, TFX's steps among them."""
    for step in steps:
        if step.driver_class is base_driver.BaseDriver:
            step.driver_class = Driver


def _code_fingerprint(execution_info: data_types.ExecutionInfo) -> str:
    # The module of the component, which imports its executor: that is not imported here, as it takes seconds.
    component = execution_info.pipeline_node.node_info.type.name
    parameters = execution_info.exec_properties
    hooks = [parameters[key] for key in _HOOKS if parameters.get(key)]
    return fingerprint.of_code(*(name.rpartition(".")[0] for name in (component, *hooks)))
