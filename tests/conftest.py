"""Makes the helper modules of this folder importable, and small real artifacts of each step for all tests to share."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent))

if TYPE_CHECKING:  # TFX takes its time: only the tests that use it wait
    from browser import Browser
    from tfx.types.standard_artifacts import Examples, Model, TransformGraph


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first: two workers then end at about the same time."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


CLASSES = {"apple": 40, "berry": 30, "cherry": 50}


@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory) -> "Examples":
    """Three classes of tinted noise, cut into train, eval and test."""
    import steps
    from pictures import write_classes

    root = tmp_path_factory.mktemp("examples")
    return steps.ingest(write_classes(root / "data", CLASSES), root / "examples")


@pytest.fixture(scope="session")
def transform_graph(examples: "Examples", tmp_path_factory: pytest.TempPathFactory) -> "TransformGraph":
    """The graph from bytes to a 32x32 tensor."""
    import steps

    return steps.transform(examples, tmp_path_factory.mktemp("transform"))


@pytest.fixture(scope="session")
def features(
    examples: "Examples", transform_graph: "TransformGraph", tmp_path_factory: pytest.TempPathFactory
) -> "Examples":
    """Activations and bottlenecks of a VGG16 with random weights."""
    import steps

    return steps.extract(examples, transform_graph, tmp_path_factory.mktemp("features"))


@pytest.fixture(scope="session")
def model(features: "Examples", transform_graph: "TransformGraph", tmp_path_factory: pytest.TempPathFactory) -> "Model":
    """A classifier trained in both stages."""
    import steps

    return steps.train(features, transform_graph, tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """Chromium; a module's tests share it."""
    from browser import start

    with start() as running:
        yield running
