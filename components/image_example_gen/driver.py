"""Lets the cache know a data set by its content."""

from collections.abc import Mapping
from typing import Any

from common import hashing
from common.drivers import ContentDriver
from components.image_example_gen import layout


class Driver(ContentDriver):
    """Hashes the data folder."""

    def fingerprint(self, parameters: Mapping[str, Any]) -> str:
        """See `ContentDriver`."""
        return fingerprint(parameters["data"])


def fingerprint(root: str) -> str:
    """Hash of the names and the bytes of a data folder's files.

    Raises:
      UserError: the folder is missing, or its layout cannot be understood.
    """
    found = layout.find(root)
    hashes = hashing.hash_files(found.root, [(file.path, file.problem) for file in found.files])
    if any(not sha256 and not file.problem for file, (_, sha256) in zip(found.files, hashes, strict=True)):
        layout.check_unchanged(found)
    return hashing.fingerprint(hashes)
