"""What a server that watches the folder of published models finds, and what the metadata store is told."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import steps
import tensorflow as tf
from google.protobuf import json_format
from tfx.dsl.io import fileio
from tfx.proto import pusher_pb2
from tfx.types.standard_artifacts import Model, ModelBlessing, PushedModel

from components.pusher.executor import Executor

Contents = dict[str, str]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A SavedModel that triples, and that takes a moment to copy."""
    model = steps.artifact(Model, tmp_path_factory.mktemp("model"))
    folder = Path(model.uri, "Format-Serving")
    module = tf.Module()
    module.factor = tf.Variable(3.0)
    module.__call__ = tf.function(lambda x: x * module.factor, input_signature=[tf.TensorSpec([], tf.float32)])
    tf.saved_model.save(module, str(folder))
    (folder / "assets.extra").mkdir()
    for number in range(30):
        (folder / "assets.extra" / f"{number:02d}").write_bytes(os.urandom(1 << 20))
    return model


def _push(model: Model, base: str | Path, archive: Path, blessed: bool = True) -> PushedModel:
    blessing = steps.artifact(ModelBlessing, archive / "blessing")
    blessing.set_int_custom_property("blessed", int(blessed))
    pushed = steps.artifact(PushedModel, archive / "pushed")
    destination = pusher_pb2.PushDestination(filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=str(base)))
    Executor().Do(
        {"model": [model], "model_blessing": [blessing]},
        {"pushed_model": [pushed]},
        {"push_destination": json_format.MessageToJson(destination), "custom_config": "null"},
    )
    return pushed


def _contents(folder: str | Path) -> Contents:
    """Hash of each file by its path."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in Path(folder).rglob("*")
        if path.is_file()
    }


def test_a_blessed_model_is_published_and_recorded_as_tfx_does(model: Model, tmp_path: Path) -> None:
    base = tmp_path / "serving"
    pushed = _push(model, base, tmp_path)
    (version,) = (path.name for path in base.iterdir() if path.name.isdecimal())
    assert _contents(base / version) == _contents(pushed.uri) == _contents(f"{model.uri}/Format-Serving")
    assert tf.saved_model.load(str(base / version))(2.0).numpy() == 6.0
    assert pushed.get_int_custom_property("pushed") == 1
    assert pushed.get_string_custom_property("pushed_destination") == str(base / version)
    assert pushed.get_string_custom_property("pushed_version") == version


def test_a_model_that_is_not_blessed_publishes_nothing(model: Model, tmp_path: Path) -> None:
    pushed = _push(model, tmp_path / "serving", tmp_path, blessed=False)
    assert not (tmp_path / "serving").exists()
    assert not _contents(pushed.uri)
    assert pushed.get_int_custom_property("pushed") == 0
    assert not pushed.get_string_custom_property("pushed_destination")


# Looks for versions until the file `end` is there; prints of each whether it was whole when it was first seen.
_READER = """
import hashlib, json, os, sys
base, end, expected = sys.argv[1], sys.argv[2], json.load(sys.stdin)
whole = {}
is_last = False
while not is_last:
    is_last = os.path.exists(end)
    for version in set(filter(str.isdecimal, os.listdir(base))) - set(whole):
        found = {}
        root = os.path.join(base, version)
        for folder, _, names in os.walk(root):
            for path in (os.path.join(folder, name) for name in names):
                with open(path, "rb") as file:
                    found[os.path.relpath(path, root)] = hashlib.sha256(file.read()).hexdigest()
        whole[version] = expected.items() <= found.items()
print(list(whole.values()))
"""


def test_a_reader_never_finds_half_a_version(model: Model, tmp_path: Path) -> None:
    base, end = tmp_path / "serving", tmp_path / "end"
    base.mkdir()
    expected = _contents(f"{model.uri}/Format-Serving")
    reader = subprocess.Popen(
        [sys.executable, "-c", _READER, str(base), str(end)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert reader.stdin
    reader.stdin.write(json.dumps(expected))
    reader.stdin.close()
    reader.stdin = None
    try:
        for number in range(10):
            Path(model.uri, "Format-Serving", "assets.extra", "number").write_text(str(number))  # another model
            _push(model, base, tmp_path / "archive")
    finally:
        end.touch()
    assert reader.communicate()[0] == f"{[True] * 10}\n"


def test_the_model_that_is_the_newest_version_already_is_not_published_twice(model: Model, tmp_path: Path) -> None:
    first, second = (_push(model, tmp_path / "serving", tmp_path / name) for name in ("first", "second"))
    assert len([path for path in (tmp_path / "serving").iterdir() if path.name.isdecimal()]) == 1
    for name in ("pushed_destination", "pushed_version"):
        assert first.get_string_custom_property(name) == second.get_string_custom_property(name)


def test_an_object_store_gets_last_what_makes_the_files_a_model(model: Model, tmp_path: Path) -> None:
    base = f"ram://{tmp_path.name}/serving"  # no folder can be renamed there either
    expected = _contents(f"{model.uri}/Format-Serving")
    ended = threading.Event()

    def watch() -> set[bool]:
        """Whether a version that has a saved_model.pb has all, whenever one looks."""
        found = set()
        while not ended.is_set():
            for version in fileio.listdir(base) if fileio.exists(base) else []:
                if fileio.exists(f"{base}/{version}/saved_model.pb"):
                    found.add(all(fileio.exists(f"{base}/{version}/{path}") for path in expected))
        return found

    with ThreadPoolExecutor(1) as thread:
        watched = thread.submit(watch)
        try:
            pushed = [_push(model, base, tmp_path / "archive") for _ in range(5)]
        finally:
            ended.set()
    assert watched.result() == {True}
    versions = [one.get_string_custom_property("pushed_version") for one in pushed]
    assert sorted(set(versions), key=int) == versions
    assert sorted(fileio.listdir(base)) == versions
    assert pushed[-1].get_string_custom_property("pushed_destination") == f"{base}/{versions[-1]}"
    assert tf.saved_model.load(f"{base}/{versions[-1]}")(2.0).numpy() == 6.0
