"""Lets the cache know the pictures to predict by their content."""

from collections.abc import Mapping
from typing import Any

from components.bulk_inferrer import inputs
from components.content_driver import ContentDriver
from components.image_example_gen import content


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
    return content.fingerprint(content.hash_files(root, inputs.find(root)))
