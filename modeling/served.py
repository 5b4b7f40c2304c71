"""Whether a SavedModel answers in TensorFlow Serving: it is asked through a session, in a process of its own.

TensorFlow 2's own loader puts together again what the file leaves out. A session, through which TensorFlow Serving,
Java, C and most converters run a model, has the file's graph alone.
"""

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from common.examples import IMAGE
from modeling.predictor import Predictor

SIGNATURES = ("serving_default", "serve_examples")
_MADE_UP = 4
# Of a probability. The process has no GPU, whose arithmetic may differ by more than a processor's from another's.
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
      RuntimeError: as in `check`.
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

    Raises:
      RuntimeError: the process that asks ended before it could say anything, as when memory runs out.
    """
    request = {"folder": folder, "images": [base64.b64encode(image).decode() for image in images]}
    here = str(Path(__file__).resolve().parent.parent)
    done = subprocess.run(
        [sys.executable, "-m", __name__],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")])),
            "PYTHONDONTWRITEBYTECODE": "1",
            "CUDA_VISIBLE_DEVICES": "-1",  # the process that asks for the check may hold all of a GPU's memory
        },
        check=False,
    )
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        raise RuntimeError(f"the process that asks {folder!r} through a session ended with exit code {done.returncode}")
    answer = json.loads(done.stdout.splitlines()[-1])
    if problem := answer.get("problem"):
        return Served(len(images), 0, problem)
    is_equal = np.ones(len(images), bool)
    for signature in SIGNATURES:
        is_equal &= _agrees(answer[signature], expected, classes)
    equal = int(is_equal.sum())
    problem = "" if equal == len(images) else "its answers are not those of the evaluation"
    return Served(len(images), equal, problem)


def _agrees(
    answer: dict[str, list[Any]], expected: npt.NDArray[np.float32], classes: Sequence[str]
) -> npt.NDArray[np.bool_]:
    """For each picture whether probabilities, score and label are what they should be."""
    probabilities = np.array(answer["probabilities"], np.float32)
    if probabilities.shape != expected.shape:
        return np.zeros(len(expected), bool)
    labels = [classes[index] for index in probabilities.argmax(axis=1)]
    return (
        (np.abs(probabilities - expected).max(axis=1) <= _TOLERANCE)
        & (np.array(answer["score"], np.float32) == probabilities.max(axis=1))
        & np.array([one == other for one, other in zip(answer["label"], labels, strict=True)])
    )


def main() -> None:
    """Answers the request on standard input by a line of JSON."""
    request = json.load(sys.stdin)
    try:
        answer = _ask(request["folder"], [base64.b64decode(image) for image in request["images"]])
    except (tf.errors.OpError, OSError, ValueError, KeyError, RuntimeError) as error:  # from damaged files too
        answer = {"problem": _reason(error)}
    print(json.dumps(answer))


def _ask(folder: str, images: list[bytes]) -> dict[str, Any]:
    image_features = (tf.train.Feature(bytes_list=tf.train.BytesList(value=[image])) for image in images)
    examples = [
        tf.train.Example(features=tf.train.Features(feature={IMAGE: feature})).SerializeToString()
        for feature in image_features
    ]
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        signatures = tf.compat.v1.saved_model.load(session, ["serve"], folder).signature_def
        return {
            name: _run(session, signatures[name], values)
            for name, values in zip(SIGNATURES, (images, examples), strict=True)
        }


def _run(session: tf.compat.v1.Session, signature: Any, values: list[bytes]) -> dict[str, list[Any]]:
    (given,) = signature.inputs.values()
    outputs = {name: info.name for name, info in signature.outputs.items()}
    found = session.run(outputs, {given.name: np.array(values, object)})
    return {
        "probabilities": found["probabilities"].tolist(),
        "score": found["score"].tolist(),
        "label": [label.decode() for label in found["label"]],
    }


def _reason(error: Exception) -> str:
    """The first sentence of what TensorFlow says."""
    text = _PREFIX.sub("", " ".join(str(error).split()))
    return text.partition(". ")[0][:200] or type(error).__name__


if __name__ == "__main__":
    main()
