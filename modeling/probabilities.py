"""What each model said of each test picture, kept beside TFMA's results, which only hold sums."""

import contextlib
import contextvars
import hashlib
import os
from collections.abc import Collection, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from common.examples import LABEL, SHA256
from modeling import devices
from modeling.evaluations import BASELINE, CANDIDATE

FOLDER = "predictions"
_IDENTITY = "identity.txt"
_PIECE = 1 << 20


class Places(NamedTuple):
    """Folders.

    Attributes:
      destination: where predictions are to be kept.
      baseline: of an evaluation that keeps what the baseline says, as the candidate of its time; empty for none.
    """

    destination: str
    baseline: str


places: contextvars.ContextVar[Places] = contextvars.ContextVar("places")


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
def kept_in(evaluation: str, baseline: str = "") -> Iterator[None]:
    """Says where the hook in `extractors` keeps predictions: TFX takes that by its name, with arguments of its own.

    Args:
      evaluation: the evaluation's folder.
      baseline: as in `Places`.
    """
    token = places.set(Places(os.path.join(evaluation, FOLDER), baseline))
    try:
        yield
    finally:
        places.reset(token)


def sign(evaluation: str, model: str) -> None:
    """Leaves beside the predictions of an evaluation what the candidate was.

    Args:
      evaluation: the evaluation's folder.
      model: folder of the candidate's SavedModel.
    """
    with tf.io.gfile.GFile(os.path.join(evaluation, FOLDER, _IDENTITY), "w") as file:
        file.write(_identity(model))


def are_of(evaluation: str, model: str) -> bool:
    """Whether a model would say here of the same pictures what an evaluation kept of its candidate.

    Args:
      evaluation: the evaluation's folder, which may be gone.
      model: folder of a SavedModel.
    """
    path = os.path.join(evaluation, FOLDER, _IDENTITY)
    if not tf.io.gfile.exists(path):  # or one of an earlier release
        return False
    with tf.io.gfile.GFile(path) as file:
        return file.read() == _identity(model)


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


def of_candidate(evaluation: str) -> dict[str, npt.NDArray[np.float32]]:
    """The candidate's probabilities, float32 [classes], by the hash of the picture's file, hexadecimal.

    Args:
      evaluation: the evaluation's folder.
    """
    return {_sha256(row): np.array(_floats(row, CANDIDATE), np.float32) for row in _rows(evaluation)}


def _identity(model: str) -> str:
    """Hash of a SavedModel's files and of what computes: other kernels round otherwise."""
    digest = hashlib.sha256(devices.arithmetic().encode())
    for folder, _, names in sorted(tf.io.gfile.walk(model)):
        for name in sorted(names):
            digest.update(f"\0{os.path.join(folder, name)[len(model) :]}\0".encode())
            with tf.io.gfile.GFile(os.path.join(folder, name), "rb") as file:
                while chunk := file.read(_PIECE):
                    digest.update(chunk)
    return digest.hexdigest()


def _rows(evaluation: str) -> Iterator[tf.train.Example]:
    files = tf.io.gfile.glob(os.path.join(evaluation, FOLDER, "part*"))
    return map(tf.train.Example.FromString, tf.data.TFRecordDataset(files).as_numpy_iterator())


def _sha256(row: tf.train.Example) -> str:
    return row.features.feature[SHA256].bytes_list.value[0].decode()


def _floats(row: tf.train.Example, model: str) -> list[float]:
    return list(row.features.feature[model].float_list.value)
