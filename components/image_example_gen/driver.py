"""Lets the cache know a data set by its content."""

import os
from concurrent.futures import ThreadPoolExecutor

from tfx.dsl.components.base import base_driver
from tfx.orchestration import metadata
from tfx.orchestration.portable import base_driver as portable_base_driver
from tfx.orchestration.portable import data_types
from tfx.proto.orchestration import driver_output_pb2

from components import progress
from components.image_example_gen import content, layout
from components.image_example_gen.executor import FINGERPRINT

_QUEUE = 1000


class Driver(base_driver.BaseDriver, portable_base_driver.BaseDriver):
    """Adds the content's fingerprint to the parameters, which are part of the cache's key.

    TFX's own fingerprint is made of sizes and times: a copied or touched folder would run everything again.
    """

    def __init__(self, metadata_handle: metadata.Metadata) -> None:
        base_driver.BaseDriver.__init__(self, metadata_handle)
        portable_base_driver.BaseDriver.__init__(self, metadata_handle)

    def run(self, execution_info: data_types.ExecutionInfo) -> driver_output_pb2.DriverOutput:
        """Called by the launcher before it looks into the cache.

        Raises:
          UserError: the data folder is missing, or its layout cannot be understood.
        """
        result = driver_output_pb2.DriverOutput()
        result.exec_properties[FINGERPRINT].string_value = fingerprint(execution_info.exec_properties["data"])
        return result


def fingerprint(root: str) -> str:
    """Hash of the names and the bytes of a data folder's files."""
    found = layout.find(root)
    progress.start(len(found.files), "files hashed")

    def _hash(file: layout.File) -> tuple[str, str]:
        sha256 = "" if file.problem else content.sha256_of(os.path.join(found.root, file.path))
        progress.advance()
        return file.path, sha256

    hashes: list[tuple[str, str]] = []
    with ThreadPoolExecutor() as threads:
        # A call that waits its turn takes more memory than its file's name.
        for start in range(0, len(found.files), _QUEUE):
            hashes += threads.map(_hash, found.files[start : start + _QUEUE])
    if any(not sha256 and not file.problem for file, (_, sha256) in zip(found.files, hashes, strict=True)):
        layout.check_unchanged(found)
    return content.fingerprint(hashes)
