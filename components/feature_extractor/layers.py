"""The frozen layers on one device: pictures in, features out."""

import functools
import threading
from typing import NamedTuple

import keras
import tensorflow as tf

from components.feature_extractor.augmentation import Augmentation, augment
from components.feature_extractor.decoding import Batch
from modeling import backbones, features, weights
from modeling.engines import NCNN, Engine
from modeling.ncnn_network import NcnnNetwork
from modeling.precision import arithmetic

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


class Layers:
    """The frozen layers and the augmentation before them.

    Attributes:
      weights: where the weights are from.
      weights_sha256: their hash; this and the former are as in FeaturesInfo.
      index: first layer of the backbone that stage 2 trains; the number of layers where there is no stage 2.
      boundary: where the backbone is cut, as in `backbones.Cut`.
    """

    def __init__(self, settings: Settings, device: str, threads: int) -> None:
        """Builds them.

        Args:
          settings: what the features depend on.
          device: TensorFlow's name of the device.
          threads: processors that ncnn may keep busy; TensorFlow takes what there is.

        Raises:
          UserError: the weights, the picture size or the layer to fine-tune from do not fit the backbone.
        """
        self._settings, self._device, self._threads = settings, device, threads
        with _seeded, arithmetic(settings.engine.precision), tf.device(device):
            keras.utils.set_random_seed(settings.seed)
            self._backbone = backbones.build(settings.backbone, settings.image_size)
            self.weights = weights.load_into(self._backbone, settings.backbone, settings.weights)
            self.weights_sha256 = weights.sha256_of(self._backbone)
            self.index = (
                backbones.fine_tune_index(self._backbone, settings.backbone, settings.fine_tune_at)
                if settings.fine_tune
                else len(self._backbone.layers)
            )
            self._cut = backbones.cut(self._backbone, settings.backbone, self.index)
        self.boundary = self._cut.boundary
        size = settings.image_size
        pictures = tf.TensorSpec([None, size, size, 3], tf.float32)
        sha256s, view = tf.TensorSpec([None], tf.string), tf.TensorSpec([], tf.int64)
        self._view = tf.function(self._augmented, input_signature=[pictures, sha256s, view])
        self._graph = tf.function(self._families, input_signature=[pictures])
        self._forward = self._in_ncnn if settings.engine.name == NCNN else self._graph

    def shapes(self) -> dict[str, list[int]]:
        """Shape of one feature by family."""
        last = self._cut.suffix or self._cut.prefix
        shapes = {features.BOTTLENECKS: [last.output.shape[-1]]}
        if self._settings.fine_tune:
            shapes[features.ACTIVATIONS] = list(self._cut.prefix.output.shape[1:])
        return shapes

    def compute(self, batch: Batch) -> list[dict[str, tf.Tensor]]:
        """Features by family as they are stored, for each view; a GPU may still be at work on them."""
        with tf.device(self._device):
            pictures = tf.identity(batch.pictures)  # a GPU gets them once for all views
            if not batch.shard.views:
                return [self._forward(pictures)]
            return [self._forward(self._view(pictures, batch.sha256s, view)) for view in range(batch.shard.views)]

    def _augmented(self, pictures: tf.Tensor, sha256s: tf.Tensor, view: tf.Tensor) -> tf.Tensor:
        return augment(pictures, sha256s, view, self._settings.seed, self._settings.augmentation)

    def _families(self, pictures: tf.Tensor) -> dict[str, tf.Tensor]:
        activations = self._cut.prefix(pictures, training=False)
        maps = activations if self._cut.suffix is None else self._cut.suffix(activations, training=False)
        return self._stored(activations, tf.reduce_mean(tf.cast(maps, tf.float32), axis=[1, 2]))

    @functools.cached_property
    def _network(self) -> NcnnNetwork:
        wanted = [self._cut.boundary] if self._settings.fine_tune else []
        return NcnnNetwork(self._backbone, [*wanted, len(self._backbone.operations) - 1], self._threads)

    def _in_ncnn(self, pictures: tf.Tensor) -> dict[str, tf.Tensor]:
        # Of an array, Keras scales the values where they are.
        scaled = backbones.preprocess(self._settings.backbone, pictures.numpy().copy())
        *activations, maps = self._network(scaled)
        return self._stored(activations[0] if activations and self._cut.boundary else pictures, maps.mean(axis=(1, 2)))

    def _stored(self, activations: tf.Tensor, bottlenecks: tf.Tensor) -> dict[str, tf.Tensor]:
        families = {features.BOTTLENECKS: bottlenecks}
        if self._settings.fine_tune:
            families[features.ACTIVATIONS] = activations
        return {family: features.stored(family, values) for family, values in families.items()}
