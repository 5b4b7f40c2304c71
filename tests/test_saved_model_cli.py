"""TensorFlow's own command `saved_model_cli` shows and runs the model; it loads it in a session."""

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import steps
import tensorflow as tf

if TYPE_CHECKING:
    from tfx.types.standard_artifacts import Examples, Model

pytestmark = pytest.mark.slow


def _cli(command: str, model: "Model", *arguments: str) -> str:
    program = [sys.executable, "-m", "tensorflow.python.tools.saved_model_cli", command]
    done = subprocess.run(
        [*program, "--dir", f"{model.uri}/Format-Serving", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _run(model: "Model", signature: str, folder: Path, *inputs: str) -> dict[str, np.ndarray]:
    """The answers, which the command writes to a folder."""
    _cli("run", model, "--tag_set", "serve", "--signature_def", signature, "--outdir", str(folder), *inputs)
    # Strings are written as objects.
    return {path.stem: np.load(path, allow_pickle=True) for path in folder.iterdir()}


def _literal(data: bytes) -> str:
    """Bytes as Python writes them, with nothing that the command would take for its own, such as a semicolon."""
    return 'b"' + "".join(f"\\x{byte:02x}" for byte in data) + '"'


def _assert_equals_pythons(model: "Model", pictures: list[bytes], found: dict[str, np.ndarray]) -> None:
    expected = steps.serving(model).signatures["serving_default"](image_bytes=tf.constant(pictures))
    assert found.keys() == expected.keys()
    assert found["label"].tolist() == expected["label"].numpy().tolist()
    np.testing.assert_allclose(found["score"], expected["score"], atol=1e-5, rtol=0)
    np.testing.assert_allclose(found["probabilities"], expected["probabilities"], atol=1e-5, rtol=0)


def test_show_lists_both_signatures(model: "Model") -> None:
    shown = _cli("show", model, "--all")

    _, *parts = re.split(r"^signature_def\['(\w+)'\]:$", shown, flags=re.M)
    signatures = dict(zip(parts[::2], parts[1::2], strict=True))
    for name, given in [("serving_default", "image_bytes"), ("serve_examples", "examples")]:
        assert re.findall(r"(\w+)\['(\w+)'\] tensor_info:\s+dtype: (\w+)\s+shape: (.+)", signatures[name]) == [
            ("inputs", given, "DT_STRING", "(-1)"),
            ("outputs", "error", "DT_STRING", "(-1)"),
            ("outputs", "label", "DT_STRING", "(-1)"),
            ("outputs", "probabilities", "DT_FLOAT", "(-1, 3)"),
            ("outputs", "score", "DT_FLOAT", "(-1)"),
        ]
        assert "Method name is: tensorflow/serving/predict" in signatures[name]


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_run_on_pictures(model: "Model", examples: "Examples", tmp_path: Path, suffix: str) -> None:
    pictures = steps.images(steps.read(examples, "test"))[:10]
    file = tmp_path / f"pictures.{suffix}"
    # Bytes of a fixed length need no pickle, but lose zeros at the end: a PNG or a JPEG ends in others.
    if suffix == "npy":
        np.save(file, np.array(pictures))
    else:
        np.savez(file, np.array(pictures))

    found = _run(model, "serving_default", tmp_path / "answers", "--inputs", f"image_bytes={file}")

    _assert_equals_pythons(model, pictures, found)


def test_run_on_examples(model: "Model", examples: "Examples", tmp_path: Path) -> None:
    pictures = steps.images(steps.read(examples, "test"))[:10]
    text = ", ".join(f'{{"image": [{_literal(picture)}]}}' for picture in pictures)

    found = _run(model, "serve_examples", tmp_path / "answers", "--input_examples", f"examples=[{text}]")

    _assert_equals_pythons(model, pictures, found)
