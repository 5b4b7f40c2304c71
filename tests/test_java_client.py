"""A program in Java, of TensorFlow's own library alone, gets the answers that Python gets.

It loads the model in a session, as TensorFlow Serving does, and as Python's `tf.saved_model.load` does not.
"""

import os
import re
import shutil
import subprocess
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

PROJECT = Path(__file__).parent / "java"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Builds the client with libraries from Maven's repository; returns the command that runs it."""
    give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
    jdk = _jdk()
    if not jdk:
        give_up("no Maven on the PATH that runs on a JDK, 17 or newer; `mvn -version` tells what there is")
    project = tmp_path_factory.mktemp("client") / "java"
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("target"))
    build = ["mvn", "-q", "-B", "compile"]
    done = subprocess.run(build, cwd=project, capture_output=True, text=True, check=False)
    if "could not be resolved" in done.stdout or "Could not resolve" in done.stdout:
        give_up(f"libraries are neither in Maven's repository nor could they be fetched: {done.stdout}")
    assert done.returncode == 0, done.stdout
    classpath = (project / "target/classpath").read_text()
    return [f"{jdk}/bin/java", "-cp", f"{project}/target/classes:{classpath}", "client.Classify"]


def _jdk() -> Path | None:
    """Where Maven's JDK is, if it can compile the client."""
    if not shutil.which("mvn"):
        return None
    version = subprocess.run(["mvn", "-B", "-version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"^Java version: (\d+).*, runtime: (.+)$", version, re.M)
    if not found or int(found[1]) < 17 or not Path(found[2], "bin/javac").exists():
        return None
    return Path(found[2])


def _ask(
    client: list[str], model: "Model", signature: str, contents: list[bytes], folder: Path
) -> "subprocess.CompletedProcess[str]":
    """Runs the client on files of these contents."""
    files = [folder / str(index) for index in range(len(contents))]
    for file, content in zip(files, contents, strict=True):
        file.write_bytes(content)
    command = [*client, f"{model.uri}/Format-Serving", signature, *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


# Forty are more than the model takes in one forward pass.
@pytest.mark.parametrize("count", [10, 40])
@pytest.mark.parametrize("signature", ["serving_default", "serve_examples"])
def test_java_gets_what_python_gets(
    client: list[str], model: "Model", examples: "Examples", tmp_path: Path, signature: str, count: int
) -> None:
    asked = (steps.read(examples, "test") * 2)[:count]
    serialized = [example_records.encode(example) for example in asked]
    contents = steps.images(asked) if signature == "serving_default" else serialized
    serve = steps.serving(model).signatures[signature]
    (name,) = serve.structured_input_signature[1]
    expected = serve(**{name: tf.constant(contents)})

    done = _ask(client, model, signature, contents, tmp_path)

    assert done.returncode == 0, done.stderr
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert len(rows) == count
    assert [row[-1] for row in rows] == [label.decode() for label in expected["label"].numpy()]
    np.testing.assert_allclose([float(row[0]) for row in rows], expected["score"], atol=1e-5, rtol=0)
    np.testing.assert_allclose(
        [[float(one) for one in row[1:-1]] for row in rows], expected["probabilities"], atol=1e-5, rtol=0
    )


def test_a_broken_picture_among_good_ones_leaves_them_as_they_are(
    client: list[str], model: "Model", examples: "Examples", tmp_path: Path
) -> None:
    good = steps.images(steps.read(examples, "test"))

    done = _ask(client, model, "serving_default", [*good[:2], b"no picture", good[3][:60], good[2]], tmp_path)
    alone = _ask(client, model, "serving_default", good[:3], tmp_path)

    assert (done.returncode, alone.returncode) == (0, 0), done.stderr
    *first, text, cut, last = done.stdout.splitlines()
    assert [*first, last] == alone.stdout.splitlines()
    assert text == cut == "0.0\t" * 4
