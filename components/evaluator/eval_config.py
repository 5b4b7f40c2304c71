"""TFMA's configuration: which metrics, on which slices, with which thresholds."""

from tensorflow_model_analysis.proto import config_pb2

from common.examples import LABEL, SLICES
from components.evaluator import class_metrics
from modeling.evaluations import BASELINE, CANDIDATE, ROUNDING
from modeling.signatures import SERVE_EXAMPLES


def eval_config(min_accuracy: float, max_accuracy_drop: float, has_baseline: bool) -> config_pb2.EvalConfig:
    """TFMA's configuration for a classifier. What the gate asks of the classes is in `gate`.

    Args:
      min_accuracy: as in `EvaluatorSpec`.
      max_accuracy_drop: the same.
      has_baseline: whether a baseline takes part.
    """
    model = {"signature_name": SERVE_EXAMPLES, "label_key": LABEL, "prediction_key": "probabilities"}
    models = [config_pb2.ModelSpec(name=CANDIDATE, **model)]
    if has_baseline:
        models.append(config_pb2.ModelSpec(name=BASELINE, is_baseline=True, **model))
    return config_pb2.EvalConfig(
        model_specs=models,
        slicing_specs=[
            config_pb2.SlicingSpec(),
            *(config_pb2.SlicingSpec(feature_keys=[key]) for key in SLICES),
        ],
        metrics_specs=[
            config_pb2.MetricsSpec(
                metrics=[
                    config_pb2.MetricConfig(class_name="ExampleCount"),
                    config_pb2.MetricConfig(
                        class_name="SparseCategoricalAccuracy",
                        config='{"name": "accuracy"}',
                        per_slice_thresholds=[_threshold(min_accuracy, max_accuracy_drop if has_baseline else None)],
                    ),
                    config_pb2.MetricConfig(class_name="SparseCategoricalCrossentropy", config='{"name": "loss"}'),
                    config_pb2.MetricConfig(class_name="MultiClassConfusionMatrixPlot"),
                    *(
                        config_pb2.MetricConfig(class_name=name, module=class_metrics.__name__)
                        for name in ("ClassPrecision", "ClassRecall", "ClassAuc")
                    ),
                ]
            ),
        ],
    )


def _threshold(floor: float, max_drop: float | None) -> config_pb2.PerSliceMetricThreshold:
    """Of the whole test split."""
    threshold = config_pb2.MetricThreshold(value_threshold={"lower_bound": {"value": floor - ROUNDING}})
    if max_drop is not None:
        threshold.change_threshold.direction = config_pb2.MetricDirection.HIGHER_IS_BETTER
        threshold.change_threshold.absolute.value = -max_drop - ROUNDING
    return config_pb2.PerSliceMetricThreshold(slicing_specs=[config_pb2.SlicingSpec()], threshold=threshold)
