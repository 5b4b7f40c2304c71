"""Pictures as the frozen layers take them: batches of decoded squares, shard by shard."""

import collections
import os
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tensorflow_transform as tft

from common.examples import FILE_NAME, IMAGE, LABEL, SHA256
from modeling import features, picture_graph

# Batches that are decoded at once. The graph's loop takes ten pictures of a batch at a time where there are threads.
_AHEAD = 2


class Shard(NamedTuple):
    """One file of examples, and where its features go.

    Attributes:
      examples: the file.
      output_dir: folder of the split's features while the step runs.
      number: of the shard in its split, from 0.
      shards: how many the split has.
      views: augmented views of each picture; 0 for the picture itself alone.
    """

    examples: str
    output_dir: str
    number: int
    shards: int
    views: int

    def path(self, family: str, view: int) -> str:
        """The file of one family and view of features."""
        return os.path.join(self.output_dir, features.file_name(family, self.number, self.shards, view))


class Batch(NamedTuple):
    """Pictures that pass through the layers together, all of one shard.

    Attributes:
      shard: the shard.
      pictures: float32 [batch, size, size, 3].
      labels: class ids, int64 [batch].
      sha256s: hashes in hexadecimal.
    """

    shard: Shard
    pictures: tf.Tensor
    labels: npt.NDArray[np.int64]
    sha256s: list[bytes]


class Reader:
    """Reads records and decodes their pictures by Transform's graph, which is prepared once."""

    def __init__(self, transform_graph: str, batch_size: int) -> None:
        """Loads the graph.

        Args:
          transform_graph: its folder.
          batch_size: pictures in a batch.
        """
        self._batch_size = batch_size
        self._transform = tft.TFTransformOutput(transform_graph).transform_features_layer()
        self._decode = tf.function(self._parse, input_signature=[tf.TensorSpec([None], tf.string)])

    def batches(self, shards: Sequence[Shard]) -> Generator[Batch, None, None]:
        """The pictures of shards, in their order; all but the last batch of a shard are full.

        The next batches, of the next shard too, are decoded while the caller works on one.

        Raises:
          UserError: a picture cannot be used.
        """
        waiting: collections.deque[Future[Batch]] = collections.deque()
        with ThreadPoolExecutor(_AHEAD, "reader") as threads:
            for number, records in self._records(shards):
                waiting.append(threads.submit(self._batch, shards[int(number)], records))
                if len(waiting) > _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def _records(self, shards: Sequence[Shard]) -> tf.data.Dataset:
        """Index of a shard, int64 [], and a batch of its records, string [batch]."""
        paths = tf.data.Dataset.from_tensor_slices(
            tf.constant([shard.examples for shard in shards], tf.string)
        ).enumerate()
        return paths.flat_map(
            lambda number, path: tf.data.TFRecordDataset(path).batch(self._batch_size).map(lambda some: (number, some))
        ).prefetch(1)

    def _batch(self, shard: Shard, records: tf.Tensor) -> Batch:
        # Not in a data set's `map`: that runs the graph's loop picture by picture, and where kernels are to be
        # deterministic, as on a GPU, one call after the other, because what catches errors in the graph has a state.
        with tf.device("/CPU:0"):
            pictures, labels, sha256s, names, errors = self._decode(records)
        picture_graph.check(names.numpy(), errors.numpy())
        return Batch(shard, pictures, labels.numpy(), list(sha256s.numpy()))

    def _parse(self, serialized: tf.Tensor) -> tuple[tf.Tensor, ...]:
        spec = {
            IMAGE: tf.io.FixedLenFeature([], tf.string),
            LABEL: tf.io.FixedLenFeature([], tf.int64),
            SHA256: tf.io.FixedLenFeature([], tf.string),
            FILE_NAME: tf.io.FixedLenFeature([], tf.string),
        }
        parsed = tf.io.parse_example(serialized, spec)
        read = self._transform({IMAGE: parsed[IMAGE]})
        return read[picture_graph.PICTURE], parsed[LABEL], parsed[SHA256], parsed[FILE_NAME], read[picture_graph.ERROR]
