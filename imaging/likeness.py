"""Which pictures look alike, though their bytes differ: re-encoded, resized, slightly cropped or brightened.

A picture's perceptual hash says for 256 of its lowest frequencies whether each is above the median. Two pictures are
alike if at most 48 of these bits differ, and at most 7 of the 64 lowest.
"""

import itertools
from collections.abc import Iterator

import imagehash
import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import sparse

Hashes = npt.NDArray[np.uint64]

_SIDE = 16  # of the square of frequencies
_MAX_DISTANCE, _MAX_COARSE_DISTANCE = 48, 7
# With at most 7 of 64 bits different, at most one is so in one of these four bands at least.
_BANDS = 4
_FLIPS = (0, *(1 << bit for bit in range(16)))
_CROWD = 1000
_BATCH = 1024
_MOST_PAIRS = 1 << 22  # held at once
_PLACES = 1 << 40  # more than there are references
_NONE = np.iinfo(np.int64).max
_BITS = np.array([bin(word).count("1") for word in range(1 << 16)], dtype=np.uint8)


def perceptual_hash(luma: Image.Image) -> str:
    """A grey picture's hash: 64 hexadecimal digits, of which the first 16 are the lowest frequencies."""
    # The library would resize with a slower filter, which tells copies no better.
    small = luma.resize((4 * _SIDE, 4 * _SIDE), Image.Resampling.BOX)
    bits = imagehash.phash(small, hash_size=_SIDE).hash
    half = _SIDE // 2
    quarters = [bits[:half, :half], bits[:half, half:], bits[half:, :half], bits[half:, half:]]
    return np.packbits(np.concatenate([quarter.ravel() for quarter in quarters])).tobytes().hex()


def parse(hashes: list[str]) -> Hashes:
    """Hashes as uint64 [count, 4]."""
    return np.frombuffer(bytes.fromhex("".join(hashes)), np.uint64).reshape(-1, 4)


def nearest(queries: Hashes, references: Hashes) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Finds for each query the reference that is most like it.

    Up to some hundred thousand, time grows with the sum of both. Where more than a thousand different references share
    a band's 16 bits, a query is compared with a thousand of them, so that a crowd does not take time by its square.

    Args:
      queries: uint64 [queries, 4].
      references: uint64 [references, 4].

    Returns:
      Each query's reference, the first of several, or -1 where none is alike; and how many bits differ. Both are
      int64 [queries].
    """
    unique, first = np.unique(references, axis=0, return_index=True)
    queries, inverse = np.unique(queries, axis=0, return_inverse=True)
    bands = [_Band(unique, band) for band in range(_BANDS)]
    best = [_best(queries[start : start + _BATCH], unique, first, bands) for start in range(0, len(queries), _BATCH)]
    keys = np.concatenate([np.empty(0, np.int64), *best])[inverse.ravel()]
    found = keys < _NONE
    return np.where(found, keys % _PLACES, -1), np.where(found, keys // _PLACES, 0)


def groups(hashes: Hashes) -> npt.NDArray[np.int64]:
    """Joins pictures that are alike, directly or through others in between; in a crowd as `nearest` compares.

    Args:
      hashes: uint64 [count, 4].

    Returns:
      The number of each one's group, int64 [count].
    """
    unique, inverse = np.unique(hashes, axis=0, return_inverse=True)
    bands = [_Band(unique, band) for band in range(_BANDS)]
    joined = np.arange(len(unique))
    pairs: list[npt.NDArray[np.int64]] = []
    for start in range(0, len(unique), _BATCH):
        for query, reference, _ in _alike(unique[start : start + _BATCH], unique, bands):
            pairs.append(np.stack([start + query, reference])[:, start + query < reference])
        if sum(one.shape[1] for one in pairs) > _MOST_PAIRS:
            joined, pairs = _join(joined, pairs), []
    return _join(joined, pairs)[inverse.ravel()]


def _join(joined: npt.NDArray[np.int64], pairs: list[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    """Groups [count], where those of each of some pairs, [2, pairs] each, are one."""
    one, other = joined[np.concatenate([np.empty((2, 0), np.int64), *pairs], axis=1)]
    count = len(joined)
    graph = sparse.coo_matrix((np.ones(len(one), dtype=bool), (one, other)), shape=(count, count))
    _, numbers = sparse.csgraph.connected_components(graph, directed=False)
    return numbers.astype(np.int64)[joined]


class _Band:
    """References by one band of 16 bits."""

    def __init__(self, references: Hashes, band: int) -> None:
        words = _words(references)[:, band]
        self._band = band
        self._order = np.argsort(words, kind="stable")
        self._starts = np.searchsorted(words[self._order], np.arange((1 << 16) + 1))

    def pairs(self, queries: Hashes, flip: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Queries and references whose words are the same once the query's is flipped, as two lists of indices."""
        words = _words(queries)[:, self._band] ^ np.uint16(flip)
        begin = self._starts[words]
        counts = np.minimum(self._starts[words.astype(np.int64) + 1] - begin, _CROWD)
        query = np.repeat(np.arange(len(queries)), counts)
        place = np.arange(len(query)) - np.repeat(np.cumsum(counts) - counts, counts)
        return query, self._order[np.repeat(begin, counts) + place]


def _best(
    queries: Hashes, references: Hashes, places: npt.NDArray[np.int64], bands: list[_Band]
) -> npt.NDArray[np.int64]:
    """Each query's smallest pair of a distance and a reference's place, as one number; _NONE where there is none."""
    best = np.full(len(queries), _NONE)
    for query, reference, distance in _alike(queries, references, bands):
        np.minimum.at(best, query, distance * _PLACES + places[reference])
    return best


def _alike(queries: Hashes, references: Hashes, bands: list[_Band]) -> Iterator[tuple[npt.NDArray[np.int64], ...]]:
    """Indices of queries and references that are alike, and how many bits differ; a pair may come several times."""
    for band, flip in itertools.product(bands, _FLIPS):
        query, reference = band.pairs(queries, flip)
        near = _distance(queries[query, :1], references[reference, :1]) <= _MAX_COARSE_DISTANCE
        query, reference = query[near], reference[near]
        distance = _distance(queries[query], references[reference])
        near = distance <= _MAX_DISTANCE
        yield query[near], reference[near], distance[near]


def _distance(one: Hashes, other: Hashes) -> npt.NDArray[np.int64]:
    """How many bits differ in each row."""
    return _BITS[_words(one ^ other)].sum(axis=1, dtype=np.int64)


def _words(hashes: Hashes) -> npt.NDArray[np.uint16]:
    return np.ascontiguousarray(hashes).view(np.uint16)
