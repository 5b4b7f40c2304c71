"""A comparison, as a person meets it: what it refuses, shares, goes on with and shows."""

import contextlib
import html
import itertools
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf
from browser import Browser
from pictures import encode, make_pixels
from scipy.stats import binomtest
from sklearn import metrics
from workplace import REPOSITORY, Workplace

from common import example_records
from pipeline import command, compare
from pipeline.screen import Screen

_NAMES = ["VGG16", "VGG19"]
_IMG = '"><img src=x onerror=alert(1)>'
_SETTINGS = ("trainer.fine_tune=false", "gate.min_accuracy=0.57")
# Tints so much alike that either model is often wrong, each about other pictures.
_TINTS = {"apple": (136, 128, 128), _IMG: (128, 136, 128), "cherry": (128, 128, 136)}
_SHARED = ["ImageExampleGen", "ImageSchema", "StatisticsGen", "ExampleValidator", "Transform"]
_OWN = ["FeatureExtractor", "Trainer", "Evaluator"]


class Compared(NamedTuple):
    """A comparison that was interrupted and then finished by the same command.

    Attributes:
      place: where.
      interrupted: the lines that the first attempt showed.
      finished: those of the second.
      kept: for each step of the second attempt, whether half-done work was still there after it.
    """

    place: Workplace
    interrupted: list[str]
    finished: list[str]
    kept: list[bool]

    @property
    def folder(self) -> Path:
        return self.place.output / "comparison"

    @property
    def page(self) -> Path:
        return self.folder / "comparison.html"

    @property
    def numbers(self) -> dict[str, Any]:
        return json.loads((self.folder / "comparison.json").read_text())

    @property
    def backbones(self) -> list[dict[str, Any]]:
        return self.numbers["backbones"]


def _run(place: Workplace) -> tuple[int, list[str]]:
    """The exit code and the lines on the screen."""
    settings = itertools.chain.from_iterable(("--set", setting) for setting in _SETTINGS)
    backbones = [f"--backbone={name}" for name in _NAMES]
    with (place.root / "shown").open("w+") as shown:
        with contextlib.redirect_stdout(shown):
            code = compare.main([*backbones, *place.arguments(*settings)])
        shown.seek(0)
        return code, shown.read().splitlines()


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Compared:
    """Interrupted once the features of the second backbone are there."""
    place = Workplace(tmp_path_factory.mktemp("compared"))
    seeds = itertools.count()
    for (split, count), (name, tint) in itertools.product({"train": 20, "test": 16}.items(), _TINTS.items()):
        folder = place.data / split / name
        folder.mkdir(parents=True)
        for index in range(count):
            (folder / f"{index:03d}.png").write_bytes(encode(make_pixels(next(seeds), 32, 32, tint)))
    half_done = place.output / "comparison" / "pipeline" / "Trainer" / "model" / ".unfinished-half"
    extracted: list[bool] = []
    kept: list[bool] = []

    def press_ctrl_c(self: Screen, name: str, state: str, seconds: float) -> None:
        show(self, name, state, seconds)
        extracted.append(name == "FeatureExtractor")
        if sum(extracted) == len(_NAMES):
            half_done.mkdir()
            signal.raise_signal(signal.SIGINT)

    def look(self: Screen, name: str, state: str, seconds: float) -> None:
        show(self, name, state, seconds)
        kept.append(half_done.exists())

    show = Screen.step
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Screen, "step", press_ctrl_c)
        code, interrupted = _run(place)
        assert code == command.INTERRUPTED
        patch.setattr(Screen, "step", look)
        code, finished = _run(place)
        assert code == command.DONE, "whatever the gate says"
    return Compared(place, interrupted, finished, kept)


def _states(lines: list[str]) -> dict[str, dict[str, str]]:
    """What became of each step of each backbone."""
    states: dict[str, dict[str, str]] = {}
    for line in lines:
        if line in _NAMES:
            states[line] = {}
        elif line.startswith((*_SHARED, *_OWN)):
            name, state, *_ = line.split()
            states[[*states][-1]][name] = state
    return states


def test_what_does_not_depend_on_the_backbone_is_done_once_and_nothing_again_after_an_interrupt(
    compared: Compared,
) -> None:
    run, cached = (dict.fromkeys([*_SHARED, *_OWN], state) for state in ("run", "cached"))
    assert _states(compared.interrupted) == {
        "VGG16": run,
        "VGG19": {**dict.fromkeys(_SHARED, "cached"), "FeatureExtractor": "run"},
    }
    assert _states(compared.finished) == {
        "VGG16": cached,
        "VGG19": {**cached, "Trainer": "run", "Evaluator": "run"},
    }


def test_half_done_work_is_kept_until_all_backbones_are_done(compared: Compared) -> None:
    assert len(compared.kept) == len(_NAMES) * len([*_SHARED, *_OWN])
    assert all(compared.kept)
    assert not list(compared.folder.glob("pipeline/*/*/.unfinished*"))


