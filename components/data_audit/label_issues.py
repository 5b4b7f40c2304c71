"""Labels that look wrong: confident learning says how many, self-confidence which.

Out-of-sample probabilities of each picture are held against its label: C. G. Northcutt, L. Jiang, I. L. Chuang,
"Confident Learning: Estimating Uncertainty in Dataset Labels", Journal of Artificial Intelligence Research 70 (2021).
A picture counts in the confident joint if a class's probability reaches its threshold, the mean probability of that
class over the pictures with its label; of several classes the most probable counts. Pictures that count for another
class than that of their label lie off the joint's diagonal. There are so many issues; those pictures with the least
self-confidence, the probability of their own label, are listed. On real pictures with swapped labels this found more of
them than listing the pictures off the diagonal themselves, and was never worse (README).
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from common import progress
from modeling import logistic_regression
from modeling.logistic_regression import Floats, Ints, Scaling

MOST_WORK = 10**10  # pictures times channels times classes: with VGG16, 100,000 pictures of 195 classes
_FOLDS = 5
# The strongest first; weak ones learn wrong labels too. The loss over all folds chooses.
_PENALTIES = tuple(10.0 ** (exponent / 2) for exponent in range(0, -5, -1))
_TOLERANCE = 1e-4


class LabelIssue(NamedTuple):
    """A picture whose label looks wrong.

    Attributes:
      place: of the picture among those that were looked at.
      given: class id of its label.
      suggested: class id of what it looks like.
      given_probability: of the given class, 0 to 1.
      probability: of the suggested class, 0 to 1, more than that of the given one.
    """

    place: int
    given: int
    suggested: int
    given_probability: float
    probability: float


def out_of_fold(values: npt.NDArray[np.float32], labels: Ints, classes: int, seed: int) -> Floats:
    """Probabilities that each picture gets from a head that was trained without it.

    Pictures of each class are dealt to the folds in turn, so that a class of two has one to learn from. A class of one
    has none, and stays out.

    Args:
      values: bottlenecks, [pictures, channels].
      labels: class ids, [pictures].
      classes: how many there are.
      seed: of the folds.

    Returns:
      Float64 [pictures, classes]; rows of 0 for pictures that cannot be judged.
    """
    probabilities = np.zeros((len(labels), classes))
    judged = np.flatnonzero(np.bincount(labels, minlength=classes)[labels] > 1)
    known, truth = np.unique(labels[judged], return_inverse=True)
    if len(known) > 1:
        values = values[judged]
        scaled = Scaling.of(values).apply(values)
        probabilities[np.ix_(judged, known)] = _best_of_penalties(scaled, truth, _deal(truth, seed))
    return probabilities


def find(probabilities: npt.NDArray[np.floating[Any]], labels: Ints) -> list[LabelIssue]:
    """Those that the module describes, the least self-confidence first.

    Args:
      probabilities: out of sample, [pictures, classes]; rows of 0 for pictures that cannot be judged.
      labels: class ids, [pictures].
    """
    judged = np.flatnonzero(probabilities.any(axis=1))
    probabilities, labels = probabilities[judged], labels[judged]
    rows = np.arange(len(labels))
    own = probabilities[rows, labels]
    others = probabilities.copy()
    others[rows, labels] = -1
    suggested = others.argmax(axis=1)
    least = np.argsort(own, kind="stable")[: _count(probabilities, labels)]
    return [
        LabelIssue(int(judged[row]), int(labels[row]), int(suggested[row]), float(own[row]), float(others[row].max()))
        for row in least
        if others[row].max() > own[row]
    ]


def _deal(labels: Ints, seed: int) -> Ints:
    """The fold of each picture, 0 to _FOLDS - 1."""
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    folds = np.empty(len(labels), np.int64)
    folds[by_class] = np.arange(len(labels)) % _FOLDS
    return folds


def _best_of_penalties(values: Floats, labels: Ints, folds: Ints) -> Floats:
    """The probabilities of the penalty with the least loss; weaker ones are not tried once it rises."""
    models = {fold: logistic_regression.build(_TOLERANCE) for fold in np.unique(folds)}
    progress.start(len(_PENALTIES) * len(models), "heads of the audit")
    best, least = np.empty(0), np.inf
    for penalty in _PENALTIES:
        probabilities = np.zeros((len(labels), labels.max() + 1))
        for fold, model in models.items():
            logistic_regression.fit(model, penalty, values, labels, folds != fold)
            probabilities[folds == fold] = model.predict_proba(values[folds == fold])
            progress.advance()
        loss = -np.log(np.maximum(probabilities[np.arange(len(labels)), labels], np.finfo(float).tiny)).mean()
        if loss >= least:
            break
        best, least = probabilities, loss
    return best


def _count(probabilities: npt.NDArray[np.floating[Any]], labels: Ints) -> int:
    """How many pictures lie off the diagonal of the confident joint."""
    classes = probabilities.shape[1]
    counts = np.bincount(labels, minlength=classes)
    sums = np.bincount(labels, probabilities[np.arange(len(labels)), labels], minlength=classes)
    # A class without pictures is nobody's.
    thresholds = np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)
    confident = np.where(probabilities >= thresholds, probabilities, 0)
    return int((confident.any(axis=1) & (confident.argmax(axis=1) != labels)).sum())
