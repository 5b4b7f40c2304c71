"""The frozen layers at work on shards of pictures."""

import contextlib
import functools
import itertools
import logging
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import tensorflow as tf

from common import progress
from components.feature_extractor.decoding import Reader, Shard
from components.feature_extractor.layers import Layers, Settings
from components.feature_extractor.writing import open_writer
from modeling import devices, features
from modeling.engines import TENSORFLOW

_log = logging.getLogger(__name__)


class Extractor:
    """The Transform graph, the augmentation and the frozen layers, ready to run.

    Attributes:
      weights: where the weights are from.
      weights_sha256: their hash; this and the former are as in FeaturesInfo.
    """

    def __init__(self, settings: Settings, threads: int = 1) -> None:
        """Builds the model, once a device.

        Args:
          settings: what the features depend on.
          threads: processors that ncnn may keep busy; TensorFlow takes what there is.

        Raises:
          UserError: the weights, the picture size or the layer to fine-tune from do not fit the backbone.
        """
        devices.configure()
        self._settings = settings
        self._reader = Reader(settings.transform_graph, settings.batch_size)
        names = devices.names() if settings.engine.name == TENSORFLOW else ["/CPU:0"]
        self._layers = [Layers(settings, name, threads) for name in names]
        self.weights, self.weights_sha256 = self._layers[0].weights, self._layers[0].weights_sha256

    def info(self, views: int, pictures: dict[str, int], identity: str) -> features.FeaturesInfo:
        """What the features will be; the arguments are as in FeaturesInfo."""
        settings = self._settings
        layers = self._layers[0]
        return features.FeaturesInfo(
            backbone=settings.backbone,
            image_size=settings.image_size,
            fine_tune_index=layers.index if settings.fine_tune else None,
            boundary=layers.boundary,
            shapes=layers.shapes(),
            views=views,
            pictures=pictures,
            precision=settings.engine.precision,
            weights=self.weights,
            weights_sha256=self.weights_sha256,
            identity=identity,
            engine=settings.engine.name,
        )

    def extract(self, shards: Iterable[Shard]) -> None:
        """Writes the features of shards, in their order, a file a family and view, each complete or absent.

        A shard of which all files are there is left as it is. The devices take a batch each in turn.
        """
        left = [shard for shard in shards if not self._is_done(shard)]
        with contextlib.ExitStack() as stack:
            threads = [stack.enter_context(ThreadPoolExecutor(1)) for _ in self._layers]
            turns = itertools.cycle(zip(self._layers, threads, strict=True))
            writer = stack.enter_context(open_writer(2 * len(threads)))
            stack.push(functools.partial(_drop_waiting, threads))
            batches = stack.enter_context(contextlib.closing(self._reader.batches(left)))
            for batch, (layers, thread) in zip(batches, turns, strict=False):
                writer.put(batch, thread.submit(layers.compute, batch))

    def _is_done(self, shard: Shard) -> bool:
        families, views = self._layers[0].shapes(), range(max(1, shard.views))
        if not all(tf.io.gfile.exists(shard.path(family, view)) for family in families for view in views):
            return False
        _log.info("%s was extracted by an earlier attempt", shard.examples)
        progress.advance(len(views) * sum(1 for _ in tf.data.TFRecordDataset(shard.examples)))
        return True


def _drop_waiting(threads: Sequence[ThreadPoolExecutor], failed: type[BaseException] | None, *_: object) -> None:
    """After a failure or an interrupt, does not compute the batches that no device has begun."""
    if failed is not None:
        for thread in threads:
            thread.shutdown(wait=False, cancel_futures=True)
