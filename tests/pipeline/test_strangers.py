"""A run on a stranger's pictures, whose names aim at a browser, a spreadsheet, a shell, a terminal and a template."""

import csv
import io
import pickle
import pickletools
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_model_analysis as tfma
import yaml
from pictures import write_classes
from workplace import SMALL, Workplace

from pipeline import local_run

BROWSER = '"><img src=x onerror=alert(1)>'
SPREADSHEET = "=cmd|' C'!A0"
TERMINAL = "\x1b[31m[red]$(touch owned)`id`[blink]\x1b]0;owned\x07\n%s {0}"
CLASSES = sorted([BROWSER, SPREADSHEET, TERMINAL])


class Run(NamedTuple):
    """A finished run, and what it showed on standard output."""

    place: Workplace
    shown: str


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    place = Workplace(tmp_path_factory.mktemp("strangers"))
    write_classes(place.data, dict.fromkeys(CLASSES, 30))
    (place.data / BROWSER / "=HYPERLINK(1)\x1b[2J.png").write_bytes(b"no picture")
    (place.data / "=A1.png").write_bytes(b"no picture, and in no class")
    arguments = place.arguments("--set", "backbone.name=MobileNetV2", "--set", "trainer.fine_tune=false")
    gate = {"min_accuracy": 0.0, "slices": {BROWSER: 0.0, TERMINAL: 0.0}}
    Path(arguments[1]).write_text(yaml.safe_dump({**SMALL, "gate": gate}))
    screen = place.root / "screen"
    with screen.open("w") as file, pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", file)
        assert local_run.main(arguments) == local_run.PUBLISHED
    return Run(place, screen.read_text())


def test_the_published_model_gives_the_names_as_they_are(run: Run) -> None:
    served = tf.saved_model.load(run.place.summary["pushed_to"]).signatures["serving_default"]
    pictures = [path.read_bytes() for path in sorted(run.place.data.glob("*/[0-9]*.png"))]
    answer = served(image_bytes=tf.constant(pictures))
    labels = [label.decode() for label in answer["label"].numpy()]
    assert labels == [CLASSES[index] for index in np.argmax(answer["probabilities"], axis=1)]


def test_the_summary_and_the_slices_hold_the_names_as_they_are(run: Run) -> None:
    summary = run.place.summary
    assert summary["classes"] == CLASSES
    assert [check["slice"] for check in summary["gate"]] == ["overall", *sorted([BROWSER, TERMINAL]), "overall"]
    (evaluation,) = (run.place.output / "pipeline" / "Evaluator" / "evaluation").iterdir()
    sliced = [where for where, _ in tfma.load_eval_result(str(evaluation)).slicing_metrics]
    slices = {name for where in sliced for key, name in where if key == "class_name"}
    assert slices == set(CLASSES)


def test_the_screen_shows_the_names_as_text(run: Run) -> None:
    assert f"accuracy on {BROWSER} " in run.shown
    assert r"accuracy on \u001b[31m[red]$(touch owned)`id`[blink]\u001b]0;owned\u0007\u000a%s {0} " in run.shown
    assert run.shown.replace("\n", "").isprintable()
    assert not list(Path.cwd().glob("owned"))
    assert not list(run.place.root.rglob("owned"))


def test_the_tables_hold_no_formula(run: Run) -> None:
    (table,) = run.place.output.glob("pipeline/ImageExampleGen/examples/*/quarantine.csv")
    with table.open(newline="") as file:
        files = [row["file"] for row in csv.DictReader(file)]
    assert files == [rf"{BROWSER}/=HYPERLINK(1)\u001b[2J.png", "'=A1.png"]


def test_nothing_that_a_run_leaves_holds_a_pickle(run: Run) -> None:
    assert [name for name, content in _contents(run.place.output) if _holds_pickle(content)] == []


class _Thing:
    pass


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_would_be_found(tmp_path: Path, protocol: int) -> None:
    pickled = pickle.dumps(_Thing(), protocol)
    (tmp_path / "whole").write_bytes(pickled)
    (tmp_path / "inside").write_bytes(b"record" + pickled + b"record")
    np.save(tmp_path / "array.npy", np.array([_Thing()]), allow_pickle=True)
    with zipfile.ZipFile(tmp_path / "packed", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(tmp_path / "whole", "member")
    found = {name for name, content in _contents(tmp_path) if _holds_pickle(content)}
    assert found == {"whole", "inside", "array.npy", "packed/member"}


def _contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Each file below a folder by its path; of archives each member too."""
    for path in folder.rglob("*"):
        if path.is_file():
            name = str(path.relative_to(folder))
            yield name, path.read_bytes()
            if zipfile.is_zipfile(path):
                with zipfile.ZipFile(path) as archive:
                    yield from ((f"{name}/{member}", archive.read(member)) for member in archive.namelist())


# How a pickle of something else than numbers and texts may begin, by protocol, and how it names what it needs.
_BEGINNING = re.compile(rb"\x80[\x02-\x05]|c[A-Za-z_]\w*(?:\.\w+)*\n[A-Za-z_]\w*\n|\(dp?0?\n|\(lp?0?\n")
_GLOBAL = ("GLOBAL", "STACK_GLOBAL", "INST")


def _holds_pickle(content: bytes) -> bool:
    """Whether a pickle that names a class or a function begins anywhere."""
    file = io.BytesIO(content)
    return any(_begins_pickle(file, match.start()) for match in _BEGINNING.finditer(content))


def _begins_pickle(file: io.BytesIO, start: int) -> bool:
    file.seek(start)
    names = False
    try:
        for operation, _, _ in pickletools.genops(file):
            names |= operation.name in _GLOBAL
    except Exception:  # of whatever kind: these bytes are none
        return False
    return names
