"""Lets the cache know a folder of pictures by its content."""

import abc
from collections.abc import Mapping
from typing import Any

from tfx.orchestration.portable import data_types
from tfx.proto.orchestration import driver_output_pb2

from components import driver
from components.image_example_gen.content import FINGERPRINT


class ContentDriver(driver.Driver, abc.ABC):
    """Adds the content's fingerprint to the parameters, which are part of the cache's key.

    TFX's own fingerprint is made of sizes and times: a copied or touched folder would run everything again.
    """

    @abc.abstractmethod
    def fingerprint(self, parameters: Mapping[str, Any]) -> str:
        """The content's hash.

        Args:
          parameters: the step's.

        Raises:
          UserError: the folder is missing, or cannot be understood.
        """

    def run(self, execution_info: data_types.ExecutionInfo) -> driver_output_pb2.DriverOutput:
        """Called by the launcher before it looks into the cache; raises what `fingerprint` does."""
        result = driver_output_pb2.DriverOutput()
        result.exec_properties[FINGERPRINT].string_value = self.fingerprint(execution_info.exec_properties)
        return result
