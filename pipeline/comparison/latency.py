"""How long a SavedModel takes to answer on this machine."""

import itertools
import statistics
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import tensorflow as tf

BATCH = 32  # pictures
_ROUNDS = 20
_LEAST_ROUNDS = 3
_SECONDS = 30.0  # after these no round begins


class Latency(NamedTuple):
    """Medians of repeated calls, in seconds; decoding and resizing included.

    Attributes:
      one: for a request with one picture.
      batch: for one with BATCH pictures.
      repeats: calls of each kind.
    """

    one: float
    batch: float
    repeats: int


def measure(models: Mapping[str, str], images: Sequence[bytes]) -> dict[str, Latency]:
    """Calls the models in turn, in this process, so that whatever else keeps the machine busy slows down all alike.

    Args:
      models: folders of SavedModels, by name.
      images: encoded JPEG or PNG pictures, one or more; with fewer than BATCH, some are in a batch several times.
    """
    loaded = {name: tf.saved_model.load(folder) for name, folder in models.items()}  # holds the variables
    serve = {name: model.signatures["serving_default"] for name, model in loaded.items()}
    requests = [tf.constant(list(itertools.islice(itertools.cycle(images), size))) for size in (1, BATCH)]
    calls = list(itertools.product(serve, range(len(requests))))

    def call(name: str, kind: int) -> float:
        began = time.perf_counter()
        serve[name](image_bytes=requests[kind])["probabilities"].numpy()
        return time.perf_counter() - began

    for one in calls:
        call(*one)  # the first call of each prepares what the others use
    seconds: dict[tuple[str, int], list[float]] = {one: [] for one in calls}
    began = time.perf_counter()
    rounds = 0
    while rounds < _ROUNDS and (rounds < _LEAST_ROUNDS or time.perf_counter() - began < _SECONDS):
        for one in calls:
            seconds[one].append(call(*one))
        rounds += 1
    return {
        name: Latency(statistics.median(seconds[name, 0]), statistics.median(seconds[name, 1]), rounds)
        for name in models
    }
