"""What computes the frozen layers."""

import importlib.util
from typing import NamedTuple

import tensorflow as tf

from common.errors import UserError
from modeling import precision
from modeling.backbone_names import BACKBONES

TENSORFLOW = "tensorflow"
NCNN = "ncnn"


class Engine(NamedTuple):
    """A way to compute them.

    Attributes:
      name: TENSORFLOW or NCNN.
      precision: its arithmetic, "float32" or "bfloat16".
    """

    name: str
    precision: str


def resolve(engine: str, arithmetic: str, backbone: str) -> Engine:
    """The faster on this machine of what the settings leave open.

    ncnn computes in float32 alone and on the processor alone. There it is the faster one for a chain of 3x3
    convolutions, unless the processor has bfloat16 for TensorFlow.

    Args:
      engine: "auto", or the one to take.
      arithmetic: "auto", "float32" or "bfloat16"; not the latter with NCNN.
      backbone: its name; a chain, where the engine is NCNN.

    Raises:
      UserError: ncnn is to be taken and is not installed.
    """
    if engine == NCNN:
        if not _has_ncnn():
            raise UserError("features.engine: got ncnn, which is not installed here; expected auto or tensorflow")
        return Engine(NCNN, "float32")
    resolved = precision.resolve(arithmetic)
    taken = engine == "auto" and resolved == "float32" and BACKBONES[backbone].is_chain and _has_ncnn()
    return Engine(NCNN if taken and not tf.config.list_physical_devices("GPU") else TENSORFLOW, resolved)


def _has_ncnn() -> bool:
    return importlib.util.find_spec("ncnn") is not None
