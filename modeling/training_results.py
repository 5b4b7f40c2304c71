"""What came out of training, for the steps and the screens after it: metrics.json, beside history.csv.

Imports TensorFlow only where it reads or writes, as a command's start knows the words too.
"""

import json
import os
from typing import NamedTuple

_FILE_NAME = "metrics.json"

# What became of stage 2: the model has its weights; it has stage 1's, as stage 2 did not lower the loss on eval; there
# was no stage 2.
KEPT, UNDONE, OFF = "kept", "undone", "off"


class TrainingResults(NamedTuple):
    """The trained model on the splits that training sees, without dropout.

    Attributes:
      train: "loss", 0 or more, and "accuracy", 0 to 1.
      eval: the same.
      fine_tuning: "kept", "undone" or "off".
    """

    train: dict[str, float]
    eval: dict[str, float]
    fine_tuning: str = OFF

    def write(self, directory: str) -> None:
        """Writes metrics.json; any address that TensorFlow can open."""
        import tensorflow as tf

        with tf.io.gfile.GFile(os.path.join(directory, _FILE_NAME), "w") as file:
            file.write(json.dumps(self._asdict(), indent=2))

    @classmethod
    def read(cls, directory: str) -> "TrainingResults":
        """Reads what `write` wrote."""
        import tensorflow as tf

        with tf.io.gfile.GFile(os.path.join(directory, _FILE_NAME)) as file:
            return cls(**json.loads(file.read()))
