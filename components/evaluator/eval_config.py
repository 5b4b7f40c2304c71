"""TFMA's configuration: which metrics, on which slices, with which thresholds."""

from collections.abc import Mapping

from tensorflow_model_analysis.proto import config_pb2

from common.errors import UserError
from common.examples import CLASS_NAME, LABEL, SLICES
from components.evaluator import class_metrics
from modeling.evaluations import BASELINE, CANDIDATE, ROUNDING
from modeling.signatures import SERVE_EXAMPLES


def eval_config(
    classes: list[str],
    min_accuracy: float,
    max_accuracy_drop: float,
    slices: Mapping[str, float],
    has_baseline: bool,
) -> config_pb2.EvalConfig:
    """TFMA's configuration for a classifier of these classes.

    Args:
      classes: names by class id.
      min_accuracy: as in `EvaluatorSpec`, like the next two.
      max_accuracy_drop: as in `EvaluatorSpec`.
      slices: as in `EvaluatorSpec`.
      has_baseline: whether a baseline takes part.

    Raises:
      UserError: `slices` names an unknown class.
    """
    unknown = sorted(set(slices) - set(classes))
    if unknown:
        raise UserError(f"gate.slices: {unknown[0]!r} is not a class; expected one of {', '.join(map(repr, classes))}")
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
                        per_slice_thresholds=[
                            _threshold(
                                config_pb2.SlicingSpec(), min_accuracy, max_accuracy_drop if has_baseline else None
                            ),
                            *(
                                _threshold(config_pb2.SlicingSpec(feature_values={CLASS_NAME: name}), floor, None)
                                for name, floor in sorted(slices.items())
                            ),
                        ],
                    ),
                    config_pb2.MetricConfig(class_name="SparseCategoricalCrossentropy", config='{"name": "loss"}'),
                    config_pb2.MetricConfig(class_name="MultiClassConfusionMatrixPlot"),
                ]
            ),
            config_pb2.MetricsSpec(
                binarize=config_pb2.BinarizationOptions(class_ids={"values": range(len(classes))}),
                metrics=[
                    config_pb2.MetricConfig(class_name="ClassPrecision", module=class_metrics.__name__),
                    config_pb2.MetricConfig(class_name="ClassRecall", module=class_metrics.__name__),
                    config_pb2.MetricConfig(class_name="AUC", config='{"name": "auc"}'),
                ],
            ),
        ],
    )


def _threshold(
    where: config_pb2.SlicingSpec, floor: float, max_drop: float | None
) -> config_pb2.PerSliceMetricThreshold:
    threshold = config_pb2.MetricThreshold(value_threshold={"lower_bound": {"value": floor - ROUNDING}})
    if max_drop is not None:
        threshold.change_threshold.direction = config_pb2.MetricDirection.HIGHER_IS_BETTER
        threshold.change_threshold.absolute.value = -max_drop - ROUNDING
    return config_pb2.PerSliceMetricThreshold(slicing_specs=[where], threshold=threshold)
