"""What came out of training, for the steps and screens after it: metrics.json and penalties.csv, beside history.csv.

Imports TensorFlow only where it reads or writes, as a command's start knows the words too.
"""

import csv
import json
import math
import os
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

HISTORY_FILE = "history.csv"
_FILE_NAME = "metrics.json"
_TRIALS_FILE = "penalties.csv"

# What became of stage 2: the model has its weights; it has stage 1's, as stage 2 did not lower the loss on eval by more
# than chance; there was no stage 2.
KEPT, UNDONE, OFF = "kept", "undone", "off"

# How stage 1 trained: to convergence; for some epochs; for some epochs, as the features were too many to converge on.
CONVERGED, EPOCHS, TOO_MANY = "converged", "epochs", "epochs, as there were too many features"


class TrainingResults(NamedTuple):
    """The trained model on the splits that training sees, without dropout.

    Attributes:
      train: "loss", 0 or more, and "accuracy", 0 to 1.
      eval: the same.
      fine_tuning: "kept", "undone" or "off".
      stage_1: "converged", "epochs", or "epochs, as there were too many features".
      penalty: L2 penalty of the head that stage 1 trained to convergence; None where it trained for some epochs.
    """

    train: dict[str, float]
    eval: dict[str, float]
    fine_tuning: str = OFF
    stage_1: str = EPOCHS
    penalty: float | None = None

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


def read_history(directory: str) -> list[dict[str, str]]:
    """The rows of history.csv, one an epoch; a stage without epochs is one row."""
    import tensorflow as tf

    with tf.io.gfile.GFile(os.path.join(directory, HISTORY_FILE)) as file:
        return list(csv.DictReader(file.read().splitlines()))


def diverged(history: Iterable[Mapping[str, str]]) -> list[int]:
    """The stages with an epoch whose loss, on train or eval, was infinite or not a number.

    Args:
      history: as `read_history` returns it.
    """
    return sorted(
        {
            int(row["stage"])
            for row in history
            if not all(math.isfinite(float(row[key])) for key in ("loss", "val_loss"))
        }
    )


def why_undone(diverged: Collection[int]) -> str:
    """Why stage 2 was undone, from the stages that diverged; a part of a sentence."""
    if 2 in diverged:
        return "its loss became infinite or not a number"
    return "it did not lower the loss on eval by more than chance"


class Trial(NamedTuple):
    """A row of penalties.csv: a penalty, and what the head that it gives comes to.

    Attributes:
      penalty: above 0.
      loss: mean cross-entropy on the training split.
      accuracy: 0 to 1, on the training split.
      val_loss: the same on eval.
      val_accuracy: the same on eval.
      seconds: how long it took.
      chosen: whether it is the model's.
    """

    penalty: float
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    seconds: float
    chosen: bool = False


def write_trials(trials: list[Trial], directory: str) -> None:
    """Writes penalties.csv."""
    import tensorflow as tf

    with tf.io.gfile.GFile(os.path.join(directory, _TRIALS_FILE), "w") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Trial._fields)
        writer.writerows(trials)


def read_trials(directory: str) -> list[Trial]:
    """Reads what `write_trials` wrote; nothing where stage 1 trained for some epochs."""
    import tensorflow as tf

    path = os.path.join(directory, _TRIALS_FILE)
    if not tf.io.gfile.exists(path):
        return []
    with tf.io.gfile.GFile(path) as file:
        _, *rows = csv.reader(file.read().splitlines())
    return [Trial._make([*map(float, numbers), chosen == "True"]) for *numbers, chosen in rows]
