"""TensorFlow Lite's converter, which reads the model through a session, keeps its answers."""

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import steps
import tensorflow as tf

from common import example_records

if TYPE_CHECKING:
    from tfx.types.standard_artifacts import Examples, Model

pytestmark = pytest.mark.slow

# In a process of its own: the converter ends the process at a variable that it cannot find.
_CONVERT = """
import sys
import tensorflow as tf

folder, signature, file = sys.argv[1:]
converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[signature])
converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
# Antialiased resizing, and what leaves out pictures that cannot be decoded, are neither TensorFlow Lite's own nor on
# its list of TensorFlow's operations.
converter.target_spec.experimental_select_user_tf_ops = [
    "ScaleAndTranslate",
    "ExtractJpegShape",
    "TensorDataset",
    "IgnoreErrorsDataset",
    "ConcatenateDataset",
    "DatasetToSingleElement",
]
with open(file, "wb") as output:
    output.write(converter.convert())
"""


@pytest.mark.parametrize("signature", ["serving_default", "serve_examples"])
def test_a_converted_signature_gives_what_the_model_gives(
    model: "Model", examples: "Examples", tmp_path: Path, signature: str
) -> None:
    file = tmp_path / "model.tflite"
    convert = [sys.executable, "-c", _CONVERT, f"{model.uri}/Format-Serving", signature, str(file)]
    done = subprocess.run(convert, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

    asked = steps.read(examples, "test")[:10]
    serialized = [example_records.encode(example) for example in asked]
    contents = [*steps.images(asked), b"no picture"] if signature == "serving_default" else serialized
    serve = steps.serving(model).signatures[signature]
    (name,) = serve.structured_input_signature[1]
    expected = serve(**{name: tf.constant(contents)})
    converted = tf.lite.Interpreter(str(file)).get_signature_runner()
    found = converted(**{name: np.array(contents, object)})

    assert found.keys() == expected.keys()
    for text in ("label", "error"):
        assert found[text].tolist() == expected[text].numpy().tolist()
    np.testing.assert_allclose(found["score"], expected["score"], atol=1e-5, rtol=0)
    np.testing.assert_allclose(found["probabilities"], expected["probabilities"], atol=1e-5, rtol=0)
