"""What an exported model says of itself, in the folder of a SavedModel that TensorFlow leaves to others."""

import os
from typing import NamedTuple

import tensorflow as tf

from common.labels import ASSETS, read_labels, write_labels

_MAX_PIXELS = "max_pixels.txt"
_MAX_PIXELS_OF_OLD = 50_000_000  # of models that do not say: what predicting them has taken, however they were trained


class ModelAssets(NamedTuple):
    """A file each.

    Attributes:
      labels: class names by class id; `labels.txt`.
      max_pixels: most pixels (height times width) of a picture, in ingestion as in prediction; `max_pixels.txt`.
    """

    labels: list[str]
    max_pixels: int

    def write(self, model: str) -> None:
        """Adds the files to the folder of a SavedModel; any address that TensorFlow can open."""
        folder = os.path.join(model, ASSETS)
        tf.io.gfile.makedirs(folder)
        write_labels(folder, self.labels)
        with tf.io.gfile.GFile(os.path.join(folder, _MAX_PIXELS), "w") as file:
            file.write(f"{self.max_pixels}\n")

    @classmethod
    def read(cls, model: str) -> "ModelAssets":
        """Reads what `write` wrote, or an earlier release, which wrote `labels.txt` alone.

        Raises:
          tf.errors.OpError: the labels are missing, or a file cannot be read.
          ValueError: a file is damaged.
        """
        folder = os.path.join(model, ASSETS)
        labels, path = read_labels(folder), os.path.join(folder, _MAX_PIXELS)
        if not tf.io.gfile.exists(path):
            return cls(labels, _MAX_PIXELS_OF_OLD)
        with tf.io.gfile.GFile(path) as file:
            return cls(labels, int(file.read()))
