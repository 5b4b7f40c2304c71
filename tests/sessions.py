"""Asks a SavedModel as TensorFlow Serving, Java and C do: through a session, which knows the file and nothing else."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import tensorflow as tf


def ask(folder: str | Path, signature: str, values: list[bytes]) -> dict[str, npt.NDArray]:
    """The outputs of a signature for the strings of its one input."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(folder))
        definition = loaded.signature_def[signature]
        ((_, given),) = definition.inputs.items()
        outputs = {name: info.name for name, info in definition.outputs.items()}
        return session.run(outputs, {given.name: np.array(values, object)})
