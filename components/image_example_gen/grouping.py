"""Which pictures belong together, whatever says so."""

import os
from collections.abc import Sequence, Set

import numpy as np
from scipy import sparse

from common import hashing
from imaging import likeness


def find(sha256s: Sequence[str], names: Sequence[Set[str]], looks: Sequence[str] | None) -> list[str]:
    """Joins pictures that share the name of a group, or look alike, directly or through others in between.

    Args:
      sha256s: of each picture; no two are the same.
      names: those of the groups that each picture and its copies are in.
      looks: perceptual hash of each picture if those that look alike belong together.

    Returns:
      The hash of each picture's group, 64 hexadecimal digits: that of the first of its names or, where it has none,
      the lowest of its pictures'. A picture by itself is a group of its own hash.
    """
    if looks is None and not any(names):
        return list(sha256s)
    first: dict[str | int, int] = {}
    pairs = [(place, first.setdefault(name, place)) for place, some in enumerate(names) for name in some]
    if looks is not None:
        alike = likeness.groups(likeness.parse(list(looks))).tolist()
        pairs += [(place, first.setdefault(number, place)) for place, number in enumerate(alike)]
    count = len(sha256s)
    one, other = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    graph = sparse.coo_matrix((np.ones(len(pairs), dtype=bool), (one, other)), shape=(count, count))
    _, labels = sparse.csgraph.connected_components(graph, directed=False)

    members = labels.tolist()
    named: dict[int, str] = {}
    unnamed: dict[int, str] = {}
    for member, sha256, some in zip(members, sha256s, names, strict=True):
        unnamed[member] = min(sha256, unnamed.get(member, sha256))
        for name in some:
            named[member] = min(name, named.get(member, name))
    hashes = {member: hashing.sha256_of_bytes(os.fsencode(name)) for member, name in named.items()}
    return [hashes.get(member, unnamed[member]) for member in members]
