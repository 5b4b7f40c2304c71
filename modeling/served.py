"""Whether a SavedModel answers in TensorFlow Serving: it is asked through a session.

TensorFlow 2's own loader puts together again what the file leaves out. A session, through which TensorFlow Serving,
Java, C and most converters run a model, has the file's graph and variables of its own alone.
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from common.examples import IMAGE
from modeling.predictor import Predictor

SIGNATURES = ("serving_default", "serve_examples")
_MADE_UP = 4
# Of a probability. The session has no GPU, whose arithmetic may differ by more than a processor's from another's.
_TOLERANCE = 0.01
# TensorFlow puts one or more of these before what is wrong.
_PREFIX = re.compile(r"^(?:Graph execution error:|\d+ root error\(s\) found\.|\(\d+\)|[A-Z_]+:|\{\{.*?\}\}|\s+)+")


class Served(NamedTuple):
    """What a session made of a model.

    Attributes:
      asked: how many pictures it was asked about.
      equal: how many of them both signatures answered as expected.
      problem: what is wrong with the others; empty where there are none.
    """

    asked: int
    equal: int
    problem: str = ""

    @property
    def passed(self) -> bool:
        """Whether all is as expected."""
        return self.equal == self.asked


def examine(folder: str) -> Served:
    """Compares what both loaders make of a model that is already out, on made-up pictures.

    Args:
      folder: of a SavedModel that `modeling.signatures` wrote, in this release or an earlier one.

    Raises:
      UserError: TensorFlow 2's own loader cannot load it either, or it is none of ours.
    """
    predictor = Predictor(folder)
    noise = np.random.default_rng(0).integers(0, 256, (_MADE_UP, 64, 64, 3), np.uint8)
    images = [tf.io.encode_png(pixels).numpy() for pixels in noise]
    return check(folder, images, predictor.probabilities(images), predictor.classes)


def check(folder: str, images: Sequence[bytes], expected: npt.NDArray[np.float32], classes: Sequence[str]) -> Served:
    """Asks both signatures of a SavedModel through a session and compares the answers.

    Args:
      folder: the SavedModel's; any address that TensorFlow can open.
      images: encoded JPEG or PNG pictures, one or more.
      expected: their probabilities, float32 [pictures, classes].
      classes: class names by class id.
    """
    try:
        answer = _ask(folder, images)
    except (tf.errors.OpError, OSError, ValueError, KeyError, RuntimeError) as error:  # from damaged files too
        return Served(len(images), 0, _reason(error))
    is_equal = np.ones(len(images), bool)
    for signature in SIGNATURES:
        is_equal &= _agrees(answer[signature], expected, classes)
    equal = int(is_equal.sum())
    problem = "" if equal == len(images) else "its answers are not those of the evaluation"
    return Served(len(images), equal, problem)


def _agrees(
    answer: dict[str, npt.NDArray[Any]], expected: npt.NDArray[np.float32], classes: Sequence[str]
) -> npt.NDArray[np.bool_]:
    """For each picture whether probabilities, score and label are what they should be."""
    probabilities = answer["probabilities"]
    if probabilities.shape != expected.shape:
        return np.zeros(len(expected), bool)
    labels = [classes[index] for index in probabilities.argmax(axis=1)]
    return (
        (np.abs(probabilities - expected).max(axis=1) <= _TOLERANCE)
        & (answer["score"] == probabilities.max(axis=1))
        & np.array([one.decode() == other for one, other in zip(answer["label"], labels, strict=True)])
    )


def _ask(folder: str, images: Sequence[bytes]) -> dict[str, dict[str, npt.NDArray[Any]]]:
    """What each signature answers; the process may hold all of a GPU's memory already."""
    image_features = (tf.train.Feature(bytes_list=tf.train.BytesList(value=[image])) for image in images)
    examples = [
        tf.train.Example(features=tf.train.Features(feature={IMAGE: feature})).SerializeToString()
        for feature in image_features
    ]
    without_gpu = tf.compat.v1.ConfigProto(device_count={"GPU": 0})
    with tf.Graph().as_default(), tf.compat.v1.Session(config=without_gpu) as session:
        signatures = tf.compat.v1.saved_model.load(session, ["serve"], folder).signature_def
        return {
            name: _run(session, signatures[name], values)
            for name, values in zip(SIGNATURES, (images, examples), strict=True)
        }


def _run(session: tf.compat.v1.Session, signature: Any, values: Sequence[bytes]) -> dict[str, npt.NDArray[Any]]:
    (given,) = signature.inputs.values()
    outputs = {name: info.name for name, info in signature.outputs.items()}
    return session.run(outputs, {given.name: np.array(values, object)})


def _reason(error: Exception) -> str:
    """The first sentence of what TensorFlow says."""
    text = _PREFIX.sub("", " ".join(str(error).split()))
    return text.partition(". ")[0][:200] or type(error).__name__
