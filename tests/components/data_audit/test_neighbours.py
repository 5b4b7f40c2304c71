"""Pictures that are like no other, and pairs that are all but the same, among made-up bottlenecks."""

import numpy as np
import pytest

from components.data_audit import neighbours, robust


def _values(pictures: int = 300, channels: int = 64) -> np.ndarray:
    """As after a ReLU: each class has channels of its own."""
    rng = np.random.default_rng(0)
    active = np.zeros((3, channels))
    for place in range(3):
        active[place, 12 * place : 12 * place + 20] = 1
    return (active[np.arange(pictures) % 3] * rng.gamma(3, size=(pictures, channels))).astype(np.float32)


def test_pictures_like_no_other_are_outliers_and_hardly_others_are() -> None:
    values = _values()
    values[[7, 70]] = 0
    values[7, 50:57] = 3
    values[70, 57:64] = 3
    found = neighbours.find(values).outliers
    assert {outlier.place for outlier in found[:2]} == {7, 70}
    assert len(found) <= 3
    similarities = [outlier.similarity for outlier in found]
    assert similarities == sorted(similarities)
    assert similarities[1] < 0.5


def test_pairs_that_are_all_but_the_same_are_found_once_the_nearest_first() -> None:
    values = _values()
    rng = np.random.default_rng(1)
    for place, other, noise in ((5, 200, 0.1), (3, 12, 0.02)):
        values[other] = values[place] * 1.5 * (1 + noise * rng.normal(size=values.shape[1]))
    assert [(pair.one, pair.other) for pair in neighbours.find(values).pairs] == [(3, 12), (5, 200)]
    similarities = [pair.similarity for pair in neighbours.find(values).pairs]
    assert 1 > similarities[0] > similarities[1] > 0.97
    unit = values[3] / np.linalg.norm(values[3]), values[12] / np.linalg.norm(values[12])
    assert similarities[0] == pytest.approx(unit[0] @ unit[1], abs=1e-4)


@pytest.mark.parametrize("pictures", [0, 1, 2, 5])
def test_few_pictures_are_no_fault(pictures: int) -> None:
    found = neighbours.find(_values(pictures))
    assert (found.outliers, found.pairs) == ([], [])


def test_pictures_without_features_or_all_the_same_are_no_fault() -> None:
    assert neighbours.find(np.zeros((30, 8), np.float32)).outliers == []
    assert len(neighbours.find(np.ones((30, 8), np.float32)).pairs) <= 300


def test_scores_are_those_of_a_normal_distribution_whatever_a_few_values_are() -> None:
    values = np.random.default_rng(0).normal(5, 2, 10_000)
    values[:100] = 1e9
    assert robust.scores(np.append(values, [11, -1]))[-2:] == pytest.approx([3, -3], abs=0.1)


def test_scores_where_most_values_are_the_same() -> None:
    values = np.array([10.0] * 99 + [20.0])
    assert robust.scores(values)[-1] > robust.UNUSUAL
    assert not robust.scores(np.full(9, 3.0)).any()
    assert robust.scores(np.zeros(0)).shape == (0,)
