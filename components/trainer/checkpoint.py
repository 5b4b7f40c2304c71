"""A stage of training on disk after each epoch, so that a killed one goes on as if nothing had happened."""

import json
import logging
import os
import tempfile
import zipfile
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

_log = logging.getLogger(__name__)

Rows = list[dict[str, Any]]


class Checkpoint(keras.callbacks.Callback):
    """Writes all that the coming epochs depend on: variables, random seeds, optimizer, early stopping, history.

    Keras' own BackupAndRestore leaves early stopping and the history out, so that a resumed stage would keep another
    epoch's weights than an undisturbed one. The file is a NumPy archive of plain arrays. To be listed after the early
    stopping and whatever fills the history.
    """

    def __init__(self, path: str, model: keras.Model, stopping: keras.callbacks.EarlyStopping, history: Rows) -> None:
        """Reads the file, where there is one, into the model and the history.

        Args:
          path: the file.
          model: compiled.
          stopping: the early stopping of the stage.
          history: rows of the stage's epochs; those that are done are added.
        """
        super().__init__()
        self.set_model(model)
        model.optimizer.build(model.trainable_variables)
        self._path = path
        self._stopping = stopping
        self._history = history
        self._state: dict[str, Any] = {"epochs": 0, "stopped": False}
        self._best: list[npt.NDArray[Any]] = []
        arrays = _read(path)
        if arrays:
            self._restore(arrays)

    @property
    def epochs(self) -> int:
        """How many epochs are done."""
        return self._state["epochs"]

    @property
    def stopped(self) -> bool:
        """Whether early stopping ended the stage."""
        return self._state["stopped"]

    def use_best_weights(self) -> None:
        """Ends a stage that has no epoch left to train."""
        self.model.set_weights(self._best)

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Tells early stopping, which forgets at this point, what it knew."""
        if self.epochs:
            self._stopping.best = self._state["best"]
            self._stopping.best_epoch = self._state["best_epoch"]
            self._stopping.wait = self._state["wait"]
            self._stopping.best_weights = self._best

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Writes the file."""
        self._state = {
            "epochs": epoch + 1,
            "stopped": bool(self.model.stop_training),
            "best": float(self._stopping.best),
            "best_epoch": self._stopping.best_epoch,
            "wait": self._stopping.wait,
            "history": self._history,
        }
        arrays = {"state": np.array(json.dumps(self._state))}
        arrays |= {f"variable_{i}": np.asarray(variable) for i, variable in enumerate(self._variables())}
        arrays |= {f"best_{i}": weights for i, weights in enumerate(self._stopping.best_weights)}
        _write(self._path, arrays)

    def _restore(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        self._state = json.loads(str(arrays["state"]))
        self._history += self._state["history"]
        for i, variable in enumerate(self._variables()):
            variable.assign(arrays[f"variable_{i}"])
        self._best = [arrays[f"best_{i}"] for i in range(len(self.model.weights))]
        _log.info("epochs that an earlier attempt trained: %d", self.epochs)

    def _variables(self) -> list[keras.Variable]:
        """Those of the model, random seeds among them, and those of the optimizer."""
        return [*self.model.variables, *self.model.optimizer.variables]


def _read(path: str) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a file; none where it is missing, or damaged as by a power cut."""
    if not tf.io.gfile.exists(path):
        return {}
    try:
        with tf.io.gfile.GFile(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            return dict(archive)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        _log.warning("%s is damaged: its stage starts again", path)
        return {}


def _write(path: str, arrays: dict[str, npt.NDArray[Any]]) -> None:
    """The file has its name only when it is whole."""
    partial = f"{path}.partial"
    with tempfile.TemporaryDirectory() as directory:
        local = os.path.join(directory, "checkpoint.npz")
        np.savez(local, **arrays)
        tf.io.gfile.copy(local, partial, overwrite=True)
    tf.io.gfile.rename(partial, path, overwrite=True)
