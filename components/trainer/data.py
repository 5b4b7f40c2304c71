"""Features as training reads them: streamed from their files, in an order that the seed fixes."""

import tensorflow as tf

from components.feature_extractor import features
from components.feature_extractor.features import FeaturesInfo

# Records in memory for shuffling. Files already hold their pictures in the order of their hashes, which mixes classes.
_SHUFFLED_BYTES = 256 * 2**20


class Features:
    """The features of one artifact of FeatureExtractor."""

    def __init__(self, directory: str, batch_size: int, seed: int) -> None:
        """Reads what the features are.

        Args:
          directory: the artifact's folder.
          batch_size: features in a batch.
          seed: fixes the order in training, and which activations are mirrored.
        """
        self._directory = directory
        self._batch_size = batch_size
        self._seed = seed
        self.info = FeaturesInfo.read(directory)

    def counts(self, classes: int) -> list[int]:
        """Training pictures of each class."""
        counts = [0] * classes
        for _, labels in self.in_order("train", features.BOTTLENECKS):
            for label in labels.numpy():
                counts[label] += 1
        return counts

    def steps(self, split: str, family: str) -> int:
        """Batches in one pass over a split."""
        return sum(1 for _ in self.in_order(split, family))

    def in_order(self, split: str, family: str) -> tf.data.Dataset:
        """One pass over the first view of a split: batches of (features, class ids)."""
        dataset = tf.data.TFRecordDataset(features.files(self._directory, split, family, 0))
        return self._batches(dataset, family)

    def epochs(self, family: str, first: int, last: int, mirror: bool) -> tf.data.Dataset:
        """Training batches of the epochs `first` to `last` - 1, one after another; epoch e reads view e mod views.

        Args:
          family: which features.
          first: number of the first epoch, from 0.
          last: number after the last epoch.
          mirror: whether half of the activations are mirrored left to right: nearly what a mirrored picture would
            give, as convolutions treat both sides alike, without another pass through the frozen layers.
        """
        views = [features.files(self._directory, "train", family, view) for view in range(self.info.views)]
        size = 4 * tf.TensorShape(self.info.shapes[family]).num_elements()

        def epoch(number: tf.Tensor) -> tf.data.Dataset:
            seed = tf.stack([tf.cast(self._seed, tf.int64), number])
            files = tf.gather(tf.constant(views), number % self.info.views)
            files = tf.random.experimental.stateless_shuffle(files, seed)
            dataset = tf.data.TFRecordDataset(files)
            dataset = dataset.shuffle(max(self._batch_size, _SHUFFLED_BYTES // size), seed=seed[0] + number)
            dataset = self._batches(dataset, family)
            return dataset.enumerate().map(lambda i, batch: _mirror(batch, seed, i)) if mirror else dataset

        return tf.data.Dataset.range(first, last).flat_map(epoch).prefetch(2)

    def _batches(self, dataset: tf.data.Dataset, family: str) -> tf.data.Dataset:
        shape = self.info.shapes[family]
        return dataset.batch(self._batch_size).map(lambda batch: features.decode(family, batch, shape))


def _mirror(batch: tuple[tf.Tensor, tf.Tensor], seed: tf.Tensor, index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    values, labels = batch
    seed = seed + tf.stack([index * 1_000_003, tf.zeros_like(index)])
    chosen = tf.random.stateless_uniform([tf.shape(values)[0], 1, 1, 1], seed) < 0.5
    return tf.where(chosen, tf.reverse(values, axis=[2]), values), labels
