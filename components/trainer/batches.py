"""Features as training reads them: streamed from their files, in an order that the seed fixes."""

import functools
import math

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from common.examples import TRAIN
from modeling import features
from modeling.features import FeaturesInfo

# Records in memory for shuffling. Files already hold their pictures in the order of their hashes, which mixes classes.
_SHUFFLED_BYTES = 256 * 2**20


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
        counts = [0] * classes
        for _, labels in self.in_order(TRAIN, features.BOTTLENECKS):
            for label in labels.numpy():
                counts[label] += 1
        return counts

    @property
    def steps_per_epoch(self) -> int:
        """Training batches in an epoch."""
        whole, rest = divmod(self.info.pictures[TRAIN], self._batch_size)
        return whole + (rest >= self.devices)

    def in_order(self, split: str, family: str) -> tf.data.Dataset:
        """One pass over the first view of a split: batches of (features, class ids)."""
        dataset = tf.data.TFRecordDataset(features.files(self._directory, split, family, 0))
        # Keras takes the end of a data set of unknown length for a mishap.
        batches = math.ceil(self.info.pictures[split] / self._batch_size)
        return self._batches(dataset, family).apply(tf.data.experimental.assert_cardinality(batches))

    def in_memory(self, split: str, family: str) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """A split's features, [pictures x views, *shape], and class ids; of all views, one after another."""
        views = range(self.info.views if split == TRAIN else 1)
        files = [file for view in views for file in features.files(self._directory, split, family, view)]
        batches = list(self._batches(tf.data.TFRecordDataset(files), family).as_numpy_iterator())
        values, labels = zip(*batches, strict=True)
        return np.concatenate(values), np.concatenate(labels)

    def epochs(self, family: str, first: int = 0) -> tf.data.Dataset:
        """Training batches without end: one epoch after another, epoch e from view e mod views.

        Each epoch has an order of its own, which the seed fixes. A last batch of fewer pictures than devices is left
        out: not every kernel bears a batch of nothing, and oneDNN's gradient of max pooling ends the process.

        Args:
          family: which features.
          first: the epoch to begin with. Those before it are read and dropped: each order follows from the last.
        """
        views = [self._shuffled(family, view) for view in range(self.info.views)]
        epochs = functools.reduce(tf.data.Dataset.concatenate, views).repeat()
        return epochs.skip(first * self.steps_per_epoch).prefetch(2)

    def _shuffled(self, family: str, view: int) -> tf.data.Dataset:
        """One view of the training split, in another order each time it is gone through."""
        files = features.files(self._directory, TRAIN, family, view)
        record_bytes = 4 * math.prod(self.info.shapes[family])
        dataset = tf.data.Dataset.from_tensor_slices(files).shuffle(len(files), self._seed)
        dataset = tf.data.TFRecordDataset(dataset)
        batches = self._batches(dataset.shuffle(_SHUFFLED_BYTES // record_bytes, self._seed), family)
        return batches.take(self.steps_per_epoch)

    def _batches(self, dataset: tf.data.Dataset, family: str) -> tf.data.Dataset:
        shape = self.info.shapes[family]
        return dataset.batch(self._batch_size).map(lambda batch: features.decode(family, batch, shape))
