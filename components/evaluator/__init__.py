"""Evaluator: measures a model and decides whether it may be published.

`eval_config` holds the metrics, slices and thresholds, `class_metrics` the metrics that TFMA lacks, `extractors` keeps
the predictions, and `executor` runs TFMA and compares with what a server would answer.
"""
