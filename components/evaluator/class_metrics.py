"""Precision and recall of a class, where the predicted class is the most probable one.

TFMA's own ask whether the class's probability is above a half: with three or more classes that is another question,
and with `top_k` they compare a class with itself alone.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import multi_class_confusion_matrix_metrics as confusion
from tensorflow_model_analysis.proto import config_pb2

_Counts = Mapping[confusion.MatrixEntryKey, float]


class _ClassMetric(tfma.metrics.Metric):
    """The share of correct ones among the pictures whose true or predicted class is the one asked for.

    NaN where there are none.
    """

    NAME: ClassVar[str]
    SIDE: ClassVar[str]

    def __init__(self, name: str | None = None) -> None:
        super().__init__(tfma.metrics.merge_per_key_computations(self._computations), name=name or self.NAME)

    def _computations(
        self,
        name: str | None = None,
        sub_key: Any = None,
        eval_config: config_pb2.EvalConfig | None = None,
        model_name: str = "",
        output_name: str = "",
        example_weighted: bool = False,
        **_: Any,
    ) -> tfma.metrics.MetricComputations:
        shared = {"model_name": model_name, "output_name": output_name, "example_weighted": example_weighted}
        matrices = confusion.multi_class_confusion_matrices(eval_config=eval_config, **shared)
        key = tfma.metrics.MetricKey(name=name, sub_key=sub_key, **shared)

        def result(found: Mapping[tfma.metrics.MetricKey, Any]) -> dict[tfma.metrics.MetricKey, float]:
            (counts,) = found[matrices[-1].keys[-1]].values()
            return {key: self._share(counts, sub_key.class_id)}

        return [*matrices, tfma.metrics.DerivedMetricComputation(keys=[key], result=result)]

    def _share(self, counts: _Counts, class_id: int) -> float:
        total = sum(count for entry, count in counts.items() if getattr(entry, self.SIDE) == class_id)
        return counts.get(confusion.MatrixEntryKey(class_id, class_id), 0.0) / total if total else float("nan")


class ClassPrecision(_ClassMetric):
    """Of the pictures that were given the class, the share that belongs to it."""

    NAME = "precision"
    SIDE = "predicted_class_id"


class ClassRecall(_ClassMetric):
    """Of the pictures that belong to the class, the share that was given it."""

    NAME = "recall"
    SIDE = "actual_class_id"
