"""What FeatureExtractor does: a shard of examples in, a shard of features out."""

import logging
import os
from collections.abc import Iterable
from typing import Any

import apache_beam as beam
import tensorflow as tf
from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions
from tfx import types
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils

from common import example_records, labels, progress, unfinished
from common.errors import UserError
from common.examples import EVAL, TRAIN, read_pictures, split_folder
from components.feature_extractor.augmentation import Augmentation
from components.feature_extractor.decoding import Shard
from components.feature_extractor.extractor import Extractor
from components.feature_extractor.layers import Settings
from modeling import devices, engines, features

SPLITS = (TRAIN, EVAL)

_log = logging.getLogger(__name__)


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
        engine, precision = settings.engine
        _log.info("%s runs in %s, in %s", settings.backbone, engine, precision)
        taken = {"engine": engine, "precision": precision, "weights_sha256": extractor.weights_sha256}
        identity = unfinished.identity(input_dict, {**exec_properties, **taken})
        extractor.info(max(1, views[TRAIN]), pictures, identity).write(output.uri)
        extract = _ExtractShards(settings, extractor.weights_sha256, _workers(self._beam_pipeline_args))
        del extractor  # each worker makes its own
        work = unfinished.make_folder(output.uri, identity)
        shards = [shard for split in SPLITS for shard in _shards(examples, work, split, views[split])]
        progress.start(sum(max(1, views[split]) * pictures[split] for split in SPLITS), "pictures")
        finished = (shard.path(features.BOTTLENECKS, view) for shard in shards for view in range(max(1, shard.views)))
        with progress.by_files(finished), self._make_beam_pipeline() as pipeline:
            _ = pipeline | "Shards" >> beam.Create(shards) | "Extract" >> beam.ParDo(extract)
        for split in SPLITS:
            unfinished.move_files(split_folder(work, split), split_folder(output.uri, split))
        tf.io.gfile.rmtree(work)


class _ExtractShards(beam.DoFn):
    def __init__(self, settings: Settings, weights_sha256: str, workers: int) -> None:
        self._settings = settings
        self._weights_sha256 = weights_sha256
        self._workers = workers

    def setup(self) -> None:
        """Raises UserError where this worker's weights are not those that the step began with."""
        self._extractor = Extractor(self._settings, max(1, devices.processors() // self._workers))
        if self._extractor.weights_sha256 != self._weights_sha256:
            raise UserError(
                f"backbone.weights: a worker loads other weights ({self._extractor.weights}) than the step began with; "
                f"expected the same on every worker while it runs"
            )

    def start_bundle(self) -> None:
        self._shards: list[Shard] = []

    def process(self, shard: Shard) -> Iterable[None]:
        self._shards.append(shard)
        return ()

    def finish_bundle(self) -> None:
        """All shards of a bundle at once, so that each is decoded while the layers work on the one before it."""
        self._extractor.extract(self._shards)


def _workers(beam_pipeline_args: list[str]) -> int:
    """How many workers of Beam share this machine; one where Beam runs on an engine, whose workers have their own."""
    options = PipelineOptions(beam_pipeline_args).view_as(DirectOptions)
    return options.direct_num_workers or os.cpu_count() or 1


def _settings(transform_graph: str, exec_properties: dict[str, Any]) -> Settings:
    return Settings(
        transform_graph=transform_graph,
        backbone=exec_properties["backbone"],
        weights=exec_properties["weights"],
        image_size=exec_properties["image_size"],
        fine_tune=exec_properties["fine_tune"],
        fine_tune_at=exec_properties.get("fine_tune_at"),
        augmentation=Augmentation(*(exec_properties[limit] for limit in Augmentation._fields)),
        engine=engines.resolve(exec_properties["engine"], exec_properties["precision"], exec_properties["backbone"]),
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
