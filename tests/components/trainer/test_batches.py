"""The order of training batches: all of a view once an epoch, views in turn, and the seed decides."""

from pathlib import Path

import numpy as np
import steps
from tfx.types.standard_artifacts import Examples, TransformGraph

from components.trainer.batches import Features
from modeling.features import ACTIVATIONS, BOTTLENECKS, FeaturesInfo


def _epoch(batches: list[np.ndarray], number: int, steps_per_epoch: int) -> np.ndarray:
    return np.concatenate(batches[number * steps_per_epoch : (number + 1) * steps_per_epoch])


def _sorted(values: np.ndarray) -> np.ndarray:
    return values[np.lexsort(values.reshape(len(values), -1).T[::-1])]


def test_epochs_go_through_all_pictures_and_through_the_views_in_turn(
    examples: Examples, transform_graph: TransformGraph, tmp_path: Path
) -> None:
    features = steps.extract(examples, transform_graph, tmp_path, augmentation_views=2, fine_tune=False)
    data = Features(features.uri, batch_size=7, seed=3)
    per_epoch = data.steps_per_epoch
    batches = [values.numpy() for values, _ in data.epochs(BOTTLENECKS).take(4 * per_epoch)]
    epochs = [_epoch(batches, number, per_epoch) for number in range(4)]
    assert len(epochs[0]) == len(steps.read(examples, "train"))
    np.testing.assert_array_equal(_sorted(epochs[0]), _sorted(epochs[2]))
    np.testing.assert_array_equal(_sorted(epochs[1]), _sorted(epochs[3]))
    assert not np.array_equal(epochs[0], epochs[2]), "an order of its own each epoch"
    assert not np.allclose(_sorted(epochs[0]), _sorted(epochs[1]), rtol=1e-3)


def test_the_seed_fixes_the_order(features: Examples) -> None:
    def first(seed: int) -> np.ndarray:
        values, _ = next(iter(Features(features.uri, batch_size=16, seed=seed).epochs(ACTIVATIONS)))
        return values.numpy()

    np.testing.assert_array_equal(first(0), first(0))
    assert not np.array_equal(first(0), first(1))


def test_both_families_come_in_the_same_order_and_as_they_are_stored(examples: Examples, features: Examples) -> None:
    data = Features(features.uri, 7, 0)
    for split in ("train", "eval"):
        values, labels = data.in_memory(split, ACTIVATIONS)
        assert values.dtype == np.float16
        np.testing.assert_array_equal(labels, data.labels(split))
        assert len(labels) == len(steps.read(examples, split))


def test_counts_are_those_of_the_training_split(examples: Examples, features: Examples) -> None:
    expected = np.bincount(steps.class_ids(steps.read(examples, "train")), minlength=3)
    assert Features(features.uri, 7, 0).counts(3) == expected.tolist()


def test_devices_are_never_left_without_a_picture(features: Examples) -> None:
    """Of batches with one picture less than there are, the last is a single picture."""
    pictures = FeaturesInfo.read(features.uri).pictures["train"]
    for devices, sizes in ((1, [pictures - 1, 1]), (2, [pictures - 1])):
        data = Features(features.uri, pictures - 1, 0, devices)
        assert data.steps_per_epoch == len(sizes)
        batches = data.epochs(BOTTLENECKS).take(2 * len(sizes))
        assert [len(labels) for _, labels in batches] == 2 * sizes
