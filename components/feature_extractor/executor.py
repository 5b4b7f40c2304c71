"""What FeatureExtractor does: a shard of examples in, a shard of features out."""

import contextlib
import logging
import os
import threading
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import apache_beam as beam
import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tensorflow_transform as tft
from tfx import types
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils

from common import example_records, labels, progress, unfinished
from common.errors import UserError
from common.examples import EVAL, FILE_NAME, IMAGE, LABEL, SHA256, TRAIN, read_pictures, split_folder
from components.feature_extractor.augmentation import Augmentation, augment
from modeling import backbones, devices, features, picture_graph, weights
from modeling.precision import arithmetic, resolve

SPLITS = (TRAIN, EVAL)

_log = logging.getLogger(__name__)
# The seed is that of the whole process: workers that build a model side by side would each get other random weights.
_seeded = threading.Lock()


class Settings(NamedTuple):
    """What features depend on besides the pictures; FeatureExtractorSpec documents each. The precision is resolved."""

    transform_graph: str
    backbone: str
    weights: str
    image_size: int
    fine_tune: bool
    fine_tune_at: int | None
    augmentation: Augmentation
    precision: str
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


class Executor(base_beam_executor.BaseBeamExecutor):
    """Reads `examples` and `transform_graph`, writes `features`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Extracts both splits. The arguments are TFX's; their keys are those of FeatureExtractorSpec.

        Goes on from the shards that a killed attempt finished.
        """
        examples = artifact_utils.get_single_instance(input_dict["examples"])
        output = artifact_utils.get_single_instance(output_dict["features"])
        graph = artifact_utils.get_single_uri(input_dict["transform_graph"])
        settings = _settings(graph, exec_properties)
        views = {TRAIN: exec_properties["augmentation_views"], EVAL: 0}

        output.split_names = artifact_utils.encode_split_names(list(SPLITS))
        labels.write_labels(output.uri, labels.read_labels(examples.uri))
        pictures = {split: count for split, count in read_pictures(examples).items() if split in SPLITS}
        # Also tells here that weights do not fit: Beam would wrap the error.
        extractor = Extractor(settings)
        # What another machine, or the same one later, may take otherwise: no two of them finish one piece of work.
        taken = {"precision": settings.precision, "weights_sha256": extractor.weights_sha256}
        identity = unfinished.identity(input_dict, {**exec_properties, **taken})
        extractor.info(max(1, views[TRAIN]), pictures, identity).write(output.uri)
        extract = _ExtractShard(settings, extractor.weights_sha256)
        del extractor  # each worker makes its own
        work = unfinished.make_folder(output.uri, identity)
        shards = [shard for split in SPLITS for shard in _shards(examples, work, split, views[split])]
        progress.start(sum(max(1, views[split]) * pictures[split] for split in SPLITS), "pictures")
        with self._make_beam_pipeline() as pipeline:
            _ = pipeline | "Shards" >> beam.Create(shards) | "Extract" >> beam.ParDo(extract)
        for split in SPLITS:
            unfinished.move_files(split_folder(work, split), split_folder(output.uri, split))
        tf.io.gfile.rmtree(work)


class _ExtractShard(beam.DoFn):
    def __init__(self, settings: Settings, weights_sha256: str) -> None:
        self._settings = settings
        self._weights_sha256 = weights_sha256

    def setup(self) -> None:
        """Raises UserError where this worker's weights are not those that the step began with."""
        self._extractor = Extractor(self._settings)
        if self._extractor.weights_sha256 != self._weights_sha256:
            raise UserError(
                f"backbone.weights: a worker loads other weights ({self._extractor.weights}) than the step began with; "
                f"expected the same on every worker while it runs"
            )

    def process(self, shard: Shard) -> Iterable[None]:
        self._extractor.extract(shard)
        return ()


class Extractor:
    """The Transform graph, the augmentation and the frozen layers, ready to run.

    Attributes:
      weights: where the weights are from.
      weights_sha256: their hash; this and the former are as in FeaturesInfo.
    """

    def __init__(self, settings: Settings) -> None:
        """Builds the model.

        Args:
          settings: what the features depend on.

        Raises:
          UserError: the weights, the picture size or the layer to fine-tune from do not fit the backbone.
        """
        devices.configure()
        self._settings = settings
        self._transform = tft.TFTransformOutput(settings.transform_graph).transform_features_layer()
        with _seeded, arithmetic(settings.precision):
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
        size = settings.image_size
        self._forward = tf.function(self._families, input_signature=[tf.TensorSpec([None, size, size, 3], tf.float32)])

    def info(self, views: int, pictures: dict[str, int], identity: str) -> features.FeaturesInfo:
        """What the features will be; the arguments are as in FeaturesInfo."""
        settings = self._settings
        return features.FeaturesInfo(
            backbone=settings.backbone,
            image_size=settings.image_size,
            fine_tune_index=self._index if settings.fine_tune else None,
            boundary=self._cut.boundary,
            shapes={family: [int(side) for side in spec.shape[1:]] for family, spec in self._outputs().items()},
            views=views,
            pictures=pictures,
            precision=settings.precision,
            weights=self.weights,
            weights_sha256=self.weights_sha256,
            identity=identity,
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
            for batch in self._batches(shard.examples):
                for view in range(max(1, shard.views)):
                    pictures = (
                        augment(batch.pictures, batch.sha256s, view, settings.seed, settings.augmentation)
                        if shard.views
                        else batch.pictures
                    )
                    for family, values in self._forward(pictures).items():
                        writers.write(family, view, batch, values.numpy())
                    progress.advance(len(batch.labels))

    def _is_done(self, shard: Shard) -> bool:
        return all(
            tf.io.gfile.exists(shard.path(family, view))
            for family in self._outputs()
            for view in range(max(1, shard.views))
        )

    def _outputs(self) -> dict[str, tf.TensorSpec]:
        return self._forward.get_concrete_function().structured_outputs

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


def _settings(transform_graph: str, exec_properties: dict[str, Any]) -> Settings:
    return Settings(
        transform_graph=transform_graph,
        backbone=exec_properties["backbone"],
        weights=exec_properties["weights"],
        image_size=exec_properties["image_size"],
        fine_tune=exec_properties["fine_tune"],
        fine_tune_at=exec_properties.get("fine_tune_at"),
        augmentation=Augmentation(*(exec_properties[limit] for limit in Augmentation._fields)),
        precision=resolve(exec_properties["precision"]),
        batch_size=exec_properties["batch_size"],
        seed=exec_properties["seed"],
    )


def _shards(examples: types.Artifact, work: str, split: str, views: int) -> list[Shard]:
    files = example_records.shards(examples.uri, split)
    output_dir = split_folder(work, split)
    tf.io.gfile.makedirs(output_dir)
    return [
        Shard(examples=file, output_dir=output_dir, number=number, shards=len(files), views=views)
        for number, file in enumerate(files)
    ]
