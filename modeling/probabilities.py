"""What each model said of each test picture, kept beside TFMA's results, which only hold sums."""

import contextlib
import contextvars
import os
from collections.abc import Collection, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from common.examples import LABEL, SHA256
from modeling.evaluations import BASELINE, CANDIDATE

FOLDER = "predictions"
destination: contextvars.ContextVar[str] = contextvars.ContextVar("destination")


class Predictions(NamedTuple):
    """The test pictures in the order of their hashes.

    Attributes:
      sha256s: hash of each picture's file, hexadecimal.
      labels: int64 [pictures], true class ids.
      probabilities: float32 [pictures, classes], the candidate's.
      baseline: the same of the last blessed model; None where it was not compared with.
    """

    sha256s: list[str]
    labels: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float32]
    baseline: npt.NDArray[np.float32] | None


@contextlib.contextmanager
def kept_in(evaluation: str) -> Iterator[None]:
    """Says where the hook in `extractors` keeps predictions: TFX takes that by its name, with arguments of its own.

    Args:
      evaluation: the evaluation's folder.
    """
    token = destination.set(os.path.join(evaluation, FOLDER))
    try:
        yield
    finally:
        destination.reset(token)


def read(evaluation: str) -> Predictions:
    """Reads what an evaluation kept.

    Args:
      evaluation: the evaluation's folder.
    """
    rows = sorted(_rows(evaluation), key=_sha256)
    baseline = [_floats(row, BASELINE) for row in rows]
    return Predictions(
        [_sha256(row) for row in rows],
        np.array([row.features.feature[LABEL].int64_list.value[0] for row in rows], np.int64),
        np.array([_floats(row, CANDIDATE) for row in rows], np.float32),
        np.array(baseline, np.float32) if all(baseline) else None,
    )


def find(evaluation: str, sha256s: Collection[str]) -> dict[str, list[float]]:
    """Reads the candidate's probabilities of some test pictures.

    Args:
      evaluation: the evaluation's folder.
      sha256s: hashes of the pictures' files, hexadecimal.
    """
    return {_sha256(row): _floats(row, CANDIDATE) for row in _rows(evaluation) if _sha256(row) in sha256s}


def _rows(evaluation: str) -> Iterator[tf.train.Example]:
    files = tf.io.gfile.glob(os.path.join(evaluation, FOLDER, "part*"))
    return map(tf.train.Example.FromString, tf.data.TFRecordDataset(files).as_numpy_iterator())


def _sha256(row: tf.train.Example) -> str:
    return row.features.feature[SHA256].bytes_list.value[0].decode()


def _floats(row: tf.train.Example, model: str) -> list[float]:
    return list(row.features.feature[model].float_list.value)
