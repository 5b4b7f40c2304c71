"""Held-out pictures that look like training pictures: what is right about them may be remembered, not learnt."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from common.examples import EVAL, TEST, TRAIN
from components.image_example_gen.plan import Record
from imaging import likeness


class Leak(NamedTuple):
    """A held-out picture that looks like a training picture.

    Attributes:
      path: of the held-out picture.
      split: its split, "eval" or "test".
      near: path of the training picture that is most like it.
      distance: how many of their 256 bits differ; 0 for pictures that look the same.
    """

    path: str
    split: str
    near: str
    distance: int


def find_leaks(splits: Mapping[str, Sequence[Record]]) -> list[Leak]:
    """At most one for each held-out picture, the most alike first; nothing is moved.

    Args:
      splits: the pictures of train, eval and test.
    """
    held_out = [(split, record) for split in (EVAL, TEST) for record in splits[split]]
    train = splits[TRAIN]
    places, distances = likeness.nearest(
        likeness.parse([record.picture.perceptual_hash for _, record in held_out]),
        likeness.parse([record.picture.perceptual_hash for record in train]),
    )
    leaks = [
        Leak(path=record.file.path, split=split, near=train[place].file.path, distance=int(distance))
        for (split, record), place, distance in zip(held_out, places, distances, strict=True)
        if place >= 0
    ]
    return sorted(leaks, key=lambda leak: (leak.distance, leak.path))
