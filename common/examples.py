"""The examples that ImageExampleGen writes and later steps read: what is in them, and what is counted of them.

Standard library only, so that a command line can refuse a wrong folder before TensorFlow is loaded; `example_records`
reads and writes them.
"""

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from common import counts

if TYPE_CHECKING:
    from tfx.types import Artifact

# The splits.
TRAIN, EVAL, TEST = SPLITS = ("train", "eval", "test")

# The features that other steps ask for by name.
IMAGE, LABEL, SHA256, FILE_NAME = "image", "label", "sha256", "file_name"
HEIGHT, WIDTH, BRIGHTNESS, SHARPNESS = "height", "width", "brightness", "sharpness"
# Those by whose values the evaluation is sliced.
CLASS_NAME, SIZE_RANGE, BRIGHTNESS_RANGE = SLICES = ("class_name", "size_range", "brightness_range")

# The tables beside the splits, of files that are not used, or not as one would wish.
QUARANTINED_FILE, DUPLICATES_FILE, LEAKAGE_FILE = "quarantine.csv", "duplicates.csv", "leakage.csv"


_NOTES = "notes"


class Example(NamedTuple):
    """One picture. The features of a record are these fields, each with one value of its field's type.

    Attributes:
      image: an 8-bit RGB or grey JPEG or PNG, encoded. Only a JPEG may lie turned, as its EXIF data say; the
        preprocessing graph turns it upright.
      label: class id, 0 or more.
      class_name: the class.
      sha256: of the file that the picture is from, hexadecimal.
      file_name: that file's path, relative to the data folder, escaped as `common.escaping` does.
      height: pixels of the upright picture, 1 or more.
      width: pixels of the upright picture, 1 or more.
      brightness: mean luma, 0 (black) to 1 (white).
      sharpness: as `imaging.sharpness` measures it, 0 or more; 0 of a single colour.
      size_range: of the shorter side, as `imaging.ranges` has it.
      brightness_range: as `imaging.ranges` has it.
    """

    image: bytes
    label: int
    class_name: str
    sha256: str
    file_name: str
    height: int
    width: int
    brightness: float
    sharpness: float
    size_range: str
    brightness_range: str


class FileCounts(NamedTuple):
    """What became of the files of a data folder. The fields are custom properties of the examples' artifact.

    Attributes:
      found: all of them: used + duplicate + quarantined.
      used: those whose pictures are in a split.
      duplicate: spare copies of one that is used, in the same class.
      quarantined: those that cannot be used.
      leakage: held-out pictures among the used ones that look like a training picture.
      not_pictures: files beside them that are not meant to be pictures, such as annotations; not among those found.
      hidden: hidden files and folders and those of the system; not among those found.
    """

    found: int
    used: int
    duplicate: int
    quarantined: int
    leakage: int
    not_pictures: int
    hidden: int

    def write(self, examples: "Artifact") -> None:
        """Sets the custom properties."""
        counts.write(examples, self._asdict())

    @classmethod
    def read(cls, examples: "Artifact") -> "FileCounts":
        """Gets them."""
        return cls(**counts.read(examples, cls._fields))


def write_pictures(examples: "Artifact", pictures: Mapping[str, int]) -> None:
    """Sets the number of pictures in each split, a custom property of the split's name."""
    counts.write(examples, pictures)


def read_pictures(examples: "Artifact") -> dict[str, int]:
    """The number of pictures in each split."""
    return counts.read(examples, SPLITS)


def write_notes(artifact: "Artifact", notes: Iterable[str]) -> None:
    """Sets what a person should know of the splits, or of an audit, a line each, as a custom property."""
    artifact.set_string_custom_property(_NOTES, "\n".join(notes))


def read_notes(artifact: "Artifact") -> list[str]:
    """The lines that `write_notes` wrote."""
    return artifact.get_string_custom_property(_NOTES).splitlines()


def split_folder(uri: str, split: str) -> str:
    """Where an artifact at `uri` has the files of a split."""
    return os.path.join(uri, f"Split-{split}")
