"""Intervals, tests and curves against values that are known from elsewhere."""

import numpy as np
import pytest

from components.report import numbers


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),
    # R: binom.confint(x, n, methods = "wilson"); the last two are exact ends of the scale.
    [(8, 10, 0.4902, 0.9433), (50, 100, 0.4038, 0.5962), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0)],
)
def test_intervals_are_wilsons(part: int, whole: int, low: float, high: float) -> None:
    found = numbers.share(part, whole)
    assert found.value == part / whole
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


def test_a_share_of_nothing_is_unknown() -> None:
    found = numbers.share(0, 0)
    assert np.isnan(found.value)
    assert (found.low, found.high) == (0, 1)


def test_pictures_that_changed_sides_are_found_and_tested() -> None:
    labels = np.zeros(20, np.int64)
    right, wrong = [0.9, 0.1], [0.2, 0.8]
    before = np.array([right] * 10 + [wrong] * 10, np.float32)
    now = np.array([right] * 9 + [wrong] + [right] * 7 + [wrong] * 3, np.float32)
    found = numbers.compare(labels, now, before)
    assert found.lost.tolist() == [9]
    assert found.gained.tolist() == [10, 11, 12, 13, 14, 15, 16]
    # 8 changed, 1 of them one way: 2 * (1 + 8) / 2**8
    assert found.p_value == pytest.approx(18 / 256)
    assert (found.baseline.part, found.candidate.part) == (10, 16)


def test_two_models_that_agree_do_not_differ() -> None:
    same = np.array([[0.9, 0.1], [0.2, 0.8]], np.float32)
    assert numbers.compare(np.array([0, 0]), same, same).p_value == 1


def test_calibration_weighs_each_bin_by_its_pictures() -> None:
    # Three at 0.95, two of them right; one at 0.55, right.
    found = numbers.calibration(np.array([0.95, 0.95, 0.95, 0.55]), np.array([True, True, False, True]))
    assert found.counts.tolist() == [1, 3]
    assert found.accuracies == pytest.approx([1, 2 / 3])
    assert found.error == pytest.approx(0.25 * 0.45 + 0.75 * (0.95 - 2 / 3))


def test_a_score_of_one_has_a_bin() -> None:
    assert numbers.calibration(np.array([1.0]), np.array([True])).error == 0


def test_a_long_curve_keeps_its_ends() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 5000)
    probabilities = rng.dirichlet([1, 1], 5000)
    curve = numbers.precision_recall_curve(labels, probabilities, 1, points=50)
    assert len(curve.recall) == 50
    assert (curve.recall[0], curve.recall[-1]) == (0, 1)
    assert (np.diff(curve.recall) >= 0).all()
    assert curve.precision[-1] == pytest.approx((labels == 1).mean())


def test_a_class_without_a_test_picture_comes_last_and_has_no_recall() -> None:
    rows = numbers.class_rows(np.array([0, 0, 2]), np.array([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1], [0.2, 0.1, 0.7]]))
    assert [row.class_id for row in rows] == [0, 2, 1]
    assert rows[0].confused_with == 1
    assert rows[2].recall.whole == 0
    assert rows[2].precision[:2] == (0, 1)
    assert np.isnan(rows[2].average_precision)


def test_pictures_are_taken_from_each_class_in_turn() -> None:
    labels = np.array([0, 0, 0, 1, 2, 2])
    assert numbers.in_turn(np.arange(6), labels, 5) == [0, 3, 4, 1, 5]
    assert numbers.in_turn(np.array([], np.int64), labels, 5) == []


def test_the_surest_come_first() -> None:
    assert numbers.surest(np.array([0, 2, 3]), np.array([0.5, 0.9, 0.7, 0.6]), 2) == [2, 3]