def test_it_publishes_nothing_and_keeps_to_a_folder_of_its_own(compared: Compared) -> None:
    assert [path.name for path in compared.place.output.iterdir()] == ["comparison"]
    left = {path.name for path in compared.folder.iterdir() if "lock" not in path.name}
    assert left == {"comparison.html", "comparison.json", "logs", "metadata.db", "pipeline"}
    steps = {path.name for path in (compared.folder / "pipeline").iterdir() if path.is_dir()}
    assert steps == {*_SHARED, *_OWN}


def _test_pictures(compared: Compared) -> tuple[np.ndarray, list[bytes]]:
    """True class ids and the encoded pictures."""
    (examples,) = (compared.folder / "pipeline" / "ImageExampleGen" / "examples").iterdir()
    found = list(example_records.read(str(examples), "test"))
    return np.array([one.label for one in found]), [one.image for one in found]


def _answers(compared: Compared) -> list[np.ndarray]:
    """What the serving signature of each model says."""
    _, images = _test_pictures(compared)
    answers = []
    for one in compared.backbones:
        model = tf.saved_model.load(one["model"])
        answers.append(model.signatures["serving_default"](image_bytes=tf.constant(images))["probabilities"].numpy())
    return answers


def test_its_numbers_are_scikit_learns_and_scipys(compared: Compared) -> None:
    truth, _ = _test_pictures(compared)
    right = []
    for one, probabilities in zip(compared.backbones, _answers(compared), strict=True):
        predicted = probabilities.argmax(axis=1)
        right.append(predicted == truth)
        assert one["accuracy"]["value"] == metrics.accuracy_score(truth, predicted)
        wilson = binomtest(int(right[-1].sum()), len(truth)).proportion_ci(method="wilson")
        assert (one["accuracy"]["low"], one["accuracy"]["high"]) == (wilson.low, wilson.high)
        assert one["loss"] == pytest.approx(metrics.log_loss(truth, probabilities, labels=range(3)), abs=1e-4)
        assert one["passed"] == (one["accuracy"]["value"] >= 0.57)
    (pair,) = compared.numbers["pairs"]
    assert [pair["first"], pair["second"]] == _NAMES
    only_first, only_second = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    assert only_first + only_second, "numbers of equal models would hide mistakes"
    assert (pair["only_first"], pair["only_second"]) == (only_first, only_second)
    assert pair["p_value"] == pair["holm"] == binomtest(only_first, only_first + only_second).pvalue
    assert pair["difference"]["value"] == pytest.approx(right[0].mean() - right[1].mean())


def test_sizes_are_those_of_the_files_and_of_keras(compared: Compared) -> None:
    for one in compared.backbones:
        model = Path(one["model"])
        assert one["bytes"] == sum(path.stat().st_size for path in model.rglob("*") if path.is_file())
        classifier = keras.saving.load_model(model.parent / "model.keras", compile=False)
        assert one["parameters"] == classifier.count_params()


def test_times_are_those_of_the_steps_when_they_ran(compared: Compared) -> None:
    shown = [
        re.search(r"(?m)^FeatureExtractor +run +(?:(\d+)m )?([\d.]+)s$", part) for part in _parts(compared.interrupted)
    ]
    for one, found in zip(compared.backbones, shown, strict=True):
        assert found
        # On the screen a step's time includes what is around it.
        assert 0 < one["seconds"]["features"] <= 60 * int(found[1] or 0) + float(found[2]) + 0.05
        assert one["seconds"]["training"] > 0
        assert one["seconds"]["evaluation"] > 0
        assert 0 < one["latency"]["one"] < one["latency"]["batch"]
        assert one["latency"]["repeats"] >= 3


def _parts(lines: list[str]) -> list[str]:
    """The lines of each backbone."""
    return "\n".join(lines).split("\nVGG16\n")[1].split("\nVGG19\n")


def test_an_unchanged_comparison_runs_no_step_and_only_measures_the_latency_again(compared: Compared) -> None:
    before = compared.numbers
    code, lines = _run(compared.place)
    assert code == command.DONE
    assert all(set(states.values()) == {"cached"} for states in _states(lines).values())
    after = compared.numbers
    latencies = [[one.pop("latency") for one in numbers["backbones"]] for numbers in (before, after)]
    assert latencies[0] != latencies[1]
    assert after == before


