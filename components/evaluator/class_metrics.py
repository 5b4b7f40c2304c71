"""Precision, recall and area under the ROC curve of each class, where the predicted class is the most probable one.

TFMA's own precision and recall ask whether the class's probability is above a half: with three or more classes that is
another question, and with `top_k` they compare a class with itself alone. Also, TFMA measures each class in each slice,
and classes are slices too. Here a slice has the numbers of the classes that its pictures are of or were given, so that
time and results grow with the pictures and not with the square of the classes.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import metric_util
from tensorflow_model_analysis.metrics import multi_class_confusion_matrix_metrics as confusion
from tensorflow_model_analysis.proto import config_pb2

_Counts = Mapping[confusion.MatrixEntryKey, float]
_Values = Iterator[tuple[int, float]]


class _ClassMetric(tfma.metrics.Metric):
    """A number for each of some classes, by class id, of what one computation gathers from a slice."""

    NAME: ClassVar[str]

    def __init__(self, name: str | None = None) -> None:
        super().__init__(tfma.metrics.merge_per_key_computations(self._computations), name=name or self.NAME)

    def _computations(
        self,
        name: str | None = None,
        eval_config: config_pb2.EvalConfig | None = None,
        model_name: str = "",
        output_name: str = "",
        example_weighted: bool = False,
    ) -> tfma.metrics.MetricComputations:
        shared = {"model_name": model_name, "output_name": output_name, "example_weighted": example_weighted}
        gathered = self._gathered(eval_config=eval_config, **shared)
        key = tfma.metrics.MetricKey(name=name, **shared)

        def result(found: Mapping[tfma.metrics.MetricKey, Any]) -> dict[tfma.metrics.MetricKey, float]:
            values = self._values(found[gathered[-1].keys[-1]])
            return {key._replace(sub_key=tfma.metrics.SubKey(class_id=class_id)): value for class_id, value in values}

        return [*gathered, tfma.metrics.DerivedMetricComputation(keys=[key], result=result)]

    def _gathered(self, **options: Any) -> tfma.metrics.MetricComputations:
        raise NotImplementedError

    def _values(self, gathered: Any) -> _Values:
        raise NotImplementedError


class _Share(_ClassMetric):
    """The share of correct ones among the pictures whose true or predicted class is the one asked for.

    NaN where there are none.
    """

    SIDE: ClassVar[str]

    def _gathered(self, **options: Any) -> tfma.metrics.MetricComputations:
        return confusion.multi_class_confusion_matrices(**options)

    def _values(self, gathered: Mapping[float, _Counts]) -> _Values:
        (counts,) = gathered.values()
        totals: dict[int, float] = {}
        for entry, count in counts.items():
            for class_id in entry:
                totals.setdefault(class_id, 0.0)
            totals[getattr(entry, self.SIDE)] += count
        for class_id, total in totals.items():
            hits = counts.get(confusion.MatrixEntryKey(class_id, class_id), 0.0)
            yield class_id, hits / total if total else float("nan")


class ClassPrecision(_Share):
    """Of the pictures that were given the class, the share that belongs to it."""

    NAME = "precision"
    SIDE = "predicted_class_id"


class ClassRecall(_Share):
    """Of the pictures that belong to the class, the share that was given it."""

    NAME = "recall"
    SIDE = "actual_class_id"


class ClassAuc(_ClassMetric):
    """How probable it is that a picture of the class has a higher probability of it than a picture of another class.

    In the slices that hold both. Probabilities count as equal, which is half a success, between two of the thresholds
    that TFMA's AUC has by default.
    """

    NAME = "auc"

    def _gathered(self, **options: Any) -> tfma.metrics.MetricComputations:
        key = tfma.metrics.MetricKey("_class_probabilities", **{k: v for k, v in options.items() if k != "eval_config"})
        return [tfma.metrics.MetricComputation([key], preprocessors=None, combiner=_Probabilities(key, options))]

    def _values(self, gathered: tuple[npt.NDArray[np.int64], npt.NDArray[np.uint16]]) -> _Values:
        labels, steps = gathered
        for class_id in np.unique(labels).tolist():
            is_class, column = labels == class_id, steps[:, class_id]
            of_class, of_others = (np.bincount(column[chosen], minlength=_STEPS) for chosen in (is_class, ~is_class))
            pairs = float(of_class.sum() * of_others.sum())
            if pairs:
                above = of_class.sum() - of_class.cumsum()
                yield class_id, float((of_others * (above + of_class / 2)).sum() / pairs)


# TFMA's AUC counts the probabilities in as many equal buckets as it has thresholds, from 0 to 1, and says of each
# bucket, by its lower end, between which two thresholds it is.
_STEPS = 10_000
_THRESHOLDS = np.arange(_STEPS) / (_STEPS - 1) + 1e-7
_STEP_OF_BUCKET = np.append(np.searchsorted(_THRESHOLDS, np.arange(_STEPS) / _STEPS).clip(1) - 1, _STEPS - 1)


class _Probabilities(beam.CombineFn):
    """A slice's true class ids, int64 [pictures], and all probabilities by their steps, uint16 [pictures, classes]."""

    def __init__(self, key: tfma.metrics.MetricKey, options: dict[str, Any]) -> None:
        self._key = key
        self._options = options

    def create_accumulator(self) -> tuple[list[int], list[npt.NDArray[np.uint16]]]:
        return [], []

    def add_input(
        self,
        accumulator: tuple[list[int], list[npt.NDArray[np.uint16]]],
        element: Any,
    ) -> tuple[list[int], list[npt.NDArray[np.uint16]]]:
        labels, rows = accumulator
        ((label, probabilities, _),) = metric_util.to_label_prediction_example_weight(
            element, flatten=False, **self._options
        )
        buckets = (probabilities.astype(np.float64) * _STEPS).astype(np.int64).clip(0, _STEPS)
        labels.append(int(label.item()))
        rows.append(_STEP_OF_BUCKET[buckets].astype(np.uint16))
        return labels, rows

    def merge_accumulators(
        self, accumulators: Iterable[tuple[list[int], list[npt.NDArray[np.uint16]]]]
    ) -> tuple[list[int], list[npt.NDArray[np.uint16]]]:
        labels, rows = self.create_accumulator()
        for more_labels, more_rows in accumulators:
            labels += more_labels
            rows += more_rows
        return labels, rows

    def extract_output(
        self, accumulator: tuple[list[int], list[npt.NDArray[np.uint16]]]
    ) -> dict[tfma.metrics.MetricKey, tuple[npt.NDArray[np.int64], npt.NDArray[np.uint16]]]:
        labels, rows = accumulator
        return {self._key: (np.array(labels, np.int64), np.array(rows, np.uint16))}
