"""Lets the cache know a data set by its content."""

from collections.abc import Mapping

from tfx.orchestration.portable import data_types

from common import drivers, hashing
from components.image_example_gen import layout
from components.image_example_gen.reading import AS_FOUND, Options


class Driver(drivers.Driver):
    """Hashes the data folder. TFX's own drivers go by sizes and times: a copied folder would run everything again."""

    def parameters(self, execution_info: data_types.ExecutionInfo) -> Mapping[str, str]:
        """Raises what `fingerprint` does."""
        return {hashing.FINGERPRINT: fingerprint(*layout.arguments(execution_info.exec_properties))}


def fingerprint(data: str, options: Options = AS_FOUND) -> str:
    """Hash of the names and the bytes of a data set's files, with their splits, classes and groups.

    Raises:
      UserError: the folder or table is missing, or cannot be understood.
    """
    found = layout.find(data, options)
    hashes = hashing.hash_files(found.root, [(file.path, file.problem) for file in found.files])
    if any(not sha256 and not file.problem for file, (_, sha256) in zip(found.files, hashes, strict=True)):
        layout.check_unchanged(found)
    pairs = zip(found.files, hashes, strict=True)
    return hashing.fingerprint((file.identity, sha256) for file, (_, sha256) in pairs)
