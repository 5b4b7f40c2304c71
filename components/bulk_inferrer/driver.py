"""Lets the cache know the pictures to predict by their content."""

from collections.abc import Mapping
from typing import Any

from common import hashing
from common.drivers import ContentDriver
from components.bulk_inferrer import inputs


class Driver(ContentDriver):
    """Hashes the folder."""

    def fingerprint(self, parameters: Mapping[str, Any]) -> str:
        """See `ContentDriver`."""
        return fingerprint(parameters["data"])


def fingerprint(root: str) -> str:
    """Hash of the names and the bytes of a folder's files.

    Raises:
      UserError: the folder is missing or empty.
    """
    return hashing.fingerprint(hashing.hash_files(root, inputs.find(root)))
