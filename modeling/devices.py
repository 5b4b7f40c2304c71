"""On which devices models are trained."""

import functools

import tensorflow as tf


@functools.cache  # of two strategies in a process, each would take the other's reductions for its own
def strategy() -> tf.distribute.Strategy:
    """All GPUs, or the processor where there is none: it is one device unless TensorFlow was told to divide it.

    Each of several devices has a copy of the model and takes its part of each batch; the copies stay equal.
    """
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    names = [device.name for device in devices]
    return tf.distribute.MirroredStrategy(names) if len(names) > 1 else tf.distribute.get_strategy()
