"""Pictures that ingestion's measurements set apart: blank, blurred, dark, bright, small, wide or tall ones.

What is usual differs from data set to data set, so that each is compared with the median.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from common.examples import Example
from components.data_audit import robust

_BLANK = 1e-6  # sharpness below which no level differs from its neighbours' mean by more than a fraction of one in 255
# A picture is dark, or bright, only in the outer fifths of `imaging.ranges`, however usual the others are.
_DARK, _BRIGHT = 0.2, 0.8
_STRETCHED = np.log(2.5)  # of width by height, compared with the usual: more than turning a 3:2 photograph changes it
_MAGNIFIED = 2  # how much larger than a picture the model's, or the usual one, may be

_Floats = npt.NDArray[np.float64]


class Oddity(NamedTuple):
    """A picture that is odd.

    Attributes:
      place: of the picture.
      oddity: "blank", "blurred", "dark", "bright", "small", "wide" or "tall".
      value: sharpness, brightness, shorter side in pixels, or width by height.
      usual: the median of that over all pictures.
    """

    place: int
    oddity: str
    value: float
    usual: float


def find(examples: Sequence[Example], image_size: int) -> list[Oddity]:
    """The oddest of each kind, then the second of each kind, and so on.

    Args:
      examples: the pictures.
      image_size: side of the model's pictures in pixels.
    """
    if not examples:
        return []
    ranked = [
        (rank, kind, oddity)
        for kind, oddities in enumerate(_kinds(examples, image_size))
        for rank, oddity in enumerate(oddities)
    ]
    return [oddity for _, _, oddity in sorted(ranked, key=lambda one: one[:2])]


def _kinds(examples: Sequence[Example], image_size: int) -> Iterator[list[Oddity]]:
    sharpness = np.array([one.sharpness for one in examples])
    is_blank = sharpness < _BLANK
    yield _oddities("blank", sharpness, is_blank, sharpness)
    scores = robust.scores(np.log(np.maximum(sharpness, _BLANK)))
    yield _oddities("blurred", sharpness, ~is_blank & (scores < -robust.UNUSUAL), sharpness)

    brightness = np.array([one.brightness for one in examples])
    # As log-odds, ends that values cannot pass are as far away as they look.
    scores = robust.scores(np.log((brightness + 0.01) / (1.01 - brightness)))
    yield _oddities("dark", brightness, (brightness < _DARK) & (scores < -robust.UNUSUAL), brightness)
    yield _oddities("bright", brightness, (brightness > _BRIGHT) & (scores > robust.UNUSUAL), -brightness)

    sides = np.array([min(one.height, one.width) for one in examples], float)
    yield _oddities("small", sides, sides * _MAGNIFIED < min(image_size, np.median(sides)), sides)
    ratios = np.array([one.width / one.height for one in examples])
    away = np.log(ratios) - np.log(np.median(ratios))
    yield _oddities("wide", ratios, away > _STRETCHED, -ratios)
    yield _oddities("tall", ratios, away < -_STRETCHED, ratios)


def _oddities(oddity: str, values: _Floats, is_odd: npt.NDArray[np.bool_], order: _Floats) -> list[Oddity]:
    """Those that are odd, the least in the order first."""
    usual = float(np.median(values))
    odd = np.flatnonzero(is_odd)
    return [
        Oddity(place, oddity, float(values[place]), usual)
        for place in odd[np.argsort(order[odd], kind="stable")].tolist()
    ]
