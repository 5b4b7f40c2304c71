"""The Python interface: any way to give a picture, the same answer; what is wrong is an error of one line."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pictures import encode, make_pixels
from PIL import Image
from workplace import REPOSITORY

from pipeline import Classifier, UserError, load, predict

if TYPE_CHECKING:
    from tfx.types.standard_artifacts import Model

CLASSES = ("apple", "berry", "cherry")


@pytest.fixture(scope="module")
def output(model: "Model", tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's output folder."""
    folder = tmp_path_factory.mktemp("run")
    shutil.copytree(f"{model.uri}/Format-Serving", folder / "serving" / "1700000000")
    return folder


@pytest.fixture(scope="module")
def classifier(output: Path) -> Classifier:
    return load(output)


def _write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_a_model_is_named_as_for_the_command(output: Path, classifier: Classifier) -> None:
    version = output / "serving" / "1700000000"
    assert classifier.folder == str(version)
    assert classifier.classes == CLASSES
    assert load(str(version)).folder == load(output / "serving").folder == str(version)


def test_the_answer_is_the_command_s(
    classifier: Classifier, output: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    picture = _write(tmp_path / "phone.jpg", encode(Image.fromarray(make_pixels(1, 40, 64)), "JPEG", exif=turned))
    assert predict.main([str(picture), "--model", str(output), "--top", "3", "--format", "jsonl"]) == 0
    expected = json.loads(capfd.readouterr().out)
    answer = classifier.predict(picture)
    assert (answer.label, answer.score) == (expected["label"], expected["score"])
    assert list(answer.probabilities.items()) == [(one["label"], one["score"]) for one in expected["top"]]
    assert sum(answer.probabilities.values()) == pytest.approx(1, abs=1e-5)


def test_each_way_to_give_a_picture_gives_the_same_answer(classifier: Classifier, tmp_path: Path) -> None:
    pixels = make_pixels(3, 40, 64)
    png = encode(pixels)
    path = _write(tmp_path / "a.png", png)
    image = Image.fromarray(pixels)
    pictures = [
        path,
        str(path),
        png,
        image,
        Image.open(path),
        pixels,
        np.dstack([pixels, np.full((40, 64), 255, "u1")]),
    ]
    expected = classifier.predict(path)
    assert [classifier.predict(one) for one in pictures] == [expected] * len(pictures)
    together = classifier.predict(pictures)
    assert [answer.label for answer in together] == [expected.label] * len(pictures)
    assert [answer.score for answer in together] == pytest.approx([expected.score] * len(pictures), abs=1e-6)
    assert classifier.predict([]) == []
    assert classifier.predict(tuple(pictures[:1])) == [expected]


def test_a_decoded_picture_is_taken_as_its_file_is(classifier: Classifier, tmp_path: Path) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    wide = Image.fromarray(make_pixels(1, 40, 64))
    files = {
        "phone.jpg": encode(wide, "JPEG", exif=turned),
        "cmyk.jpg": encode(wide.convert("CMYK"), "JPEG"),
        "grey.png": encode(wide.convert("L")),
        "deep.png": encode(Image.fromarray(np.random.default_rng(0).integers(0, 1 << 16, (40, 64)).astype(np.uint16))),
        "clear.png": encode(Image.fromarray(np.random.default_rng(1).integers(0, 256, (40, 64, 4)).astype(np.uint8))),
    }
    for name, data in files.items():
        path = _write(tmp_path / name, data)
        image = Image.open(path)
        before = (image.mode, image.tobytes())
        predicted = classifier.predict(image)
        if name == "phone.jpg":  # the model decodes a JPEG itself, by an arithmetic that is a little coarser
            assert predicted.score == pytest.approx(classifier.predict(path).score, abs=0.05)
        else:
            assert predicted == classifier.predict(path), name
        assert (image.mode, image.tobytes()) == before
    grey = np.asarray(Image.open(tmp_path / "grey.png"))
    assert classifier.predict(grey) == classifier.predict(tmp_path / "grey.png")


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        ("no/such.jpg", "no/such.jpg: cannot be read: No such file or directory"),
        ("two\nlines.jpg", "two\\u000alines.jpg: cannot be read: No such file or directory"),
        (b"", "the picture: empty file"),
        (encode(make_pixels(0))[:200], "the picture: truncated or damaged"),
        (
            Image.new("F", (40, 40), 255),
            "the picture: floating-point samples outside 0 to 1: which are black and which white is not stated; "
            "rescale them to 8 or 16 bits",
        ),
        (7, "the picture: got int, expected a path, bytes, a PIL image or an array"),
        (np.zeros((2, 40, 40, 3), np.uint8), "the picture: got uint8 [2, 40, 40, 3], expected uint8 [height, width],"),
        (np.zeros((40, 40, 3)), "the picture: got float64 [40, 40, 3], expected uint8 [height, width],"),
        (np.zeros((0, 40), np.uint8), "the picture: got uint8 [0, 40], expected uint8 [height, width],"),
        ([encode(make_pixels(0)), b"?"], "picture 1: not a picture"),
    ],
)
def test_what_is_no_picture_is_named_in_one_line(classifier: Classifier, picture: Any, message: str) -> None:
    with pytest.raises(UserError) as error:
        classifier.predict(picture)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_a_folder_without_a_model_is_named_before_tensorflow_is_loaded(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['tensorflow'] = None; import pipeline\n"
        "try: pipeline.load('nothing')\n"
        "except pipeline.UserError as error: print(error)"
    )
    assert _python(code, tmp_path).startswith("model: no published version in 'nothing'; expected the folder of")


def test_it_needs_no_tfx_and_the_package_imports_nothing_heavy(output: Path, tmp_path: Path) -> None:
    _write(tmp_path / "a.png", encode(make_pixels(0)))
    code = (
        "import sys; import pipeline\n"
        "print([name for name in ('tensorflow', 'numpy', 'PIL', 'pydantic') if name in sys.modules])\n"
        "sys.modules.update(dict.fromkeys(['tfx', 'apache_beam', 'keras', 'tensorflow_transform']))\n"
        f"print(pipeline.load({str(output)!r}).predict('a.png').label)"
    )
    loaded, label = _python(code, tmp_path).splitlines()
    assert loaded == "[]"
    assert label in CLASSES


def _python(code: str, folder: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
