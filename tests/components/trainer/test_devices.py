"""Two devices give what one gives, and training on them goes on after a kill as exactly."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import pytest
import sessions
import steps
import tensorflow as tf
import two_devices
from tfx.types.standard_artifacts import Examples, TransformGraph

from modeling import features as feature_files
from modeling.features import ACTIVATIONS, BOTTLENECKS, FeaturesInfo

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def on_two(
    examples: Examples, features: Examples, transform_graph: TransformGraph, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder of what was made on two devices."""
    folder = tmp_path_factory.mktemp("on_two")
    command = [sys.executable, two_devices.__file__, examples.uri, features.uri, transform_graph.uri, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def _weights(training: Path) -> list[npt.NDArray[np.float32]]:
    return keras.models.load_model(training / "model" / "model.keras").get_weights()


def _numbers(training: Path) -> list[list[float]]:
    """What the history says of each epoch."""
    with (training / "run" / "history.csv").open() as file:
        return [[float(row[key] or 0) for key in row if key != "seconds"] for row in csv.DictReader(file)]


def _metrics(training: Path) -> dict[str, dict[str, float]]:
    return json.loads((training / "run" / "metrics.json").read_text())


def _stored(folder: str, family: str, features: Examples) -> tuple[np.ndarray, np.ndarray]:
    dataset = tf.data.TFRecordDataset(feature_files.files(folder, "train", family, 0)).batch(1000)
    ((values, class_ids),) = [
        feature_files.decode(family, batch, FeaturesInfo.read(features.uri).shapes[family]) for batch in dataset
    ]
    return values.numpy().astype(np.float32), class_ids.numpy()


def test_devices_that_take_a_batch_each_in_turn_extract_what_one_does(features: Examples, on_two: Path) -> None:
    for family in (BOTTLENECKS, ACTIVATIONS):
        (one_values, one_ids), (two_values, two_ids) = (
            _stored(folder, family, features) for folder in (features.uri, str(on_two / two_devices.EXTRACTED))
        )
        np.testing.assert_allclose(two_values, one_values, rtol=1e-3, atol=1e-4)
        np.testing.assert_array_equal(two_ids, one_ids)


def test_two_devices_give_what_one_gives(
    examples: Examples, features: Examples, transform_graph: TransformGraph, on_two: Path, tmp_path: Path
) -> None:
    two, one = on_two / two_devices.COMPARED, tmp_path
    steps.train(features, transform_graph, one, **two_devices.CHANGES[two_devices.COMPARED])
    assert _metrics(one)["fine_tuning"] == "kept", "the weights are those of both stages"
    np.testing.assert_allclose(_numbers(two), _numbers(one), rtol=1e-5)
    for split in ("train", "eval"):
        assert _metrics(two)[split] == pytest.approx(_metrics(one)[split], rel=1e-5)
    for of_two, of_one in zip(_weights(two), _weights(one), strict=True):
        np.testing.assert_allclose(of_two, of_one, atol=1e-6)
    images = steps.images(steps.read(examples, "test"))
    of_two, of_one = (
        sessions.ask(folder / "model" / "Format-Serving", "serving_default", images)["probabilities"]
        for folder in (two, one)
    )
    np.testing.assert_allclose(of_two, of_one, atol=1e-6)


def test_a_killed_training_on_two_devices_goes_on_as_if_nothing_had_happened(on_two: Path) -> None:
    resumed, undisturbed = on_two / two_devices.RESUMED, on_two / two_devices.UNDISTURBED
    assert _numbers(resumed) == _numbers(undisturbed)
    assert _metrics(resumed) == _metrics(undisturbed)
    assert all(np.array_equal(a, b) for a, b in zip(_weights(resumed), _weights(undisturbed), strict=True))
