"""What bottlenecks say of pictures beside each other: which are like no other, and which are all but the same.

Similarity is the cosine of the angle between the bottlenecks of two pictures, as they are: centred, they no longer told
pictures of another data set from the others. Distance is 1 less that.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.neighbors import NearestNeighbors

from components.data_audit import robust

_NEIGHBOURS = 10
# Of the usual distance. Copies that are mirrored, or cropped by a tenth, mostly come nearer; other pictures do not.
_ALIKE = 0.3


class Outlier(NamedTuple):
    """A picture that is like no other.

    Attributes:
      place: of the picture.
      similarity: mean of those to its ten nearest neighbours, at most 1.
    """

    place: int
    similarity: float


class Pair(NamedTuple):
    """Two pictures that are all but the same: their places, the smaller one first, and their similarity, at most 1."""

    one: int
    other: int
    similarity: float


class Neighbours(NamedTuple):
    """What was found.

    Attributes:
      outliers: the least similarity first.
      pairs: the greatest similarity first; those of a picture and one of its ten nearest neighbours.
    """

    outliers: list[Outlier]
    pairs: list[Pair]


def find(values: npt.NDArray[np.float32]) -> Neighbours:
    """Compares each picture with all others.

    Args:
      values: bottlenecks, [pictures, channels]. The time grows with the square of the pictures.
    """
    if len(values) < 2:
        return Neighbours([], [])
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    units = values / np.where(lengths > 0, lengths, 1)
    nearest = NearestNeighbors(n_neighbors=min(_NEIGHBOURS, len(units) - 1), algorithm="brute").fit(units)
    straight, places = nearest.kneighbors()
    distances = straight**2 / 2  # as vectors of length 1 have it
    means = distances.mean(axis=1)
    return Neighbours(_outliers(means), _pairs(distances, places, _ALIKE * float(np.median(means))))


def _outliers(distances: npt.NDArray[np.float64]) -> list[Outlier]:
    unusual = np.flatnonzero(robust.scores(distances) > robust.UNUSUAL)
    farthest = unusual[np.argsort(-distances[unusual], kind="stable")]
    return [Outlier(place, float(1 - distances[place])) for place in farthest.tolist()]


def _pairs(distances: npt.NDArray[np.float64], places: npt.NDArray[np.int64], most: float) -> list[Pair]:
    rows, ranks = np.nonzero(distances <= most)
    pairs = np.sort(np.stack([rows, places[rows, ranks]], axis=1), axis=1)
    pairs, first = np.unique(pairs, axis=0, return_index=True)
    similarities = (1 - distances[rows[first], ranks[first]]).tolist()
    found = [
        Pair(one, other, similarity) for (one, other), similarity in zip(pairs.tolist(), similarities, strict=True)
    ]
    return sorted(found, key=lambda pair: -pair.similarity)
