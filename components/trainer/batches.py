"""Features as training reads them: streamed from their files, in an order that the seed fixes."""

import functools
import itertools
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from common.examples import TRAIN
from modeling import features
from modeling.features import FeaturesInfo

# Records in memory for shuffling. Files already hold their pictures in the order of their hashes, which mixes classes.
_SHUFFLED_BYTES = 128 * 2**20
# Files that are read at once, by turns. A constant, as it decides the order of the pictures.
_FILES_AT_ONCE = 8
# Batches that are decoded at once, in their order.
_DECODED_AT_ONCE = 4


class Features:
    """The features of one artifact of FeatureExtractor."""

    def __init__(self, directory: str, batch_size: int, seed: int, devices: int = 1) -> None:
        """Reads what the features are.

        Args:
          directory: the artifact's folder.
          batch_size: features in a batch.
          seed: fixes the order in training.
          devices: how many share a batch.
        """
        self._directory = directory
        self._batch_size = batch_size
        self._seed = seed
        self.devices = devices
        self.info = FeaturesInfo.read(directory)

    def counts(self, classes: int) -> list[int]:
        """Training pictures of each class."""
        return np.bincount(self.labels(TRAIN), minlength=classes).tolist()

    @property
    def steps_per_epoch(self) -> int:
        """Training batches in an epoch."""
        whole, rest = divmod(self.info.pictures[TRAIN], self._batch_size)
        return whole + (rest >= self.devices)

    def labels(self, split: str) -> npt.NDArray[np.int64]:
        """Class ids of a split's pictures, [pictures], in the order of `in_order`."""
        batches = self.in_order(split, features.BOTTLENECKS).as_numpy_iterator()
        return np.concatenate([labels for _, labels in batches])

    def in_order(self, split: str, family: str, view: int = 0) -> tf.data.Dataset:
        """One pass over a view of a split, batches as `epochs` has them; each family and view in the same order."""
        files = features.files(self._directory, split, family, view)
        dataset = _records(tf.data.Dataset.from_tensor_slices(files)).batch(self._batch_size)
        # Keras takes the end of a data set of unknown length for a mishap.
        batches = math.ceil(self.info.pictures[split] / self._batch_size)
        return self._decoded(dataset, family).apply(tf.data.experimental.assert_cardinality(batches))

    def in_memory(self, split: str, family: str) -> tuple[npt.NDArray[np.floating[Any]], npt.NDArray[np.int64]]:
        """A split's features, [pictures x views, *shape], and class ids; of all views, one after another."""
        views = range(self.info.views if split == TRAIN else 1)
        passes = [self.in_order(split, family, view).as_numpy_iterator() for view in views]
        values, labels = zip(*itertools.chain(*passes), strict=True)
        return np.concatenate(values), np.concatenate(labels)

    def epochs(self, family: str, first: int = 0) -> tf.data.Dataset:
        """Training batches without end: one epoch after another, epoch e from view e mod views.

        A batch is features, [batch, *shape] in the type that they are stored in, and class ids, int64 [batch]: models
        cast the features on the device, which they reach in no more bytes than the files have.

        Each epoch has an order of its own, which the seed fixes. A last batch of fewer pictures than devices is left
        out: not every kernel bears a batch of nothing, and oneDNN's gradient of max pooling ends the process.

        Args:
          family: which features.
          first: the epoch to begin with. Those before it are read and dropped: each order follows from the last.
        """
        views = [self._shuffled(family, view) for view in range(self.info.views)]
        epochs = functools.reduce(tf.data.Dataset.concatenate, views).repeat()
        return self._decoded(epochs.skip(first * self.steps_per_epoch), family)

    def _shuffled(self, family: str, view: int) -> tf.data.Dataset:
        """Batches of records of a view of the training split, in another order each time it is gone through."""
        files = features.files(self._directory, TRAIN, family, view)
        records = _records(tf.data.Dataset.from_tensor_slices(files).shuffle(len(files), self._seed))
        shuffled = records.shuffle(_SHUFFLED_BYTES // self.info.value_bytes(family), self._seed)
        return shuffled.batch(self._batch_size).take(self.steps_per_epoch)

    def _decoded(self, batches: tf.data.Dataset, family: str) -> tf.data.Dataset:
        """Batches of (features, class ids) from batches of records."""
        shape = self.info.shapes[family]
        return batches.map(lambda batch: features.decode(family, batch, shape), _DECODED_AT_ONCE).prefetch(2)


def _records(files: tf.data.Dataset) -> tf.data.Dataset:
    """The records of some files, always in the same order."""
    return files.interleave(tf.data.TFRecordDataset, _FILES_AT_ONCE, num_parallel_calls=_FILES_AT_ONCE)
