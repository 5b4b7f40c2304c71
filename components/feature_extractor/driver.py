"""Lets the cache know the weights by their content."""

from collections.abc import Mapping

from tfx.orchestration.portable import data_types

from common import drivers
from modeling import weights


class Driver(drivers.Driver):
    """Hashes a file of weights."""

    def parameters(self, execution_info: data_types.ExecutionInfo) -> Mapping[str, str]:
        """Raises an OSError where the file cannot be read."""
        parameters = execution_info.exec_properties
        return {"weights_fingerprint": weights.fingerprint(parameters["weights"], parameters["backbone"])}
