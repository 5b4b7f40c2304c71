"""Evaluator: what a model is worth, and whether it is published."""
