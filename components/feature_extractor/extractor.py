"""The frozen layers at work on a shard of pictures."""

import contextlib
import functools
import logging
import os
import threading
from collections.abc import Iterator
from typing import NamedTuple

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tensorflow_transform as tft

from common import progress, unfinished
from common.examples import FILE_NAME, IMAGE, LABEL, SHA256
from components.feature_extractor.augmentation import Augmentation, augment
from modeling import backbones, devices, features, picture_graph, weights
from modeling.engines import NCNN, Engine
from modeling.ncnn_network import NcnnNetwork, Values
from modeling.precision import arithmetic

_log = logging.getLogger(__name__)
# The seed is that of the whole process: workers that build a model side by side would each get other random weights.
_seeded = threading.Lock()


class Settings(NamedTuple):
    """What features depend on besides the pictures; FeatureExtractorSpec documents each. The engine is resolved."""

    transform_graph: str
    backbone: str
    weights: str
    image_size: int
    fine_tune: bool
    fine_tune_at: int | None
    augmentation: Augmentation
    engine: Engine
    batch_size: int
    seed: int


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
    """Pictures of one forward pass: float32 [batch, size, size, 3], class ids, hashes in hexadecimal."""

    pictures: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    sha256s: list[bytes]


class Extractor:
    """The Transform graph, the augmentation and the frozen layers, ready to run.

    Attributes:
      weights: where the weights are from.
      weights_sha256: their hash; this and the former are as in FeaturesInfo.
    """

    def __init__(self, settings: Settings, threads: int = 1) -> None:
        """Builds the model.

        Args:
          settings: what the features depend on.
          threads: processors that ncnn may keep busy; TensorFlow takes what there is.

        Raises:
          UserError: the weights, the picture size or the layer to fine-tune from do not fit the backbone.
        """
        devices.configure()
        self._settings = settings
        self._transform = tft.TFTransformOutput(settings.transform_graph).transform_features_layer()
        with _seeded, arithmetic(settings.engine.precision):
            keras.utils.set_random_seed(settings.seed)
            backbone = backbones.build(settings.backbone, settings.image_size)
            self.weights = weights.load_into(backbone, settings.backbone, settings.weights)
            self.weights_sha256 = weights.sha256_of(backbone)
            self._index = (
                backbones.fine_tune_index(backbone, settings.backbone, settings.fine_tune_at)
                if settings.fine_tune
                else len(backbone.layers)
            )
            self._cut = backbones.cut(backbone, settings.backbone, self._index)
        self._backbone, self._threads = backbone, threads
        size = settings.image_size
        self._graph = tf.function(self._families, input_signature=[tf.TensorSpec([None, size, size, 3], tf.float32)])

    def info(self, views: int, pictures: dict[str, int], identity: str) -> features.FeaturesInfo:
        """What the features will be; the arguments are as in FeaturesInfo."""
        settings = self._settings
        return features.FeaturesInfo(
            backbone=settings.backbone,
            image_size=settings.image_size,
            fine_tune_index=self._index if settings.fine_tune else None,
            boundary=self._cut.boundary,
            shapes=self._shapes(),
            views=views,
            pictures=pictures,
            precision=settings.engine.precision,
            weights=self.weights,
            weights_sha256=self.weights_sha256,
            identity=identity,
            engine=settings.engine.name,
        )

    def extract(self, shard: Shard) -> None:
        """Writes the features of one shard, a file a family and view, each complete or absent.

        A shard of which all files are there is left as it is.
        """
        settings = self._settings
        if self._is_done(shard):
            _log.info("%s was extracted by an earlier attempt", shard.examples)
            progress.advance(max(1, shard.views) * sum(1 for _ in tf.data.TFRecordDataset(shard.examples)))
            return
        with contextlib.ExitStack() as stack:
            writers = _Writers(shard, stack)
            forward = self._in_ncnn if settings.engine.name == NCNN else self._in_tensorflow
            for batch in self._batches(shard.examples):
                for view in range(max(1, shard.views)):
                    pictures = (
                        augment(batch.pictures, batch.sha256s, view, settings.seed, settings.augmentation)
                        if shard.views
                        else batch.pictures
                    )
                    for family, values in forward(pictures).items():
                        writers.write(family, view, batch, values)
                    progress.advance(len(batch.labels))

    def _is_done(self, shard: Shard) -> bool:
        return all(
            tf.io.gfile.exists(shard.path(family, view))
            for family in self._shapes()
            for view in range(max(1, shard.views))
        )

    def _shapes(self) -> dict[str, list[int]]:
        """Shape of one feature by family."""
        last = self._cut.suffix or self._cut.prefix
        shapes = {features.BOTTLENECKS: [last.output.shape[-1]]}
        if self._settings.fine_tune:
            shapes[features.ACTIVATIONS] = list(self._cut.prefix.output.shape[1:])
        return shapes

    @functools.cached_property
    def _network(self) -> NcnnNetwork:
        wanted = [self._cut.boundary] if self._settings.fine_tune else []
        return NcnnNetwork(self._backbone, [*wanted, len(self._backbone.operations) - 1], self._threads)

    def _in_ncnn(self, pictures: Values) -> dict[str, Values]:
        # Of an array, Keras scales the values where they are.
        *activations, maps = self._network(backbones.preprocess(self._settings.backbone, pictures.copy()))
        families = {features.BOTTLENECKS: maps.mean(axis=(1, 2))}
        if self._settings.fine_tune:
            families[features.ACTIVATIONS] = activations[0] if self._cut.boundary else pictures
        return families

    def _in_tensorflow(self, pictures: Values) -> dict[str, Values]:
        return {family: values.numpy() for family, values in self._graph(pictures).items()}

    def _families(self, pictures: tf.Tensor) -> dict[str, tf.Tensor]:
        activations = self._cut.prefix(pictures, training=False)
        maps = activations if self._cut.suffix is None else self._cut.suffix(activations, training=False)
        bottlenecks = tf.reduce_mean(tf.cast(maps, tf.float32), axis=[1, 2])
        families = {features.BOTTLENECKS: bottlenecks}
        if self._settings.fine_tune:
            families[features.ACTIVATIONS] = tf.cast(activations, tf.float32)
        return families

    def _batches(self, path: str) -> Iterator[Batch]:
        dataset = tf.data.TFRecordDataset(path).batch(self._settings.batch_size)
        dataset = dataset.map(self._parse, num_parallel_calls=2).prefetch(2)
        for pictures, class_ids, sha256s, names, errors in dataset.as_numpy_iterator():
            picture_graph.check(names, errors)
            yield Batch(pictures, class_ids, list(sha256s))

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


class _Writers:
    """One TFRecord writer a family and view; a file gets its name when it is complete."""

    def __init__(self, shard: Shard, stack: contextlib.ExitStack) -> None:
        self._shard = shard
        self._stack = stack
        self._writers: dict[str, tf.io.TFRecordWriter] = {}

    def write(self, family: str, view: int, batch: Batch, values: npt.NDArray[np.float32]) -> None:
        path = self._shard.path(family, view)
        if path not in self._writers:
            self._writers[path] = self._stack.enter_context(unfinished.record_writer(path))
        for feature, label, sha256 in zip(values, batch.labels, batch.sha256s, strict=True):
            self._writers[path].write(features.encode(family, feature, int(label), sha256))
