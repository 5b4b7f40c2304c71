"""TFX's hook into evaluation: TFMA's own extractors, but for our own inference, and one that keeps the predictions.

A module of its own, with no state: TFX loads it anew each time it asks for the hook.
"""

import os
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow as tf
import tensorflow_model_analysis as tfma

from common.examples import LABEL, SHA256
from components.evaluator import inference
from modeling import probabilities
from modeling.evaluations import BASELINE, CANDIDATE


def extractors(eval_shared_model: Any, eval_config: Any, tensor_adapter_config: Any) -> list[Any]:
    """TFMA's own extractors of features, labels and slices; the predictions, and what keeps them."""
    models = eval_shared_model if isinstance(eval_shared_model, list) else [eval_shared_model]
    folders = {model.model_name: model.model_path for model in models}
    places = probabilities.places.get()
    kept = {BASELINE: places.baseline} if places.baseline else {}
    made = tfma.extractors
    return [
        made.FeaturesExtractor(eval_config),
        made.LabelsExtractor(eval_config),
        made.UnbatchExtractor(),
        made.Extractor("Predict", inference.Predict(folders, kept)),
        # The metrics are computed of what this one gives.
        made.SliceKeyExtractor(eval_config=eval_config, materialize=False),
        made.Extractor("KeepPredictions", _Keep(os.path.join(places.destination, "part"))),
    ]


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
    by_model = {CANDIDATE: predictions} if inference.PROBABILITIES in predictions else predictions
    row = tf.train.Example()
    feature = row.features.feature
    feature[SHA256].bytes_list.value.append(np.ravel(extracts[tfma.FEATURES_KEY][SHA256])[0])
    feature[LABEL].int64_list.value.append(int(np.ravel(_label(extracts[tfma.LABELS_KEY]))[0]))
    for model, outputs in by_model.items():
        feature[model].float_list.value.extend(np.ravel(outputs[inference.PROBABILITIES]))
    return row.SerializeToString(deterministic=True)


def _label(labels: Any) -> Any:
    return labels[CANDIDATE] if isinstance(labels, dict) else labels
