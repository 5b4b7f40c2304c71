"""The page tells what TFMA and scikit-learn measured, and shows it in a browser with nothing else at hand."""

from pathlib import Path

import pytest
import steps
from tfx.types.standard_artifacts import Examples, Model, ModelBlessing, ModelEvaluation, TransformGraph


@pytest.fixture(scope="module")
def poor_model(features: Examples, transform_graph: TransformGraph, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Trained so little that it is wrong often."""
    directory = tmp_path_factory.mktemp("poor")
    return steps.train(features, transform_graph, directory, epochs=1, learning_rate=1e-6, fine_tune=False)


@pytest.fixture(scope="module")
def evaluated(
    examples: Examples, model: Model, poor_model: Model, tmp_path_factory: pytest.TempPathFactory
) -> tuple[ModelEvaluation, ModelBlessing]:
    return steps.evaluate(examples, poor_model, tmp_path_factory.mktemp("evaluated"), baseline=model, min_accuracy=0.9)


@pytest.fixture(scope="module")
def page(
    examples: Examples,
    features: Examples,
    poor_model: Model,
    evaluated: tuple[ModelEvaluation, ModelBlessing],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    return steps.report(examples, features, poor_model, evaluated, tmp_path_factory.mktemp("report"))


def test_dev(page: Path) -> None:
    import shutil

    shutil.copy(page, "/tmp/main/small.html")
