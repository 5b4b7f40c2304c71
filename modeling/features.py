"""The files that FeatureExtractor writes and Trainer reads.

A split has two families of TFRecord files, a file a shard and view each:

    Split-train/bottlenecks-00000-of-00003.view-00.tfrecord   for stage 1: feature maps, averaged over their positions
    Split-train/activations-00000-of-00003.view-00.tfrecord   for stage 2: activations at the boundary

The files of a shard hold the same pictures in the same order.
`features.json` beside the splits tells their shapes, `labels.txt` the class names.
"""

import json
import math
import os
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from common.examples import LABEL, SHA256, split_folder

BOTTLENECKS = "bottlenecks"
ACTIVATIONS = "activations"
_INFO_FILE = "features.json"
_FEATURE = "feature"
_READ_AT_ONCE = 1024  # records
_DTYPES = {BOTTLENECKS: tf.float32, ACTIVATIONS: tf.float16}


@dataclass(frozen=True)
class FeaturesInfo:
    """What the features are.

    Attributes:
      backbone: its name.
      image_size: side of the pictures in pixels.
      fine_tune_index: first layer of the backbone that stage 2 trains; None where stage 2 is off.
      boundary: where the backbone is cut, as in `backbones.Cut`.
      shapes: shape of one feature by family; without "activations" where stage 2 is off.
      views: views of each training picture.
      pictures: number of pictures by split.
      precision: arithmetic of the forward pass, "float32" or "bfloat16".
      weights: where the backbone's weights are from, as `modeling.weights.load_into` tells it.
      weights_sha256: hash of them, as `modeling.weights.sha256_of` makes it.
      identity: hash of all that the features depend on, as `common.unfinished` makes it.
      engine: what ran the forward pass, as `modeling.engines` names it; TensorFlow alone did before it had a name.
    """

    backbone: str
    image_size: int
    fine_tune_index: int | None
    boundary: int
    shapes: dict[str, list[int]]
    views: int
    pictures: dict[str, int]
    precision: str
    weights: str
    weights_sha256: str
    identity: str
    engine: str = "tensorflow"

    def value_bytes(self, family: str) -> int:
        """Bytes that the values of one feature take, in files and in memory."""
        return _DTYPES[family].size * math.prod(self.shapes[family])

    def write(self, directory: str) -> None:
        """Writes `features.json`."""
        with tf.io.gfile.GFile(os.path.join(directory, _INFO_FILE), "w") as file:
            file.write(json.dumps(asdict(self), indent=2))

    @classmethod
    def read(cls, directory: str) -> "FeaturesInfo":
        """Reads `features.json`."""
        with tf.io.gfile.GFile(os.path.join(directory, _INFO_FILE)) as file:
            return cls(**json.loads(file.read()))


class Bottlenecks(NamedTuple):
    """The pictures of a split, in the order of its files.

    Attributes:
      sha256s: hash of each picture's file, hexadecimal.
      values: float32 [pictures, channels].
    """

    sha256s: list[str]
    values: npt.NDArray[np.float32]


def file_name(family: str, shard: int, shards: int, view: int) -> str:
    """Name of one file of a split."""
    return f"{family}-{shard:05d}-of-{shards:05d}.view-{view:02d}.tfrecord"


def files(directory: str, split: str, family: str, view: int) -> list[str]:
    """The files of one view of a split, sorted."""
    pattern = os.path.join(split_folder(directory, split), f"{family}-*.view-{view:02d}.tfrecord")
    return sorted(tf.io.gfile.glob(pattern))


def stored(family: str, values: tf.Tensor) -> tf.Tensor:
    """Values in the type that they are kept in; what it cannot hold becomes the nearest number that it can.

    Args:
      family: BOTTLENECKS (kept as float32) or ACTIVATIONS (kept as float16).
      values: of any floating type.
    """
    dtype = _DTYPES[family]
    return tf.cast(tf.clip_by_value(tf.cast(values, tf.float32), dtype.min, dtype.max), dtype)


def encode(feature: npt.NDArray[np.floating[Any]], label: int, sha256: bytes) -> bytes:
    """One serialized tf.Example.

    Args:
      feature: the values, in the type that `stored` gives them.
      label: class id.
      sha256: the picture's hash in hexadecimal.
    """
    return tf.train.Example(
        features=tf.train.Features(
            feature={
                _FEATURE: tf.train.Feature(bytes_list=tf.train.BytesList(value=[feature.tobytes()])),
                LABEL: tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
                SHA256: tf.train.Feature(bytes_list=tf.train.BytesList(value=[sha256])),
            }
        )
    ).SerializeToString(deterministic=True)


def decode(family: str, serialized: tf.Tensor, shape: list[int]) -> tuple[tf.Tensor, tf.Tensor]:
    """The inverse of `encode`, for batches.

    Args:
      family: as in `stored`.
      serialized: string [batch].
      shape: shape of one feature.

    Returns:
      Features [batch, *shape], in the type that they are kept in, and class ids, int64 [batch].
    """
    parsed = tf.io.parse_example(
        serialized,
        {_FEATURE: tf.io.FixedLenFeature([], tf.string), LABEL: tf.io.FixedLenFeature([], tf.int64)},
    )
    values = tf.io.decode_raw(parsed[_FEATURE], _DTYPES[family])
    return tf.reshape(values, [-1, *shape]), parsed[LABEL]


def read_bottlenecks(directory: str, split: str) -> Bottlenecks:
    """Reads the first view of a split; the arguments are as in `files`."""
    spec = {_FEATURE: tf.io.FixedLenFeature([], tf.string), SHA256: tf.io.FixedLenFeature([], tf.string)}
    records = tf.data.TFRecordDataset(files(directory, split, BOTTLENECKS, 0)).batch(_READ_AT_ONCE)
    batches = list(records.map(lambda batch: tf.io.parse_example(batch, spec)).as_numpy_iterator())
    sha256s = [sha256.decode() for batch in batches for sha256 in batch[SHA256]]
    values = np.frombuffer(b"".join(value for batch in batches for value in batch[_FEATURE]), np.float32)
    return Bottlenecks(sha256s, values.reshape(len(sha256s), -1))
