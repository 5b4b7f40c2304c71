"""The heavy parts bare: a model or a product of matrices in a loop over what is in memory already."""

import os
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from benchmarks import measuring
from benchmarks.measuring import Usage
from modeling import backbones
from modeling.backbone_names import BACKBONES
from modeling.engines import NCNN, TENSORFLOW, Engine
from modeling.ncnn_network import NcnnNetwork
from modeling.precision import arithmetic

BACKBONE = "VGG16"
SIZE = BACKBONES[BACKBONE].picture_size
GFLOPS = BACKBONES[BACKBONE].gflops  # of a picture's pass
BATCH = 32
_MATRIX = 4096  # rows and columns; larger ones are multiplied no faster
_ROUNDS = 3


def fastest(*works: Callable[[], object]) -> list[Usage]:
    """Calls each once to warm up, then all in turn some times; the least of each number in its rounds, for each."""
    for work in works:
        work()
    rounds = [[measuring.call(work) for work in works] for _ in range(_ROUNDS)]
    return [Usage(*map(min, zip(*usages, strict=True))) for usages in zip(*rounds, strict=True)]


def noise(pictures: int) -> npt.NDArray[np.float32]:
    """Made-up pictures, float32 [pictures, SIZE, SIZE, 3], 0 to 255; they take as long as any others."""
    return np.random.default_rng(0).uniform(0, 255, (pictures, SIZE, SIZE, 3)).astype(np.float32)


def backbone(precision: str) -> keras.Model:
    """The frozen layers with random weights and their input's scaling, in one of `modeling.precision`'s arithmetics."""
    with arithmetic(precision):
        layers = backbones.build(BACKBONE, SIZE)
        picture = keras.Input((SIZE, SIZE, 3))
        return keras.Model(picture, layers(backbones.preprocess(BACKBONE, picture)))


def passes(model: keras.Model, values: npt.NDArray[Any]) -> Callable[[], None]:
    """A loop over values in batches, forward alone."""
    forward = tf.function(lambda batch: model(batch, training=False), reduce_retracing=True)
    batches = [tf.constant(values[start : start + BATCH]) for start in range(0, len(values), BATCH)]

    def loop() -> None:
        for batch in batches:
            forward(batch)

    return loop


def engine_passes(engine: Engine, values: npt.NDArray[np.float32]) -> Callable[[], None]:
    """The same of the backbone in the engine that extraction uses."""
    if engine.name != NCNN:
        return passes(backbone(engine.precision), values)
    model = backbones.build(BACKBONE, SIZE)
    network = NcnnNetwork(model, [len(model.operations) - 1], len(os.sched_getaffinity(0)))

    def loop() -> None:
        for start in range(0, len(values), BATCH):
            network(values[start : start + BATCH])

    return loop


def training(
    model: keras.Model, values: npt.NDArray[Any], labels: Sequence[int] | npt.NDArray[np.int64]
) -> Callable[[], None]:
    """A loop over values in batches: forward, backward, and a step of Adam."""
    optimizer = keras.optimizers.Adam(1e-5)
    optimizer.build(model.trainable_variables)
    loss = keras.losses.SparseCategoricalCrossentropy()

    @tf.function(reduce_retracing=True)
    def step(batch: tf.Tensor, targets: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            found = loss(targets, model(batch, training=True))
        variables = model.trainable_variables
        optimizer.apply(tape.gradient(found, [variable.value for variable in variables]), variables)

    starts = range(0, len(values), BATCH)
    batches = [(tf.constant(values[at : at + BATCH]), tf.constant(labels[at : at + BATCH])) for at in starts]

    def loop() -> None:
        for batch, targets in batches:
            step(batch, targets)

    return loop


def pace(precision: str, pictures: int = 64) -> Usage:
    """Of the backbone in TensorFlow, for a picture."""
    return engine_pace(Engine(TENSORFLOW, precision), pictures)


def engine_pace(engine: Engine, pictures: int = 64) -> Usage:
    """Of the backbone in an engine, for a picture."""
    (usage,) = fastest(engine_passes(engine, noise(pictures)))
    return each(usage, pictures)


def each(usage: Usage, pictures: int) -> Usage:
    """For one of so many; `others` stays that of the measurement."""
    return Usage(usage.seconds / pictures, usage.cpu_seconds / pictures, usage.others)


def products(precision: str) -> tuple[Usage, float]:
    """Of a product of large matrices, and its billions of floating-point operations."""
    matrix = tf.cast(tf.random.uniform((_MATRIX, _MATRIX)), precision)
    # The sum makes the loop wait for the product.
    product = tf.function(lambda: tf.reduce_sum(tf.cast(tf.matmul(matrix, matrix)[0], tf.float32)))
    (usage,) = fastest(lambda: float(product()))
    return usage, 2 * _MATRIX**3 / 1e9
