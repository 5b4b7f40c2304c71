"""What a report measures besides TFMA's own metrics, each with its source."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest
from sklearn import metrics

_BINS = 10

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.floating[Any]]
Bools = npt.NDArray[np.bool_]


class Share(NamedTuple):
    """So many of so many, with Wilson's interval at 95% (E. B. Wilson, 1927).

    Attributes:
      part: those that have it.
      whole: all.
      value: part / whole, 0 to 1; NaN where there are none.
      low: lower end of the interval.
      high: upper end of the interval.
    """

    part: int
    whole: int
    value: float
    low: float
    high: float


def share(part: int, whole: int) -> Share:
    """A share with its interval.

    Args:
      part: 0 to `whole`.
      whole: 0 or more.
    """
    if not whole:
        return Share(0, 0, float("nan"), 0.0, 1.0)
    interval = binomtest(part, whole).proportion_ci(method="wilson")
    return Share(part, whole, part / whole, float(interval.low), float(interval.high))


class ClassRow(NamedTuple):
    """One class on the test split.

    Attributes:
      class_id: its id.
      recall: of its pictures, those that were given it.
      precision: of the pictures that were given it, those that are of it.
      f1: harmonic mean of the two, 0 to 1.
      average_precision: area under its precision-recall curve, 0 to 1; NaN where it has no test picture.
      confused_with: the class that its pictures were most often taken for; None where none was.
    """

    class_id: int
    recall: Share
    precision: Share
    f1: float
    average_precision: float
    confused_with: int | None


def class_rows(labels: Ints, probabilities: Floats) -> list[ClassRow]:
    """A row a class, the least recall first.

    Args:
      labels: int64 [pictures], true class ids.
      probabilities: float32 [pictures, classes].
    """
    classes = probabilities.shape[1]
    matrix = metrics.confusion_matrix(labels, probabilities.argmax(axis=1), labels=range(classes))
    rows = []
    for class_id in range(classes):
        hits, of_it, given = (
            int(n) for n in (matrix[class_id, class_id], matrix[class_id].sum(), matrix[:, class_id].sum())
        )
        wrong = matrix[class_id].copy()
        wrong[class_id] = 0
        rows.append(
            ClassRow(
                class_id=class_id,
                recall=share(hits, of_it),
                precision=share(hits, given),
                f1=2 * hits / (of_it + given) if of_it + given else float("nan"),
                average_precision=metrics.average_precision_score(labels == class_id, probabilities[:, class_id])
                if of_it
                else float("nan"),
                confused_with=int(wrong.argmax()) if wrong.any() else None,
            )
        )
    return sorted(rows, key=lambda row: (row.recall.value if row.recall.whole else 2.0, row.class_id))


class Curve(NamedTuple):
    """A class's precision at each recall; both float [points], 0 to 1, recall rising."""

    class_id: int
    recall: Floats
    precision: Floats
    average_precision: float


def precision_recall_curve(labels: Ints, probabilities: Floats, class_id: int, points: int = 200) -> Curve:
    """A class against all others, with at most so many points.

    Args:
      labels: as in `class_rows`.
      probabilities: as in `class_rows`.
      class_id: which class; it has a test picture.
      points: most points.
    """
    is_class, scores = labels == class_id, probabilities[:, class_id]
    precision, recall, _ = metrics.precision_recall_curve(is_class, scores)
    chosen = np.unique(np.linspace(0, len(recall) - 1, min(points, len(recall))).round().astype(int))[::-1]
    return Curve(class_id, recall[chosen], precision[chosen], float(metrics.average_precision_score(is_class, scores)))


class Calibration(NamedTuple):
    """How far scores can be read as probabilities.

    Attributes:
      scores: float [bins], mean score of each bin that holds a picture.
      accuracies: float [bins], share of its pictures that are right.
      counts: int64 [bins], its pictures.
      error: expected calibration error, 0 to 1: the bins' mean distance of the two, weighted by count.
    """

    scores: Floats
    accuracies: Floats
    counts: Ints
    error: float


def calibration(scores: Floats, is_right: Bools) -> Calibration:
    """Ten bins of equal width over the most probable class's score (Guo et al., "On Calibration of Modern Neural
    Networks", 2017).

    Args:
      scores: float [pictures], 0 to 1.
      is_right: bool [pictures].
    """
    bins = np.minimum((scores * _BINS).astype(int), _BINS - 1)
    counts = np.bincount(bins, minlength=_BINS)
    held = counts > 0
    mean_scores = np.bincount(bins, scores, _BINS)[held] / counts[held]
    accuracies = np.bincount(bins, is_right, _BINS)[held] / counts[held]
    error = float(np.average(np.abs(mean_scores - accuracies), weights=counts[held]))
    return Calibration(mean_scores, accuracies, counts[held], error)


class Comparison(NamedTuple):
    """A candidate against a baseline on the same pictures.

    Attributes:
      baseline: the baseline's right ones.
      candidate: the candidate's right ones.
      gained: indices of the pictures that only the candidate gets right.
      lost: indices of those that only the baseline gets right.
      p_value: McNemar's exact test (Q. McNemar, 1947): how probable a difference at least as large would be if both
        were equally good, 0 to 1.
    """

    baseline: Share
    candidate: Share
    gained: Ints
    lost: Ints
    p_value: float


def compare(labels: Ints, candidate: Floats, baseline: Floats) -> Comparison:
    """Compares two models' predictions.

    Args:
      labels: as in `class_rows`.
      candidate: float32 [pictures, classes], the candidate's probabilities.
      baseline: the baseline's.
    """
    now, before = candidate.argmax(axis=1) == labels, baseline.argmax(axis=1) == labels
    gained, lost = np.flatnonzero(now & ~before), np.flatnonzero(before & ~now)
    changed = len(gained) + len(lost)
    p_value = float(binomtest(len(gained), changed).pvalue) if changed else 1.0
    return Comparison(share(int(before.sum()), len(labels)), share(int(now.sum()), len(labels)), gained, lost, p_value)


def surest(indices: Ints, scores: Floats, count: int) -> list[int]:
    """Those of the indices with the highest scores, the highest first."""
    return [int(index) for index in indices[np.argsort(-scores[indices], kind="stable")][:count]]


def in_turn(indices: Ints, labels: Ints, count: int) -> list[int]:
    """Some of the indices, a picture of each class in turn, in the order that they have."""
    by_class: dict[int, list[int]] = {}
    for index in indices:
        by_class.setdefault(int(labels[index]), []).append(int(index))
    queues: Sequence[list[int]] = [by_class[label] for label in sorted(by_class)]
    rounds = (queue[turn] for turn in range(count) for queue in queues if turn < len(queue))
    return [index for index, _ in zip(rounds, range(count), strict=False)]
