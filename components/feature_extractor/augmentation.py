"""Random mirroring, rotation and zoom of pictures, fixed by picture, view and seed; all of it TensorFlow operations."""

import math
from typing import NamedTuple

import keras
import tensorflow as tf

_LARGEST_HASH = 2**63 - 1


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
    pictures: tf.Tensor, sha256s: tf.Tensor, view: tf.Tensor, seed: int, augmentation: Augmentation
) -> tf.Tensor:
    """Augments each picture by what its hash, the view and the seed decide, whatever batch it comes in.

    Args:
      pictures: float32 [batch, height, width, channels].
      sha256s: the pictures' hashes in hexadecimal, string [batch].
      view: number of the view, an integer [].
      seed: the run's seed.
      augmentation: the limits.

    Returns:
      Pictures of the same shape, dtype and value range; what moves in from outside the frame is mirrored from inside.
    """
    height, width = pictures.shape[1:3]
    with tf.device("/CPU:0"):  # a GPU has no strings, and would take longer to start on so few numbers
        keys = tf.strings.to_hash_bucket_fast(tf.strings.join([sha256s, str(seed)], "/"), _LARGEST_HASH)
        seeds = tf.stack([keys, tf.fill(tf.shape(keys), tf.cast(view, tf.int64))], axis=1)
        drawn = tf.map_fn(_draw, seeds, fn_output_signature=tf.float32)
        transforms = _transforms(drawn, augmentation, height, width)
    return keras.ops.image.affine_transform(pictures, transforms, interpolation="bilinear", fill_mode="reflect")


def _draw(seed: tf.Tensor) -> tf.Tensor:
    return tf.random.stateless_uniform([3], seed, minval=-1.0)


def _transforms(drawn: tf.Tensor, limits: Augmentation, height: int, width: int) -> tf.Tensor:
    """The eight numbers of each projective transform, output point to input point, about the picture's centre.

    From three numbers each between -1 and 1: float32 [batch, 3] -> [batch, 8].
    """
    coin, turn, change = tf.unstack(drawn, axis=1)
    mirror = tf.where((coin < 0) & limits.flip, -1.0, 1.0)
    angle = turn * (limits.rotation * 2 * math.pi)
    scale = 1 + change * limits.zoom
    a, b = mirror * scale * tf.cos(angle), -mirror * scale * tf.sin(angle)
    c, d = scale * tf.sin(angle), scale * tf.cos(angle)
    x, y = (width - 1) / 2, (height - 1) / 2
    nothing = tf.zeros_like(a)
    return tf.stack([a, b, x - a * x - b * y, c, d, y - c * x - d * y, nothing, nothing], axis=1)
