"""`labels.txt`: the class names by class id, one a line."""

import os

import tensorflow as tf

from common import escaping

FILE_NAME = "labels.txt"
ASSETS = "assets.extra"  # where a SavedModel has it: the folder that TensorFlow leaves to others


def write_labels(directory: str, labels: list[str]) -> None:
    """Writes the class names, escaped as `common.escaping` does, so that each takes one line.

    Args:
      directory: an existing folder; any address that TensorFlow can open.
      labels: class names by class id.
    """
    lines = "".join(f"{escaping.escape(label)}\n" for label in labels)
    with tf.io.gfile.GFile(os.path.join(directory, FILE_NAME), "wb") as file:
        file.write(lines.encode())


def read_labels(directory: str) -> list[str]:
    """Reads what `write_labels` wrote: class names by class id."""
    with tf.io.gfile.GFile(os.path.join(directory, FILE_NAME), "rb") as file:
        lines = file.read().decode()
    return [escaping.unescape(line) for line in lines.split("\n")[:-1]]
