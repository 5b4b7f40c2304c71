"""What each model said of each test picture, kept beside TFMA's results, which only hold sums."""

import contextlib
import contextvars
import hashlib
import os
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from common.examples import LABEL, SHA256
from modeling import devices
from modeling.evaluations import BASELINE, CANDIDATE

FOLDER = "predictions"
_IDENTITY = "identity.txt"
_PIECE = 1 << 20
_ROWS = 1024  # parsed at once


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
    columns = {name: np.concatenate(parts) for name, parts in _columns(evaluation).items()}
    order = np.argsort(columns[SHA256])
    baseline = columns[BASELINE][order]
    return Predictions(
        columns[SHA256][order].astype(str).tolist(),
        columns[LABEL][order],
        columns[CANDIDATE][order],
        baseline if baseline.shape[1] else None,
    )


def of_candidate(evaluation: str, sha256s: Collection[str] | None = None) -> dict[str, npt.NDArray[np.float32]]:
    """The candidate's probabilities, float32 [classes], by the hash of the picture's file, hexadecimal.

    Args:
      evaluation: the evaluation's folder.
      sha256s: of the pictures that are wanted; None for all.
    """
    columns = _columns(evaluation)
    pairs = (pair for part in zip(columns[SHA256], columns[CANDIDATE], strict=True) for pair in zip(*part, strict=True))
    found = ((sha256.decode(), values) for sha256, values in pairs)
    return {sha256: values for sha256, values in found if sha256s is None or sha256 in sha256s}


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


def _columns(evaluation: str) -> dict[str, list[npt.NDArray[Any]]]:
    """Arrays of some rows each: hashes as bytes [rows], labels int64 [rows], probabilities float32 [rows, classes].

    Those of the baseline are [rows, 0] where it was not compared with.
    """
    floats = tf.io.FixedLenSequenceFeature([], tf.float32, allow_missing=True)
    spec = {
        SHA256: tf.io.FixedLenFeature([], tf.string),
        LABEL: tf.io.FixedLenFeature([], tf.int64),
        CANDIDATE: floats,
        BASELINE: floats,
    }
    files = tf.io.gfile.glob(os.path.join(evaluation, FOLDER, "part*"))
    batches = tf.data.TFRecordDataset(files).batch(_ROWS).map(lambda rows: tf.io.parse_example(rows, spec))
    columns: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in spec}
    for batch in batches.as_numpy_iterator():
        for name, values in batch.items():
            columns[name].append(values.astype(np.bytes_) if name == SHA256 else values)
    return columns
