"""Two models on the same test pictures: who is right where, and whether that may be chance."""

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import norm

from components.report import numbers
from pipeline.comparison.measured import Measured

LEVEL = 0.05  # a difference with a lower probability than this is taken for one


class Difference(NamedTuple):
    """The first accuracy minus the second, each end of the interval -1 to 1."""

    value: float
    low: float
    high: float


class Pair(NamedTuple):
    """Two backbones.

    Attributes:
      first: a backbone's name.
      second: another's.
      only_first: int64 [pictures], places in the predictions of those that only the first gets right.
      only_second: the same for the second.
      difference: of their accuracies, with a 95% interval.
      p_value: McNemar's exact test: how probable a difference at least as large would be if both were equally good.
      holm: the same, corrected by Holm's method for the number of pairs that are compared.
    """

    first: str
    second: str
    only_first: numbers.Ints
    only_second: numbers.Ints
    difference: Difference
    p_value: float
    holm: float

    @property
    def better(self) -> str:
        """The name of the more accurate one; empty where the difference may be chance."""
        if self.holm >= LEVEL:
            return ""
        return self.first if self.difference.value > 0 else self.second


def compare(backbones: Sequence[Measured]) -> list[Pair]:
    """Each backbone with each that comes after it; all predict the same pictures."""
    found = []
    for first, second in itertools.combinations(backbones, 2):
        one, other = first.predictions, second.predictions
        assert one.sha256s == other.sha256s
        compared = numbers.compare(one.labels, candidate=one.probabilities, baseline=other.probabilities)
        gap = difference(len(compared.gained), len(compared.lost), len(one.labels))
        found.append(Pair(first.name, second.name, compared.gained, compared.lost, gap, compared.p_value, math.nan))
    corrected = holm([pair.p_value for pair in found])
    return [pair._replace(holm=value) for pair, value in zip(found, corrected, strict=True)]


def difference(only_first: int, only_second: int, pictures: int) -> Difference:
    """A difference of paired shares with the interval of D. G. Bonett and R. M. Price (2012): Wald's, with one picture
    added to each of the two counts. M. W. Fagerland et al. (2014) recommend it, for few pictures too.

    Args:
      only_first: pictures that only the first gets right.
      only_second: pictures that only the second gets right.
      pictures: all of them, 1 or more.
    """
    first, second = (only_first + 1) / (pictures + 2), (only_second + 1) / (pictures + 2)
    reach = norm.ppf(0.975) * math.sqrt((first + second - (first - second) ** 2) / (pictures + 2))
    middle = first - second
    return Difference(
        (only_first - only_second) / pictures, float(max(middle - reach, -1.0)), float(min(middle + reach, 1.0))
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """S. Holm's correction (1979): of n, the least times n, the next times n - 1, each at least the one before."""
    order = np.argsort(p_values)
    multiplied = np.asarray(p_values)[order] * np.arange(len(p_values), 0, -1)
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(np.maximum.accumulate(multiplied), 1.0)
    return corrected.tolist()
