"""Lets the cache know the pictures to predict by their content."""

from collections.abc import Mapping

from tfx.orchestration.portable import data_types

from common import drivers, hashing
from components.bulk_inferrer import inputs


class Driver(drivers.Driver):
    """Hashes the folder."""

    def parameters(self, execution_info: data_types.ExecutionInfo) -> Mapping[str, str]:
        """Raises what `fingerprint` does."""
        return {hashing.FINGERPRINT: fingerprint(execution_info.exec_properties["data"])}


def fingerprint(root: str) -> str:
    """Hash of the names and the bytes of a folder's files.

    Raises:
      UserError: the folder is missing or empty.
    """
    return hashing.fingerprint(hashing.hash_files(root, inputs.find(root)))
