"""TFMA's configuration: which metrics, on which slices, with which thresholds."""

from collections.abc import Mapping

import tensorflow_model_analysis as tfma

from components.errors import UserError
from components.evaluator import class_metrics
from components.trainer.serving import SERVE_EXAMPLES

CLASS_NAME = "class_name"
CANDIDATE = "candidate"
BASELINE = "baseline"
# TFMA computes accuracies in float32, where 19 of 20 is a little less than 0.95.
ROUNDING = 1e-6


def eval_config(
    classes: list[str],
    min_accuracy: float,
    max_accuracy_drop: float,
    slices: Mapping[str, float],
    has_baseline: bool,
) -> tfma.EvalConfig:
    """TFMA's configuration for a classifier of these classes.

    Args:
      classes: names by class id.
      min_accuracy: as in `Evaluator`, like the next two.
      max_accuracy_drop: as in `Evaluator`.
      slices: as in `Evaluator`.
      has_baseline: whether a baseline takes part.

    Raises:
      UserError: `slices` names an unknown class.
    """
    unknown = sorted(set(slices) - set(classes))
    if unknown:
        raise UserError(f"gate.slices: {unknown[0]!r} is no class; expected one of {', '.join(map(repr, classes))}")
    model = {"signature_name": SERVE_EXAMPLES, "label_key": "label", "prediction_key": "probabilities"}
    models = [tfma.ModelSpec(name=CANDIDATE, **model)]
    if has_baseline:
        models.append(tfma.ModelSpec(name=BASELINE, is_baseline=True, **model))
    return tfma.EvalConfig(
        model_specs=models,
        slicing_specs=[tfma.SlicingSpec(), tfma.SlicingSpec(feature_keys=[CLASS_NAME])],
        metrics_specs=[
            tfma.MetricsSpec(
                metrics=[
                    tfma.MetricConfig(class_name="ExampleCount"),
                    tfma.MetricConfig(
                        class_name="SparseCategoricalAccuracy",
                        config='{"name": "accuracy"}',
                        per_slice_thresholds=[
                            _threshold(tfma.SlicingSpec(), min_accuracy, max_accuracy_drop if has_baseline else None),
                            *(
                                _threshold(tfma.SlicingSpec(feature_values={CLASS_NAME: name}), floor, None)
                                for name, floor in sorted(slices.items())
                            ),
                        ],
                    ),
                    tfma.MetricConfig(class_name="SparseCategoricalCrossentropy", config='{"name": "loss"}'),
                    tfma.MetricConfig(class_name="MultiClassConfusionMatrixPlot"),
                ]
            ),
            tfma.MetricsSpec(
                binarize=tfma.BinarizationOptions(class_ids={"values": range(len(classes))}),
                metrics=[
                    tfma.MetricConfig(class_name="ClassPrecision", module=class_metrics.__name__),
                    tfma.MetricConfig(class_name="ClassRecall", module=class_metrics.__name__),
                    tfma.MetricConfig(class_name="AUC", config='{"name": "auc"}'),
                ],
            ),
        ],
    )


def _threshold(
    where: tfma.SlicingSpec, floor: float, max_drop: float | None
) -> tfma.PerSliceMetricThreshold:
    threshold = tfma.MetricThreshold(value_threshold={"lower_bound": {"value": floor - ROUNDING}})
    if max_drop is not None:
        threshold.change_threshold.direction = tfma.MetricDirection.HIGHER_IS_BETTER
        threshold.change_threshold.absolute.value = -max_drop - ROUNDING
    return tfma.PerSliceMetricThreshold(slicing_specs=[where], threshold=threshold)
