"""What is known of each picture when the data are audited."""

from collections.abc import Collection
from typing import NamedTuple

from common import example_records
from common.examples import Example


class Picture(NamedTuple):
    """A picture of a split.

    Attributes:
      split: its split.
      example: all that ingestion says of it, without the image itself.
    """

    split: str
    example: Example


def read(examples: str, splits: Collection[str]) -> dict[str, Picture]:
    """The pictures by hash, in the order of the splits and their files.

    Args:
      examples: folder of the examples.
      splits: which ones.
    """
    return {
        example.sha256: Picture(split, example._replace(image=b""))
        for split in splits
        for example in example_records.read(examples, split)
    }
