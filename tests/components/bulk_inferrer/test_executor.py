"""The step's work on real files: the command's predictions, one row per file, and what is kept of a killed attempt."""

import csv
import io
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import steps
import tensorflow as tf
from pictures import encode, exif, make_pixels
from PIL import Image

from common import escaping, labels, progress
from common.errors import UserError
from components.bulk_inferrer import executor
from components.bulk_inferrer.driver import fingerprint
from modeling.prediction_formats import File
from modeling.predictor import Predictor
from pipeline import command, predict

if TYPE_CHECKING:
    from tfx.types import Artifact
    from tfx.types.standard_artifacts import InferenceResult, Model

CLASSES = ["apple", "berry", "cherry"]
_HOSTILE = "=cmd|' /C calc'!A0 \x1b[2J\x07\r\nforged,row,1.0\u202e\udcff.png"


@pytest.fixture(autouse=True)
def nobody_listens() -> Iterator[None]:
    yield
    progress.listen(None)


def _write(path: Path, data: bytes | None = None, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode(make_pixels(seed)) if data is None else data)
    return path


def _table(result: "InferenceResult") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(Path(result.uri, "predictions.csv").read_text(encoding="utf-8"))))


def _records(result: "InferenceResult") -> list[dict[str, Any]]:
    """What a reader with TensorFlow alone makes of the records."""
    texts, floats = tf.io.RaggedFeature(tf.string), tf.io.RaggedFeature(tf.float32)
    spec = {"file_name": texts, "label": texts, "score": floats, "probabilities": floats, "error": texts}
    files = sorted(str(path) for path in Path(result.uri).glob("predictions-*-of-*.tfrecord"))
    parsed = [tf.io.parse_single_example(one, spec) for one in tf.data.TFRecordDataset(files)]
    return [{name: tensor.numpy().tolist() for name, tensor in one.items()} for one in parsed]


def _counts(result: "InferenceResult") -> tuple[int, ...]:
    return tuple(int(result.get_int_custom_property(name)) for name in ("found", "predicted", "failed"))


def _left(result: "InferenceResult") -> list[str]:
    """What lies beside the output and in it, other than predictions."""
    folder = Path(result.uri)
    beside = [path.name for path in folder.parent.iterdir() if path.name.startswith(".unfinished")]
    return beside + [path.name for path in folder.iterdir() if not path.name.startswith("predictions")]


