"""TFX's hook into evaluation: TFMA's own extractors, and one behind them that keeps the predictions.

A module of its own, with no state: TFX loads it anew each time it asks for the hook.
"""

import os
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow as tf
import tensorflow_model_analysis as tfma

from common.examples import FILE_NAME, LABEL, SHA256
from modeling import picture_graph, probabilities
from modeling.evaluations import CANDIDATE

_PROBABILITIES = "probabilities"


def extractors(eval_shared_model: Any, eval_config: Any, tensor_adapter_config: Any) -> list[Any]:
    """TFMA's own extractors, and one behind them that keeps the predictions."""
    default = tfma.default_extractors(
        eval_shared_model=eval_shared_model, eval_config=eval_config, tensor_adapter_config=tensor_adapter_config
    )
    keep = tfma.extractors.Extractor("KeepPredictions", _Keep(os.path.join(probabilities.destination.get(), "part")))
    return [*default, keep]


class _Keep(beam.PTransform):
    """Writes one row per example and passes the extracts on unchanged."""

    def __init__(self, prefix: str) -> None:
        super().__init__()
        self._prefix = prefix

    def expand(self, extracts: beam.PCollection) -> beam.PCollection:
        _ = extracts | "Row" >> beam.Map(_row) | "Write" >> beam.io.WriteToTFRecord(self._prefix)
        return extracts


def _row(extracts: dict[str, Any]) -> bytes:
    predictions = extracts[tfma.PREDICTIONS_KEY]
    # TFMA drops a model's name where there is only one.
    by_model = {CANDIDATE: predictions} if _PROBABILITIES in predictions else predictions
    # Models of earlier releases fail instead of naming errors.
    for outputs in by_model.values():
        names, errors = extracts[tfma.FEATURES_KEY][FILE_NAME], outputs.get(picture_graph.ERROR, b"")
        picture_graph.check(np.ravel(names).tolist(), np.ravel(errors).tolist())
    row = tf.train.Example()
    feature = row.features.feature
    feature[SHA256].bytes_list.value.append(np.ravel(extracts[tfma.FEATURES_KEY][SHA256])[0])
    feature[LABEL].int64_list.value.append(int(np.ravel(_label(extracts[tfma.LABELS_KEY]))[0]))
    for model, outputs in by_model.items():
        feature[model].float_list.value.extend(np.ravel(outputs[_PROBABILITIES]))
    return row.SerializeToString(deterministic=True)


def _label(labels: Any) -> Any:
    return labels[CANDIDATE] if isinstance(labels, dict) else labels
