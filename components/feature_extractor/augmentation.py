"""Random mirroring, rotation and zoom of pictures, fixed by picture, view and seed."""

from typing import NamedTuple

import keras
import numpy as np
import numpy.typing as npt


class Augmentation(NamedTuple):
    """How far a view may stray from its picture.

    Attributes:
      flip: whether half of the views are mirrored left to right.
      rotation: largest angle to either side, as a fraction of a full turn.
      zoom: largest relative change of size, in and out.
    """

    flip: bool
    rotation: float
    zoom: float


def augment(
    pictures: npt.NDArray[np.float32],
    sha256s: list[bytes],
    view: int,
    seed: int,
    augmentation: Augmentation,
) -> npt.NDArray[np.float32]:
    """Augments each picture by what its hash, the view and the seed decide, whatever batch it comes in.

    Args:
      pictures: float32 [batch, height, width, channels].
      sha256s: the pictures' hashes in hexadecimal, one a picture.
      view: number of the view.
      seed: the run's seed.
      augmentation: the limits.

    Returns:
      Pictures of the same shape, dtype and value range; what moves in from outside the frame is mirrored from inside.
    """
    height, width = pictures.shape[1:3]
    transforms = [_transform(sha256, view, seed, augmentation, height, width) for sha256 in sha256s]
    return np.asarray(
        keras.ops.image.affine_transform(pictures, np.stack(transforms), interpolation="bilinear", fill_mode="reflect")
    )


def _transform(
    sha256: bytes, view: int, seed: int, limits: Augmentation, height: int, width: int
) -> npt.NDArray[np.float32]:
    """The eight numbers of a projective transform, output point to input point, about the picture's centre."""
    random = np.random.default_rng([seed, view, int(sha256, 16)])
    mirror = -1.0 if random.random() < 0.5 and limits.flip else 1.0
    angle = random.uniform(-limits.rotation, limits.rotation) * 2 * np.pi
    scale = 1 + random.uniform(-limits.zoom, limits.zoom)
    a, b = mirror * scale * np.cos(angle), -mirror * scale * np.sin(angle)
    c, d = scale * np.sin(angle), scale * np.cos(angle)
    x, y = (width - 1) / 2, (height - 1) / 2
    return np.array([a, b, x - a * x - b * y, c, d, y - c * x - d * y, 0, 0], np.float32)