def test_predictions_are_those_of_the_command_on_the_same_files(
    model: "Model", tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = Image.fromarray(make_pixels(1, 40, 64))
    pictures = {
        "a/cmyk.jpg": encode(wide.convert("CMYK"), "JPEG"),
        "a/deep/phone.jpg": encode(wide, "JPEG", exif=exif(6)),
        "a/grey.png": encode(wide.convert("L")),
        "a.webp": encode(make_pixels(2, 40, 64), "WEBP"),
        "broken.jpg": encode(wide, "JPEG")[:500],
        "notes.txt": b"no picture",
    }
    for name, data in pictures.items():
        _write(tmp_path / "new" / name, data)
    result = steps.infer(tmp_path / "new", model, tmp_path / "result")

    served = f"{model.uri}/Format-Serving"
    monkeypatch.chdir(tmp_path / "new")
    assert predict.main([*pictures, "--model", served, "--format", "csv"]) == command.INCOMPLETE
    assert Path(result.uri, "predictions.csv").read_text() == capfd.readouterr().out
    assert _counts(result) == (6, 4, 2)
    assert result.get_string_custom_property("model") == served

    (predictions,) = Predictor(served).predict(map(File, pictures), top=3)
    for record, prediction in zip(_records(result), predictions, strict=True):
        scores = dict(prediction.top)
        expected = np.array([scores[name] for name in CLASSES if scores], np.float32)
        np.testing.assert_array_equal(np.array(record["probabilities"], np.float32), expected)
        assert record["file_name"] == [prediction.file.encode()]
        assert record["error"] == [prediction.problem.encode()] * bool(prediction.problem)
        assert record["label"] == [CLASSES[expected.argmax()].encode() for _ in scores][:1]
        assert record["score"] == [expected.max() for _ in scores][:1]
    assert _left(result) == []


def test_every_file_has_its_row_whatever_it_is_called(model: "Model", tmp_path: Path) -> None:
    new = tmp_path / "new"
    outside = _write(tmp_path / "outside" / "secret.png")
    pictures = [_HOSTILE, "-1.png", "ねこ.png", "x" * 251 + ".png", "a/b/c/\\u0041.png"]
    for name in (*pictures, ".hidden.png", ".git/x.png", "a/.DS_Store", "a/Thumbs.db", "__MACOSX/x.png"):
        _write(Path(os.fsdecode(os.fsencode(str(new / name)))))
    (new / "link.png").symlink_to(outside)
    (new / "links").symlink_to(outside.parent)
    (new / "again").symlink_to(new / "a")
    (new / "up").symlink_to(new)
    os.mkfifo(new / "pipe")
    result = steps.infer(new, model, tmp_path / "result")

    problems = {escaping.unescape(row["file"].removeprefix("'")): row["error"] for row in _table(result)}
    assert problems == {
        **dict.fromkeys(pictures, ""),
        "again": "a link to a folder that is read anyway",
        "link.png": "a link that leaves the folder of pictures",
        "links": "a link that leaves the folder of pictures",
        "up": "a link to a folder that is read anyway",
        "pipe": "not a regular file",
    }
    assert [escaping.unescape(row["file_name"][0].decode()) for row in _records(result)] == list(problems)
    text = Path(result.uri, "predictions.csv").read_text(encoding="utf-8")
    assert text.count("\n") == 1 + len(problems)
    assert not [row["file"] for row in _table(result) if row["file"][0] in "=-"], "formulas"
    assert not {"\x1b", "\x07", "\r", "\u202e"} & set(text)


def test_a_killed_attempt_is_gone_on_from(
    model: "Model", tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(executor, "_FILES_PER_SHARD", 4)
    for index in range(10):
        _write(tmp_path / "new" / f"{index}.png", seed=index)
    blessing = steps.make_blessing(tmp_path / "blessing", blessed=True)

    def attempt(number: int) -> "InferenceResult":
        return steps.infer(tmp_path / "new", model, tmp_path / "results" / str(number), blessing=blessing)

    def die(done: int, _: int, unit: str) -> None:
        if unit == "pictures predicted" and done == 6:
            raise RuntimeError("killed")

    progress.listen(die)
    with pytest.raises(RuntimeError, match="killed"):
        attempt(1)
    shutil.rmtree(tmp_path / "results" / "1")  # as TFX does
    (first,) = (tmp_path / "results").glob(".unfinished-*/*.tfrecord")
    kept = first.stat().st_ino

    progress.listen(None)
    with caplog.at_level("INFO", "components"):
        result = attempt(2)
    assert sum("was predicted by an earlier attempt" in message for message in caplog.messages) == 1
    assert Path(result.uri, first.name).stat().st_ino == kept
    assert sorted(path.name for path in Path(result.uri).iterdir()) == [
        *(f"predictions-0000{shard}-of-00003.tfrecord" for shard in range(3)),
        "predictions.csv",
    ]
    assert [row["file"] for row in _table(result)] == [f"{index}.png" for index in range(10)]
    assert _counts(result) == (10, 10, 0)
    assert _left(result) == []


class _Constant(tf.Module):
    """An older model, of other classes, that says the same to each picture."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")])
    def serve(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probabilities": tf.repeat(tf.constant([[0.25, 0.75]]), tf.size(image_bytes), axis=0)}


@pytest.fixture
def older(tmp_path: Path) -> "Artifact":
    from tfx.types.standard_artifacts import Model

    artifact = steps.artifact(Model, tmp_path / "older")
    folder = tmp_path / "older" / "Format-Serving"
    constant = _Constant()
    tf.saved_model.save(constant, str(folder), signatures={"serving_default": constant.serve})
    (folder / labels.ASSETS).mkdir()
    labels.write_labels(str(folder / labels.ASSETS), ["old", "older"])
    return artifact


def test_only_a_blessed_model_predicts(model: "Model", older: "Model", tmp_path: Path) -> None:
    new = _write(tmp_path / "new" / "a.png").parent
    passed = steps.infer(new, model, tmp_path / "passed", baseline=older)
    assert _table(passed)[0]["label"] in CLASSES
    assert passed.get_string_custom_property("model") == f"{model.uri}/Format-Serving"
    assert passed.get_int_custom_property("is_candidate") == 1

    refused = steps.make_blessing(tmp_path / "refused_blessing", blessed=False)
    fallen_back = steps.infer(new, model, tmp_path / "fallen_back", blessing=refused, baseline=older)
    assert _table(fallen_back) == [{"file": "a.png", "label": "older", "score": "0.75", "error": ""}]
    assert fallen_back.get_string_custom_property("model") == f"{older.uri}/Format-Serving"
    assert fallen_back.get_int_custom_property("is_candidate") == 0

    nothing = steps.infer(new, model, tmp_path / "nothing", blessing=refused)
    assert nothing.get_string_custom_property("model") == ""
    assert _counts(nothing) == (1, 0, 0)
    assert list(Path(nothing.uri).iterdir()) == []


def test_a_folder_that_changes_while_it_is_read_gives_nothing(older: "Model", tmp_path: Path) -> None:
    new = _write(tmp_path / "new" / "a.png").parent

    def add_a_file(done: int, _: int, unit: str) -> None:
        if unit == "pictures predicted" and done:
            _write(new / "b.png")

    progress.listen(add_a_file)
    blessing = steps.make_blessing(tmp_path / "blessing", blessed=True)
    with pytest.raises(
        UserError, match=f"^infer folder '{new}' changed while it was read; run again when nothing changes it$"
    ):
        steps.infer(new, older, tmp_path / "results" / "1", blessing=blessing)
    assert [path.name for path in (tmp_path / "results").rglob("*")] == ["1"]


def test_the_fingerprint_knows_bytes_and_names_alone(tmp_path: Path) -> None:
    new = tmp_path / "new"
    for name in ("a.png", "b/c.png"):
        _write(new / name)
    first = fingerprint(str(new))
    os.utime(new / "a.png", (1, 1))
    _write(new / ".hidden")
    new = new.rename(tmp_path / "moved")
    assert fingerprint(str(new)) == first
    seen = {first}
    _write(new / "a.png", seed=1)
    seen.add(fingerprint(str(new)))
    (new / "b" / "c.png").rename(new / "b" / "d.png")
    seen.add(fingerprint(str(new)))
    _write(new / "e.png")
    seen.add(fingerprint(str(new)))
    assert len(seen) == 4
