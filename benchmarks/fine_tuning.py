"""Stage 2 in the ways that `recipes` compares, over activations in memory."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from components.trainer import fit

Floats = npt.NDArray[np.floating[Any]]
Halves = npt.NDArray[np.float16]
Ints = npt.NDArray[np.int64]
Weights = list[npt.NDArray[np.float32]]

OWN, AVERAGED = "", "averaged weights"

_BATCH = 32
_PATIENCE = 3


class Recipe(NamedTuple):
    """How stage 2 trains: by Adam, in batches of 32.

    Attributes:
      epochs: most of them; it ends when three in a row have not lowered the loss on eval.
      rate: highest learning rate.
      cosine: whether the rate follows the product's cosine schedule with warm-up; else it is flat.
      mirror: by what half of the training activations are replaced, drawn anew in each epoch: "activations" for
        themselves, reversed left to right; "pictures" for those of the mirrored pictures; "" for nothing.
      head_factor: the head's rate as a multiple; 0 leaves the head as it is.
      layer_factor: a layer's rate as a multiple of that of the layer after it.
      mixup: both parameters of the beta distribution by which pairs of activations and of labels are mixed (H. Zhang et
        al., "mixup: Beyond Empirical Risk Minimization", 2018); 0 for none.
      augmentation: whose random views the training pictures are replaced by, one an epoch, as in
        `cached_features.augmented`; "" for the pictures as they are.
    """

    epochs: int
    rate: float
    cosine: bool = True
    mirror: str = ""
    head_factor: float = 1.0
    layer_factor: float = 1.0
    mixup: float = 0.0
    augmentation: str = ""


class Activations(NamedTuple):
    """What stage 2 trains on and chooses by; activations are float16 [pictures, height, width, channels].

    Attributes:
      train: of views of the training pictures, [views, pictures, ...]; epoch e trains on view e mod views.
      mirrored: of the same pictures, mirrored; None where no recipe needs them.
      labels: class ids of the training pictures, int64 [pictures].
      held_out: of the eval split.
      held_out_labels: its class ids, int64 [pictures].
    """

    train: Halves
    mirrored: Halves | None
    labels: Ints
    held_out: Halves
    held_out_labels: Ints


def weights_of(model: keras.Model) -> Weights:
    """The values of a model's trainable variables."""
    return [variable.numpy() for variable in model.trainable_variables]


def assign(model: keras.Model, weights: Sequence[Floats]) -> None:
    """The inverse of `weights_of`."""
    for variable, value in zip(model.trainable_variables, weights, strict=True):
        variable.assign(value)


def predict(model: keras.Model, activations: Halves) -> Floats:
    """Probabilities, float32 [pictures, classes]."""
    batches = np.array_split(activations, math.ceil(len(activations) / _BATCH))
    return np.concatenate([model(batch.astype(np.float32), training=False).numpy() for batch in batches])


def losses(probabilities: Floats, labels: Ints) -> Floats:
    """Cross-entropy of each picture."""
    return -np.log(np.maximum(probabilities[np.arange(len(labels)), labels], 1e-12))


def tune(model: keras.Model, recipe: Recipe, data: Activations, seed: int) -> dict[str, Weights]:
    """Trains a model.

    Args:
      model: activations, float32 [batch, height, width, channels], to probabilities; as stage 1 leaves it.
      recipe: how.
      data: on what.
      seed: fixes order, dropout, mirroring and mixup.

    Returns:
      The weights of the epoch with the lowest loss on eval, as OWN; and as AVERAGED those of an exponential moving
      average over about an epoch's steps, likewise at the end of its best epoch.
    """
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    step = _Step(model, recipe)
    steps = math.ceil(len(data.labels) / _BATCH)
    average = weights_of(model)
    best = {OWN: _Best(), AVERAGED: _Best()}
    rates = _rates(recipe, steps * recipe.epochs)
    for epoch in range(recipe.epochs):
        for values, targets in _batches(model.output.shape[-1], recipe, data, epoch, rng):
            step(values, targets, next(rates))
            average = [old + (new - old) / steps for old, new in zip(average, weights_of(model), strict=True)]
        own = weights_of(model)
        for kind, weights in ((AVERAGED, average), (OWN, own)):
            assign(model, weights)
            loss = losses(predict(model, data.held_out), data.held_out_labels).mean()
            best[kind].offer(epoch, float(loss), weights)
        if all(epoch - kept.epoch >= _PATIENCE for kept in best.values()):
            break
    return {kind: kept.weights for kind, kept in best.items()}


class _Best:
    """The weights with the lowest loss so far."""

    def __init__(self) -> None:
        self.epoch, self.weights = 0, Weights()
        self._loss = math.inf

    def offer(self, epoch: int, loss: float, weights: Weights) -> None:
        if loss < self._loss:
            self.epoch, self._loss, self.weights = epoch, loss, weights


class _Step:
    """A step of training; each group of layers that shares a rate has an optimizer, as Adam undoes scaled gradients."""

    def __init__(self, model: keras.Model, recipe: Recipe) -> None:
        layers = [layer.trainable_variables for layer in reversed(model.layers) if layer.trainable_variables]
        factors = [recipe.head_factor, *(recipe.layer_factor**depth for depth in range(1, len(layers)))]
        if set(factors) == {1.0}:
            layers, factors = [model.trainable_variables], [1.0]
        self._groups = [(keras.optimizers.Adam(), layer, factor) for layer, factor in zip(layers, factors, strict=True)]
        for optimizer, variables, _ in self._groups:
            optimizer.build(variables)
        self._model = model
        self._apply = tf.function(self._gradients_applied, reduce_retracing=True)

    def __call__(self, values: Floats, targets: Floats, rate: float) -> None:
        for optimizer, _, factor in self._groups:
            optimizer.learning_rate = factor * rate
        self._apply(tf.constant(values), tf.constant(targets))

    def _gradients_applied(self, values: tf.Tensor, targets: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            probabilities = self._model(values, training=True)
            loss = tf.reduce_mean(keras.losses.categorical_crossentropy(targets, probabilities))
        gradients = tape.gradient(loss, [[variable.value for variable in group] for _, group, _ in self._groups])
        for (optimizer, _, _), group in zip(self._groups, gradients, strict=True):
            optimizer.apply(group)


def _rates(recipe: Recipe, steps: int) -> Iterator[float]:
    """The learning rate of each step."""
    schedule = fit.cosine(recipe.rate, steps)
    for step in range(steps):
        yield float(schedule(step)) if recipe.cosine else recipe.rate


def _batches(
    classes: int, recipe: Recipe, data: Activations, epoch: int, rng: np.random.Generator
) -> Iterator[tuple[Floats, Floats]]:
    """An epoch: activations and the probabilities to learn."""
    pictures = data.train[epoch % len(data.train)]
    order = rng.permutation(len(data.labels))
    for rows in np.array_split(order, range(_BATCH, len(order), _BATCH)):
        values = pictures[rows].astype(np.float32)
        targets = np.eye(classes, dtype=np.float32)[data.labels[rows]]
        chosen = rng.random(len(rows)) < 0.5
        if recipe.mirror == "activations":
            values[chosen] = values[chosen, :, ::-1]
        elif recipe.mirror:
            assert data.mirrored is not None
            values[chosen] = data.mirrored[rows[chosen]]
        if recipe.mixup:
            share = np.float32(rng.beta(recipe.mixup, recipe.mixup))
            other = rng.permutation(len(rows))
            values = share * values + (1 - share) * values[other]
            targets = share * targets + (1 - share) * targets[other]
        yield values, targets
