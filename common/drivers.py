"""The bases of drivers: what the launcher asks before it looks into the cache."""

import abc
from collections.abc import Mapping
from typing import Any

from tfx.dsl.components.base import base_driver
from tfx.orchestration import metadata
from tfx.orchestration.portable import base_driver as portable_base_driver
from tfx.orchestration.portable import data_types
from tfx.proto.orchestration import driver_output_pb2

from common.hashing import FINGERPRINT


class Driver(base_driver.BaseDriver, portable_base_driver.BaseDriver):
    """Both of TFX's base classes: a component must name one of the first kind, and the launcher calls the second."""

    def __init__(self, metadata_handle: metadata.Metadata) -> None:
        """Called by the launcher."""
        base_driver.BaseDriver.__init__(self, metadata_handle)
        portable_base_driver.BaseDriver.__init__(self, metadata_handle)


class ContentDriver(Driver, abc.ABC):
    """Lets the cache know a folder of pictures by its content.

    Its fingerprint is added to the parameters, which are part of the cache's key. TFX's own is made of sizes and times:
    a copied or touched folder would run everything again.
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
