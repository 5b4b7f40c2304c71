"""Which arithmetic the frozen layers run in."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import keras
import tensorflow as tf

# Instructions for bfloat16 products as Linux names them: Intel's and AMD's vector ones, and Intel's tiles.
_CPU_FLAGS = {"avx512_bf16", "amx_bf16"}
_AMPERE = (8, 0)  # the first compute capability with bfloat16 tensor cores


def resolve(precision: str) -> str:
    """ "auto" becomes "bfloat16" where the processor multiplies it natively, else "float32".

    bfloat16 keeps 8 bits of a product's operands and sums in float32: twice as fast on such a CPU, and slower than
    float32 on others, which emulate it.
    """
    if precision != "auto":
        return precision
    gpus = tf.config.list_physical_devices("GPU")
    native = all(_gpu_has_bfloat16(gpu) for gpu in gpus) if gpus else _cpu_has_bfloat16()
    return "bfloat16" if native else "float32"


@contextlib.contextmanager
def arithmetic(precision: str) -> Iterator[None]:
    """Lets the models built in the block compute in a resolved precision; their variables stay float32."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy({"float32": "float32", "bfloat16": "mixed_bfloat16"}[precision])
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _cpu_has_bfloat16() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return bool(_CPU_FLAGS & set(flags.split()))


def _gpu_has_bfloat16(gpu: tf.config.PhysicalDevice) -> bool:
    return tf.config.experimental.get_device_details(gpu).get("compute_capability", (0, 0)) >= _AMPERE
