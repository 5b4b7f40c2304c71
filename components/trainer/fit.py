"""One stage of training, and what it leaves: a history, TensorBoard logs and metrics."""

import csv
import math
import os
import time
from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from common import progress, unfinished
from common.examples import EVAL
from components.trainer import converged_head
from components.trainer.batches import Features
from components.trainer.checkpoint import Checkpoint, Rows
from modeling.training_results import HISTORY_FILE, Trial, write_trials

_COLUMNS = ("stage", "epoch", "learning_rate", "loss", "accuracy", "val_loss", "val_accuracy", "seconds")


class Evaluation(NamedTuple):
    """A model on a split.

    Attributes:
      losses: cross-entropy of each picture, [pictures], in the order of `Features.in_order`.
      accuracy: 0 to 1.
    """

    losses: npt.NDArray[np.float64]
    accuracy: float

    def metrics(self) -> dict[str, float]:
        """As `TrainingResults` holds them."""
        return {"loss": float(self.losses.mean()), "accuracy": self.accuracy}


class Run:
    """The stages of one training run."""

    def __init__(
        self,
        strategy: tf.distribute.Strategy,
        directory: str,
        work: str,
        schedule: str,
        patience: int,
        class_weights: dict[int, float] | None,
    ) -> None:
        """Starts with an empty history.

        Args:
          strategy: the devices; the variables of all models belong to it.
          directory: where history.csv and the logs go.
          work: folder of what a killed run leaves to the next; `finish` removes it.
          schedule: "constant" or "cosine", of the learning rate.
          patience: epochs without a better validation loss after which a stage ends.
          class_weights: weight of each class in the loss, or None for equal ones.
        """
        self._strategy = strategy
        self._directory = directory
        self._work = work
        self._schedule = schedule
        self._patience = patience
        self._class_weights = class_weights
        self._history: Rows = []
        self._trials: list[Trial] = []

    def converge(self, head: keras.Model, data: Features, penalty: float | None) -> float:
        """Stage 1 without epochs; the arguments are those of `converged_head.fit`.

        Returns:
          The penalty of the head's weights.
        """
        self._trials = converged_head.fit(head, data, self._class_weights, penalty)
        (chosen,) = (trial for trial in self._trials if trial.chosen)
        row = {key: value for key, value in chosen._asdict().items() if key in _COLUMNS}
        seconds = round(sum(trial.seconds for trial in self._trials), 3)
        self._history.append({"stage": 1, "epoch": 0, **row, "seconds": seconds})
        return chosen.penalty

    def fit(
        self,
        stage: int,
        model: keras.Model,
        data: Features,
        family: str,
        epochs: int,
        learning_rate: float,
        scale_loss: bool = False,
    ) -> None:
        """Trains a model and leaves it with the weights of its best epoch by validation loss.

        Epochs that a killed run finished are not trained again.

        Args:
          stage: its number, for the history and the logs.
          model: from features to probabilities.
          data: the features.
          family: which of them.
          epochs: most epochs.
          learning_rate: Adam's, the highest where it changes.
          scale_loss: whether the loss is scaled so that gradients in float16 do not vanish.
        """
        model = _uncompiled(model)
        history: Rows = []
        steps = data.steps_per_epoch
        progress.start(epochs * steps, f"steps of stage {stage}")
        with self._strategy.scope():
            rate = cosine(learning_rate, epochs * steps) if self._schedule == "cosine" else learning_rate
            optimizer = keras.optimizers.Adam(rate)
            if scale_loss:
                optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
            # A metric that is made here has its variables from the start. Keras would make those of "accuracy" when one
            # device already waits for the other.
            accuracy = keras.metrics.SparseCategoricalAccuracy("accuracy")
            model.compile(optimizer, _cross_entropy, metrics=[accuracy])
            stopping = keras.callbacks.EarlyStopping(patience=self._patience, restore_best_weights=True)
            checkpoint = Checkpoint(os.path.join(self._work, f"stage_{stage}.npz"), model, stopping, history)
            progress.advance(checkpoint.epochs * steps)
            if checkpoint.stopped or checkpoint.epochs == epochs:
                checkpoint.use_best_weights()
            else:
                model.fit(
                    data.epochs(family, checkpoint.epochs),
                    initial_epoch=checkpoint.epochs,
                    epochs=epochs,
                    steps_per_epoch=steps,
                    validation_data=data.in_order(EVAL, family),
                    class_weight=self._class_weights,
                    callbacks=[
                        stopping,
                        keras.callbacks.TensorBoard(self._logs_of(self._work, stage)),
                        _Recorder(history, stage),
                        checkpoint,
                    ],
                    verbose=0,
                )
        self._history += history

    def evaluate(self, model: keras.Model, data: Features, split: str, family: str) -> Evaluation:
        """What a model comes to on the first view of a split, without dropout."""
        with self._strategy.scope():
            probabilities = model.predict(data.in_order(split, family), verbose=0)
        labels = data.labels(split)
        losses = keras.losses.sparse_categorical_crossentropy(labels, probabilities)
        accuracy = (probabilities.argmax(axis=1) == labels).mean()
        return Evaluation(keras.ops.convert_to_numpy(losses).astype(np.float64), float(accuracy))

    def finish(self) -> None:
        """Writes history.csv and puts the TensorBoard logs beside it, and penalties.csv where stage 1 converged.

        The history has a row for each epoch; a stage without epochs is one row, epoch 0, without a learning rate.
        """
        with tf.io.gfile.GFile(os.path.join(self._directory, HISTORY_FILE), "w") as file:
            writer = csv.DictWriter(file, _COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(self._history)
        if self._trials:
            write_trials(self._trials, self._directory)
        for stage in {row["stage"] for row in self._history if row["epoch"]}:
            for kind in ("train", "validation"):
                unfinished.move_files(
                    os.path.join(self._logs_of(self._work, stage), kind),
                    os.path.join(self._logs_of(self._directory, stage), kind),
                )
        tf.io.gfile.rmtree(self._work)

    def _logs_of(self, directory: str, stage: int) -> str:
        return os.path.join(directory, f"stage_{stage}")


class _Recorder(keras.callbacks.Callback):
    """Adds each epoch to a history and tells the progress of its steps."""

    def __init__(self, history: Rows, stage: int) -> None:
        super().__init__()
        self._rows = history
        self._stage = stage
        self._began = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._began = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        progress.advance()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._rows.append(
            {
                "stage": self._stage,
                "epoch": epoch + 1,
                # A float32, whose further digits are none.
                "learning_rate": float(f"{keras.ops.convert_to_numpy(self.model.optimizer.learning_rate):.6g}"),
                **(logs or {}),
                "seconds": round(time.monotonic() - self._began, 3),
            }
        )


def is_lower(after: npt.NDArray[np.float64], before: npt.NDArray[np.float64]) -> bool:
    """Whether losses of the same pictures are lower in the mean by more than their difference's standard error."""
    gains = before - after
    return bool(gains.mean() > gains.std() / math.sqrt(max(1, len(gains) - 1)))


def cosine(highest: float, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    """A learning rate that rises for a tenth of the steps and then falls to 0 along half a cosine.

    Loshchilov and Hutter (2017), "SGDR: Stochastic Gradient Descent with Warm Restarts", without restarts; Goyal et al.
    (2017), "Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour", for the warm-up.
    """
    rising = max(1, steps // 10)
    # A first step that changed nothing would be all of an epoch that has one.
    first = highest / rising
    return keras.optimizers.schedules.CosineDecay(
        first, max(1, steps - rising), warmup_target=highest, warmup_steps=rising
    )


def _uncompiled(model: keras.Model) -> keras.Model:
    """The same layers as a model that is to be compiled.

    Not to be called in a strategy's scope: for a model that was made there, Keras takes a batch from the data to learn
    shapes. The order of the data would move, and a batch of unequal parts would end the training.
    """
    return keras.Model(model.inputs, model.outputs)


@tf.custom_gradient
def _by_picture(losses: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    """The losses of one device's pictures, float32 [pictures], with gradients as if one device had the whole batch.

    Keras takes the mean of the devices' means. Here a device counts for as much as it has pictures, which differ where
    a batch cannot be divided evenly. On one device nothing changes.
    """

    def gradient(upstream: tf.Tensor) -> tf.Tensor:
        replica = tf.distribute.get_replica_context()
        pictures = tf.cast(tf.size(losses), upstream.dtype)
        in_batch = replica.all_reduce(tf.distribute.ReduceOp.SUM, pictures)
        return upstream * (pictures * replica.num_replicas_in_sync / in_batch)

    return losses, gradient


def _cross_entropy(labels: tf.Tensor, probabilities: tf.Tensor) -> tf.Tensor:
    return _by_picture(keras.losses.sparse_categorical_crossentropy(labels, probabilities))
