"""Which arithmetic layers compute in. Their variables are float32 in each."""

import contextlib
from collections.abc import Iterator

import keras
import tensorflow as tf

from common import processor

# Instructions for bfloat16 products as Linux names them: Intel's and AMD's vector ones, and Intel's tiles.
_CPU_FLAGS = {"avx512_bf16", "amx_bf16"}
# The first compute capabilities with tensor cores for each.
_AMPERE = (8, 0)  # bfloat16
_VOLTA = (7, 0)  # float16
_POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}


def resolve(precision: str) -> str:
    """ "auto" becomes "bfloat16" where the processor multiplies it natively, else "float32".

    bfloat16 keeps 8 bits of a product's operands and sums in float32: twice as fast on such a CPU, and slower than
    float32 on others, which emulate it.

    GPUs that have fast products in float16 alone, such as the T4, get float32 all the same. VGG16 would bear float16:
    on 48 pictures its values reached 13,000 of the 65,504 that it holds, and the relative error of the activations,
    rounded after each layer, was 0.1% (bfloat16: 0.9%). But this was not tried with other backbones or on a GPU, and
    layers behind an overflow may hide it, as a ReLU does that turns what is not a number into 0.
    """
    if precision != "auto":
        return precision
    gpus = tf.config.list_physical_devices("GPU")
    native = all(_gpu_has_bfloat16(gpu) for gpu in gpus) if gpus else _cpu_has_bfloat16()
    return "bfloat16" if native else "float32"


def resolve_for_training(precision: str) -> str:
    """As `resolve`, but "auto" becomes "float16" on GPUs that multiply it natively and not bfloat16."""
    resolved = resolve(precision)
    gpus = tf.config.list_physical_devices("GPU")
    without_bfloat16 = precision == "auto" and resolved == "float32" and gpus
    return "float16" if without_bfloat16 and all(_capability(gpu) >= _VOLTA for gpu in gpus) else resolved


@contextlib.contextmanager
def arithmetic(precision: str) -> Iterator[None]:
    """Lets the models built in the block compute in a resolved precision; their variables stay float32."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(_POLICIES[precision])
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


@contextlib.contextmanager
def computed_in(precision: str, model: keras.Model) -> Iterator[None]:
    """Lets the layers of a float32 model compute in a resolved precision; what the block traces keeps it.

    Layers that are float32 under any policy, such as the head's, are to be left out of the model.
    """
    _set_policy(model, _POLICIES[precision])
    try:
        yield
    finally:
        _set_policy(model, _POLICIES["float32"])


def _set_policy(model: keras.Model, policy: str) -> None:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            _set_policy(layer, policy)
        else:
            layer.dtype_policy = policy


def _cpu_has_bfloat16() -> bool:
    return bool(_CPU_FLAGS & processor.instructions())


def _gpu_has_bfloat16(gpu: tf.config.PhysicalDevice) -> bool:
    return _capability(gpu) >= _AMPERE


def _capability(gpu: tf.config.PhysicalDevice) -> tuple[int, int]:
    return tf.config.experimental.get_device_details(gpu).get("compute_capability", (0, 0))
