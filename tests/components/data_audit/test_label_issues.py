"""Labels that were changed by hand are found among made-up bottlenecks of overlapping classes."""

import numpy as np
import pytest

from components.data_audit import label_issues

_Pictures = tuple[np.ndarray, np.ndarray]


def _made(counts: list[int], distance: float = 1.2, channels: int = 24) -> _Pictures:
    """Bottlenecks around a centre for each class, in mixed order, and their class ids."""
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    centres = distance * rng.normal(size=(len(counts), channels))
    return (centres[labels] + rng.normal(size=(len(labels), channels))).astype(np.float32), labels


def _swapped(labels: np.ndarray, fraction: float) -> tuple[np.ndarray, set[int]]:
    rng = np.random.default_rng(1)
    places = rng.choice(len(labels), round(fraction * len(labels)), replace=False)
    classes = labels.max() + 1
    swapped = labels.copy()
    swapped[places] = (labels[places] + rng.integers(1, classes, len(places))) % classes
    return swapped, set(places.tolist())


def _issues(values: np.ndarray, labels: np.ndarray, classes: int, seed: int = 0) -> list[label_issues.LabelIssue]:
    return label_issues.find(label_issues.out_of_fold(values, labels, classes, seed), labels)


@pytest.mark.parametrize("counts", [[200, 200], [300, 100, 60, 40]])
def test_swapped_labels_are_listed_with_their_classes_and_little_else(counts: list[int]) -> None:
    values, truth = _made(counts)
    given, swapped = _swapped(truth, 0.05)
    found = _issues(values, given, len(counts))
    hits = [issue for issue in found if issue.place in swapped]
    assert len(hits) >= 0.75 * len(swapped)
    assert len(hits) >= 0.9 * len(found)
    assert all((issue.given, issue.suggested) == (given[issue.place], truth[issue.place]) for issue in hits)
    assert all(1 >= issue.probability > issue.given_probability >= 0 for issue in found)
    own = [issue.given_probability for issue in found]
    assert own == sorted(own)


def test_classes_that_are_apart_have_no_issues() -> None:
    values, truth = _made([100, 80, 60], distance=5)
    assert _issues(values, truth, 3) == []


def test_the_published_rule_says_how_many_and_self_confidence_which() -> None:
    # Thresholds 0.65 and 0.5: pictures 3 and 5 reach that of the other class, 4 reaches none.
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.7, 0.3], [0.1, 0.9], [0.6, 0.4], [0.8, 0.2], [0.1, 0.9]])
    labels = np.array([0, 0, 0, 0, 1, 1, 1])
    assert label_issues.find(probabilities, labels) == [
        label_issues.LabelIssue(place=3, given=0, suggested=1, given_probability=0.1, probability=0.9),
        label_issues.LabelIssue(place=5, given=1, suggested=0, given_probability=0.2, probability=0.8),
    ]


def test_the_same_seed_gives_the_same_list() -> None:
    values, truth = _made([60, 60], distance=0.5)
    given, _ = _swapped(truth, 0.1)
    assert _issues(values, given, 2) == _issues(values, given, 2)


@pytest.mark.parametrize(
    "counts",
    [[1, 1], [2, 1], [2, 2], [40, 1, 40], [3] * 50, [30, 0, 30]],
    ids=["two pictures", "three", "four", "a class of one", "many classes", "an empty class"],
)
def test_odd_classes_are_no_fault_and_a_class_of_one_is_not_judged(counts: list[int]) -> None:
    values, labels = _made(counts, distance=5)
    probabilities = label_issues.out_of_fold(values, labels, len(counts), seed=0)
    judged = np.array(counts)[labels] > 1 if np.count_nonzero(np.array(counts) > 1) > 1 else np.zeros(len(labels), bool)
    np.testing.assert_allclose(probabilities.sum(axis=1), judged, atol=1e-6)
    alone = set(np.flatnonzero(np.array(counts) == 1).tolist())
    for issue in label_issues.find(probabilities, labels):
        assert not {issue.given, issue.suggested} & alone


def test_pictures_that_are_all_the_same_are_no_fault() -> None:
    labels = np.array([0, 1] * 10)
    assert _issues(np.ones((20, 8), np.float32), labels, 2) == []
