"""What BulkInferrer does: a work file of names in, a shard of predictions out."""

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

import apache_beam as beam
import tensorflow as tf
from tfx import types
from tfx.components.util import model_utils
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import path_utils

from common import labels, progress, unfinished, work_files
from common.errors import TransientError
from common.hashing import FINGERPRINT
from components.bulk_inferrer import inputs, records
from components.bulk_inferrer.driver import fingerprint
from modeling.prediction_formats import File, make_format
from modeling.predictor import Predictor

CSV = "predictions.csv"
# Custom properties of the output. The model is the folder of a SavedModel; empty where none is blessed.
FOUND, PREDICTED, FAILED, MODEL, IS_CANDIDATE = "found", "predicted", "failed", "model", "is_candidate"
_FILES_PER_SHARD = 256

_log = logging.getLogger(__name__)


class Executor(base_beam_executor.BaseBeamExecutor):
    """Fills an InferenceResult artifact.

    `predictions.csv` has one row per file, in the order of `inputs.find`, as `modeling.prediction_formats` writes
    them, with paths relative to the folder; `predictions-*-of-*.tfrecord` hold the same as `records` describes. Custom
    properties: the numbers of files found, predicted and failed, which add up; the model's folder; and 1 for
    `is_candidate` where that is this run's model. Where no model is blessed, nothing is written and the model is empty.
    """

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Predicts every file. The arguments are TFX's; their keys are those of BulkInferrerSpec.

        Goes on from the shards that a killed attempt finished.

        Raises:
          UserError: the folder is missing or empty, or changed while it was read.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        result = artifact_utils.get_single_instance(output_dict["inference_result"])
        root = exec_properties["data"]
        files = inputs.find(root)
        result.set_int_custom_property(FOUND, len(files))
        chosen = _choose(input_dict)
        if chosen is None:
            _describe(result, "", False, 0, 0)
            return
        model = path_utils.serving_model_path(chosen.uri)

        work = unfinished.make_folder(result.uri, unfinished.identity(input_dict, exec_properties))
        batches = work_files.write_batches(os.path.join(work, "files"), files, _FILES_PER_SHARD)
        shards = [
            (batch, os.path.join(work, f"predictions-{index:05d}-of-{len(batches):05d}.tfrecord"))
            for index, batch in enumerate(batches)
        ]
        progress.start(len(files), "pictures predicted")
        paths = [path for _, path in shards]
        with progress.by_files(paths), self._make_beam_pipeline() as pipeline:
            _ = pipeline | "Shards" >> beam.Create(shards) | "Predict" >> beam.ParDo(_PredictShard(model, root))
        if fingerprint(root) != exec_properties[FINGERPRINT]:
            fileio.rmtree(work)
            raise TransientError(f"infer folder {root!r} changed while it was read; run again when nothing changes it")

        classes = labels.read_labels(os.path.join(model, labels.ASSETS))
        failed = _write_csv(os.path.join(result.uri, CSV), batches, classes)
        fileio.rmtree(os.path.join(work, "files"))
        unfinished.move_files(work, result.uri)
        fileio.rmtree(work)
        _describe(result, model, chosen in input_dict["model"], len(files) - failed, failed)


class _Rows(NamedTuple):
    """What the table says of a work file's files, and of how many of them nothing could be predicted."""

    text: str
    failed: int


class _PredictShard(beam.DoFn):
    def __init__(self, model: str, root: str) -> None:
        self._model = model
        self._root = root

    def setup(self) -> None:
        self._predictor = Predictor(self._model)

    def process(self, shard: tuple[str, str]) -> Iterable[None]:
        """Predicts the files that a work file names, and writes their records."""
        batch, path = shard
        files = [File(**row) for row in work_files.read(batch)]
        if tf.io.gfile.exists(path):
            _log.info("%s was predicted by an earlier attempt", batch)
            progress.advance(len(files))
            return ()
        classes = self._predictor.classes
        located = [file._replace(path=os.path.join(self._root, file.path)) for file in files]
        predictions = self._predictor.predict(located, top=len(classes))
        table = make_format("csv", (), classes, top=1)
        lines, failed = [], 0
        with unfinished.record_writer(path) as writer:
            for file, answer in zip(files, chain.from_iterable(predictions), strict=True):
                prediction = answer._replace(file=file.path)
                writer.write(records.encode(prediction, classes))
                lines.append(table.row(prediction._replace(top=prediction.top[:1])))
                failed += bool(prediction.problem)
                progress.advance()
            # Where the records have their name, the rows have theirs.
            with unfinished.named_when_complete(_rows_of(batch)) as rows:
                work_files.write(rows, [_Rows("".join(lines), failed)])
        return ()


def _choose(input_dict: Mapping[str, list[types.Artifact]]) -> types.Artifact | None:
    """This run's model if it is blessed, else the last blessed one, if any."""
    if model_utils.is_model_blessed(artifact_utils.get_single_instance(input_dict["model_blessing"])):
        return artifact_utils.get_single_instance(input_dict["model"])
    return next(iter(input_dict.get("baseline_model") or []), None)


def _write_csv(path: str, batches: Iterable[str], classes: Sequence[str]) -> int:
    """Joins the rows of the table that belong to some work files; returns how many files could not be predicted."""
    failed = 0
    with fileio.open(path, "wb") as file:
        file.write(make_format("csv", (), classes, top=1).header.encode())
        for batch in batches:
            for rows in work_files.read(_rows_of(batch)):
                file.write(rows["text"].encode())
                failed += rows["failed"]
    return failed


def _rows_of(batch: str) -> str:
    return f"{batch}.rows"


def _describe(result: types.Artifact, model: str, is_candidate: bool, predicted: int, failed: int) -> None:
    result.set_int_custom_property(PREDICTED, predicted)
    result.set_int_custom_property(FAILED, failed)
    result.set_int_custom_property(IS_CANDIDATE, int(is_candidate))
    result.set_string_custom_property(MODEL, model)
