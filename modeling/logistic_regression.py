"""Multinomial logistic regression on bottlenecks, by scikit-learn: what trains the head, and what audits labels.

Each value of the bottlenecks is centred, and all of them are divided by one scale, so that their variance is 1 on
average over the pictures: the same L2 penalty then means the same for each backbone. A scale of its own for each value
would let those that hardly vary count as much as the others, which costs accuracy where pictures are few
(`benchmarks/recipes.py`).

What is minimised is the mean cross-entropy over the pictures, weighed by class, plus penalty / 2 times the sum of the
squares of the weights: Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, 2nd edition, sections
4.4 and 18.3.2.
"""

import warnings
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

# Of bottlenecks, float32, that are trained on in memory; at its peak that takes six times as much.
MAX_BYTES = 512 * 2**20
_MAX_ITERATIONS = 1000  # 30 to 300 are usual

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Scaling(NamedTuple):
    """How bottlenecks are centred, value by value, and divided by one scale."""

    mean: Floats
    scale: float

    @classmethod
    def of(cls, values: npt.NDArray[np.float32]) -> "Scaling":
        """That of some bottlenecks, float32 [pictures, channels]."""
        mean = values.mean(axis=0, dtype=np.float64)
        return cls(mean, float(np.sqrt(values.var(axis=0, dtype=np.float64).mean())) or 1.0)

    def apply(self, values: npt.NDArray[np.float32]) -> Floats:
        """Bottlenecks as `fit` takes them."""
        return (values - self.mean) / self.scale


def build(tolerance: float, class_weights: dict[int, float] | None = None) -> LogisticRegression:
    """A classifier for `fit`, which goes on from its last weights.

    Args:
      tolerance: largest slope, of the loss, that counts as none.
      class_weights: weight of each class in the loss, or None for equal ones.
    """
    return LogisticRegression(class_weight=class_weights, tol=tolerance, max_iter=_MAX_ITERATIONS, warm_start=True)


def fit(
    model: LogisticRegression, penalty: float, values: Floats, labels: Ints, used: npt.NDArray[np.bool_] | None = None
) -> None:
    """Trains until it converges.

    Args:
      model: as `build` returns it.
      penalty: more than 0.
      values: scaled, [pictures, channels].
      labels: class ids, [pictures], of two or more classes.
      used: bool [pictures], which of them to train on; None for all. The others weigh nothing, as scikit-learn keeps
        what it was given alive for a while, and copies would add up.
    """
    weights = np.ones(len(labels)) if used is None else used.astype(np.float64)
    model.C = 1 / (penalty * weights.sum())
    with warnings.catch_warnings():
        # Weights that are nearly there are as good; held-out pictures judge them.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(values, labels, weights)
