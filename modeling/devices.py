"""The devices that models run on: how they compute, and how training shares them."""

import contextlib
import functools
import math
import os
from pathlib import Path

import tensorflow as tf

from common import processor

# Read when TensorFlow first uses a GPU. It would otherwise take all of its memory, and leave none to other processes.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")


# Where Linux tells a container its limit: microseconds of processor time, or "max", and the period in which it may use
# them.
_CPU_MAX = Path("/sys/fs/cgroup/cpu.max")


def processors() -> int:
    """How many processors this process may keep busy: those that it may run on, within its container's limit."""
    found = len(os.sched_getaffinity(0))
    with contextlib.suppress(OSError, ValueError):  # no such file, or no limit
        time, period = map(int, _CPU_MAX.read_text().split())
        found = min(found, math.ceil(time / period))
    return found


def configure() -> None:
    """Lets this process compute the same numbers each time; to be called before it computes.

    On a processor, the seed alone fixes the result. A GPU's fastest kernels add in an order of their own. From Ampere
    on, they also round the factors of float32 to 10 bits (TF32); whoever prefers speed has bfloat16 on the same GPUs.
    """
    tf.config.experimental.enable_tensor_float_32_execution(False)
    if tf.config.list_physical_devices("GPU"):
        tf.config.experimental.enable_op_determinism()


def arithmetic() -> str:
    """What a result's last digits depend on besides model and pictures: TensorFlow, and the GPUs or the processor."""
    gpus = [tf.config.experimental.get_device_details(gpu) for gpu in tf.config.list_physical_devices("GPU")]
    names = [str(gpu.get("device_name")) for gpu in gpus] or sorted(processor.instructions())
    return " ".join([tf.__version__, os.environ.get(processor.ONEDNN, ""), *names])


def names() -> list[str]:
    """All GPUs, or the processor where there is none: it is one device unless TensorFlow was told to divide it."""
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return [device.name for device in devices]


@functools.cache  # of two strategies in a process, each would take the other's reductions for its own
def strategy() -> tf.distribute.Strategy:
    """What trains on all of `names`.

    Each of several devices has a copy of the model and takes its part of each batch; the copies stay equal.
    """
    return tf.distribute.MirroredStrategy(names()) if len(names()) > 1 else tf.distribute.get_strategy()
