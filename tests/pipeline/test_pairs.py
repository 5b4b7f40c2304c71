"""Pairs of models on the same pictures, against SciPy, scikit-learn and values that are known from elsewhere."""

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from components.report import numbers
from modeling.probabilities import Predictions
from pipeline.comparison import pairs
from pipeline.comparison.measured import Measured

_PICTURES = 200


def _measured(name: str, accuracy: float, seed: int) -> Measured:
    """A model of three classes that is right about so many pictures, chosen at random."""
    rng = np.random.default_rng(seed)
    labels = np.arange(_PICTURES) % 3
    said = np.where(rng.random(_PICTURES) < accuracy, labels, (labels + 1) % 3)
    predictions = Predictions(
        [f"{place:064x}" for place in range(_PICTURES)], labels, np.eye(3, dtype=np.float32)[said], None
    )
    return Measured(name, numbers.share(0, 0), 0.0, True, {}, 0, 0, predictions, "", "")


def test_pairs_are_those_of_scipy_and_scikit_learn() -> None:
    backbones = [_measured("A", 0.9, 1), _measured("B", 0.8, 2), _measured("C", 0.78, 3)]
    found = pairs.compare(backbones)
    assert [(pair.first, pair.second) for pair in found] == [("A", "B"), ("A", "C"), ("B", "C")]
    by_name = {one.name: one.predictions for one in backbones}
    for pair in found:
        one, other = by_name[pair.first], by_name[pair.second]
        says = [predictions.probabilities.argmax(axis=1) for predictions in (one, other)]
        right = [said == one.labels for said in says]
        table = metrics.confusion_matrix(*right)  # of the first by the second
        assert (len(pair.only_first), len(pair.only_second)) == (table[1, 0], table[0, 1])
        assert right[0][pair.only_first].all()
        assert not right[1][pair.only_first].any()
        accuracies = [metrics.accuracy_score(one.labels, said) for said in says]
        assert pair.difference.value == pytest.approx(accuracies[0] - accuracies[1])
        assert pair.p_value == stats.binomtest(table[1, 0], table[1, 0] + table[0, 1]).pvalue
        drawn = np.random.default_rng(0).integers(0, _PICTURES, (4000, _PICTURES))
        gaps = (right[0][drawn].astype(int) - right[1][drawn]).mean(axis=1)  # a bootstrap
        interval = (pair.difference.low, pair.difference.high)
        assert interval == pytest.approx(tuple(np.quantile(gaps, [0.025, 0.975])), abs=0.011)


def test_the_better_one_is_named_only_if_the_difference_is_hardly_chance() -> None:
    good, poor, other = _measured("A", 0.9, 1), _measured("B", 0.6, 2), _measured("C", 0.6, 3)
    assert [pair.better for pair in pairs.compare([good, poor, other])] == ["A", "A", ""]
    assert [pair.better for pair in pairs.compare([poor, good])] == ["A"]


def test_a_difference_has_the_interval_of_a_published_example() -> None:
    # Airway responsiveness of 21 children before and after a transplantation (Fagerland et al., 2014).
    found = pairs.difference(1, 7, 21)
    assert found.value == pytest.approx(-6 / 21)
    assert (found.low, found.high) == (pytest.approx(-0.508, abs=5e-4), pytest.approx(-0.013, abs=5e-4))


def test_without_a_picture_on_which_they_differ_the_difference_is_still_uncertain() -> None:
    found = pairs.difference(0, 0, 20)
    assert found.value == 0
    assert found.high == -found.low > 0.05
    assert pairs.difference(1, 0, 1).high == 1


def test_the_interval_holds_the_true_difference_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    draws = rng.multinomial(50, [0.15, 0.05, 0.8], 2000)
    found = [pairs.difference(int(first), int(second), 50) for first, second, _ in draws]
    assert np.mean([one.low <= 0.1 <= one.high for one in found]) == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize(
    ("p_values", "corrected"),
    [
        ([0.03], [0.03]),
        # R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        ([0.6, 0.7, 0.9], [1, 1, 1]),
    ],
)
def test_holm_corrects_for_the_number_of_pairs(p_values: list[float], corrected: list[float]) -> None:
    assert pairs.holm(p_values) == pytest.approx(corrected)
