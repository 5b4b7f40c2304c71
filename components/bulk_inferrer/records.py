"""A prediction as a record: a serialized tf.train.Example.

| feature | value |
| --- | --- |
| `file_name` | bytes: relative to the folder, escaped as `common.escaping` does |
| `label` | bytes: the most probable class; none where there is an error |
| `score` | float: its probability, 0 to 1; none where there is an error |
| `probabilities` | floats, by class id; none where there is an error |
| `error` | bytes: why the file could not be predicted; none where it was |
"""

from collections.abc import Iterable, Sequence

import tensorflow as tf

from common import escaping
from common.examples import FILE_NAME
from modeling.prediction_formats import Prediction


def encode(prediction: Prediction, classes: Sequence[str]) -> bytes:
    """Makes a record.

    Args:
      prediction: with all classes, unless it has a problem.
      classes: their names by class id.
    """
    scores = dict(prediction.top)
    feature = {
        FILE_NAME: _bytes(escaping.escape(prediction.file)),
        "label": _bytes(*(label for label, _ in prediction.top[:1])),
        "score": _floats(score for _, score in prediction.top[:1]),
        "probabilities": _floats(scores[name] for name in classes if scores),
        "error": _bytes(*filter(None, [prediction.problem])),
    }
    example = tf.train.Example(features=tf.train.Features(feature=feature))
    return example.SerializeToString(deterministic=True)


def _bytes(*texts: str) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[text.encode() for text in texts]))


def _floats(values: Iterable[float]) -> tf.train.Feature:
    return tf.train.Feature(float_list=tf.train.FloatList(value=values))