def test_the_screen_shows_a_row_for_each_backbone_and_a_verdict(compared: Compared) -> None:
    lines = compared.finished
    (titles,) = [place for place, line in enumerate(lines) if line.split()[:1] == ["accuracy"]]
    rows = lines[titles + 1 : titles + 3]
    assert len({len(row) for row in lines[titles : titles + 3]}) == 1, "columns"
    for row, one in zip(rows, compared.backbones, strict=True):
        accuracy = one["accuracy"]
        assert row.split()[:5] == [
            one["name"],
            f"{accuracy['value']:.4f}",
            f"{accuracy['low']:.4f}-{accuracy['high']:.4f}",
            f"{one['loss']:.4f}",
            "passed" if one["passed"] else "FAILED",
        ]
    (pair,) = compared.numbers["pairs"]
    verdict = f"{pair['better']} is more accurate" if pair["better"] else "may be chance"
    (line,) = [line for line in lines if line.startswith("VGG16 against VGG19: ")]
    assert line.endswith(f"p = {pair['p_value']:.3g}: {verdict}")
    assert lines[-1].split() == ["page", str(compared.page)]


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_a_browser_shows_the_page_and_fetches_nothing(
    compared: Compared, browser: Browser, width: int, scheme: Any
) -> None:
    with browser.visit(compared.page, width=width, scheme=scheme) as visit:
        page = visit.page
        assert page.title() == "VGG16, VGG19: a comparison"
        assert page.evaluate("document.documentElement.scrollWidth") == width, "nothing sticks out to the side"
        assert page.evaluate("document.scripts.length") == 0
        assert page.evaluate("[...document.images].every(one => one.complete && one.naturalWidth)")
        (pair,) = compared.numbers["pairs"]
        shown = min(pair["only_first"], 6) + min(pair["only_second"], 6)
        assert page.evaluate("document.images.length") == shown
        body = page.inner_text("body")
        rows = page.locator("#backbones tr").all_inner_texts()[1:]
        for row, one in zip(rows, compared.backbones, strict=True):
            assert row.startswith(one["name"])
            assert f"{100 * one['accuracy']['value']:.1f}%" in row
            assert f"{one['parameters'] / 1e6:.1f} M" in row
            assert f"{one['bytes'] / 1e6:.1f} MB" in row
        assert f"{100 * pair['difference']['value']:+.1f} points".replace("-", "\N{MINUS SIGN}") in body
        assert "The weights are random" in body
        assert str(compared.place.root) not in page.inner_text("main").replace(str(compared.place.data), "")
    assert not visit.problems
    assert [one.url for one in visit.requests if not one.url.startswith("data:")] == [compared.page.as_uri()]


def test_pictures_are_those_that_one_gets_right_and_the_other_wrong(compared: Compared) -> None:
    text = compared.page.read_text()
    truth, _ = _test_pictures(compared)
    names = compared.numbers["classes"]
    said = dict(zip(_NAMES, (answer.argmax(axis=1) for answer in _answers(compared)), strict=True))
    for right, wrong in itertools.permutations(_NAMES):
        wall = text.split(f"<h3>{right} right, {wrong} wrong")[1].split("<h3>")[0].split("</section>")[0]
        captions = re.findall(rf"is <b>(.*?)</b>; to {wrong} <b class=\"wrong\">(.*?)</b>", wall)
        places = np.flatnonzero((said[right] == truth) & (said[wrong] != truth))
        assert len(captions) == min(6, len(places))
        possible = {(names[truth[place]], names[said[wrong][place]]) for place in places}
        assert {(html.unescape(label), html.unescape(taken)) for label, taken in captions} <= possible


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ([], "--backbone: got 0, expected two or more, such as --backbone VGG16 --backbone MobileNetV2"),
        (["VGG16"], "--backbone: got 1, expected two or more, such as --backbone VGG16 --backbone MobileNetV2"),
        (["VGG16", "VGG19", "VGG16"], "--backbone: got VGG16 more than once, expected each backbone once"),
        (["VGG16", "vgg19"], "--backbone: got 'vgg19', expected one of VGG16, VGG19, "),
        (
            ["VGG16", "VGG19", "--set", "backbone.name=ResNet50"],
            "--set: got backbone.name, expected --backbone to name what is compared",
        ),
        (
            ["VGG16", "VGG19", "--set", "trainer.fine_tune_at=15"],
            "trainer.fine_tune_at: got 15, which is another layer in each backbone; expected null, for the last stage "
            "of each, as by --set trainer.fine_tune_at=null",
        ),
        (
            ["VGG16", "VGG19", "--set", "backbone.weights=FILE"],
            "backbone.weights: got 'FILE', which fits one backbone; expected imagenet or random",
        ),
        (["VGG16", "VGG19", "--data", "/no/such"], "data folder '/no/such' does not exist"),
    ],
)
def test_bad_input_is_one_line_before_tensorflow_is_loaded(arguments: list[str], error: str, tmp_path: Path) -> None:
    weights = tmp_path / "mine.weights.h5"
    weights.touch()
    arguments = [argument.replace("FILE", str(weights)) for argument in arguments]
    options = itertools.takewhile(lambda argument: not argument.startswith("--"), arguments)
    backbones = [f"--backbone={name}" for name in options]
    blocker = "import sys; sys.modules.update(dict.fromkeys(['tensorflow', 'keras', 'tfx', 'apache_beam'])); "
    code = f"{blocker}from pipeline.compare import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", code, *backbones, *arguments[len(backbones) :], "--output", str(tmp_path / "output")],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == command.BAD_INPUT
    assert done.stderr.startswith(f"error: {error.replace('FILE', str(weights))}")
    assert done.stderr.count("\n") == 1
    assert not done.stdout
