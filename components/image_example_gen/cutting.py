"""Cuts splits from what has none of its own: by hash, with a share for each class."""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import NamedTuple

from common.examples import TRAIN

_LEAST_GROUPS = 3  # of a class that is to be in each split


class _Range(NamedTuple):
    begin: float
    end: float


def cut(classes: Mapping[str, Set[str]], shares: Sequence[tuple[str, float]]) -> dict[str, str]:
    """Decides the split of each group of pictures; a picture by itself is a group too.

    A group's hash alone decides, so that it stays where it is when others come and go. But each class has a group in
    train, and one of at least three groups has one in each split that is cut too. Where hashes leave a split without,
    the class's group nearest to that split by hash moves there, unless a class would have none left where it was. All
    classes get their group in train before any gets its other ones, in the order of their names.

    Args:
      classes: those of which a group has pictures, by the group's hash: 64 hexadecimal digits.
      shares: the splits to cut and how much of all each one gets, 0 to 1; the rest is train's.

    Returns:
      The split of each group by its hash.
    """
    ranges = _ranges(shares)
    splits = {group: _by_hash(group, ranges) for group in classes}
    groups_of: dict[str, list[str]] = defaultdict(list)
    for group, names in classes.items():
        for name in names:
            groups_of[name].append(group)
    counts = {name: Counter(splits[group] for group in groups) for name, groups in groups_of.items()}

    def give(name: str, split: str, movable: Iterable[str]) -> None:
        if counts[name][split]:
            return
        moved = min(movable, key=lambda group: (_distance(group, ranges[split]), group), default=None)
        if moved is not None:
            for other in classes[moved]:
                counts[other][splits[moved]] -= 1
                counts[other][split] += 1
            splits[moved] = split

    for name in sorted(groups_of):
        give(name, TRAIN, groups_of[name])
    for name, (split, _) in itertools.product(sorted(groups_of), shares):
        if len(groups_of[name]) >= _LEAST_GROUPS:
            spare = (one for one in groups_of[name] if all(counts[other][splits[one]] > 1 for other in classes[one]))
            give(name, split, spare)
    return splits


def _ranges(shares: Sequence[tuple[str, float]]) -> dict[str, _Range]:
    """Which positions are those of train and of each split that is cut."""
    ranges, end = {}, 0.0
    for split, share in shares:
        ranges[split] = _Range(end, end + share)
        end += share
    return {TRAIN: _Range(end, 1.0), **ranges}


def _by_hash(group: str, ranges: Mapping[str, _Range]) -> str:
    position = _position(group)
    return next((split for split, (begin, end) in ranges.items() if begin <= position < end), TRAIN)


def _position(group: str) -> float:
    return int(group[:16], 16) / 2**64


def _distance(group: str, target: _Range) -> float:
    return max(target.begin - _position(group), _position(group) - target.end, 0.0)
