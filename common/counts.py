"""Whole numbers as custom properties of an artifact, under names that its type documents."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tfx.types import Artifact


def write(artifact: "Artifact", counts: Mapping[str, int]) -> None:
    """Sets the custom properties."""
    for name, count in counts.items():
        artifact.set_int_custom_property(name, count)


def read(artifact: "Artifact", names: Iterable[str]) -> dict[str, int]:
    """Gets them. The metadata store of some schedulers gives whole numbers back as floats."""
    return {name: int(artifact.get_int_custom_property(name)) for name in names}
