"""The page tells what TFMA and scikit-learn measured, and shows it in a browser that has nothing else at hand."""

import base64
import html as html_entities
import io
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import steps
import tensorflow as tf
import tensorflow_model_analysis as tfma
from browser import Browser
from pictures import TINTS, encode, make_pixels, make_scene, write_classes
from PIL import Image
from sklearn import metrics
from tfx.types.standard_artifacts import Examples, Model, ModelBlessing, ModelEvaluation

from common import labels
from modeling import evaluations, weights
from modeling.backbones import build
from modeling.training_results import UNDONE, TrainingResults

IMG, BOLD, FORMULA = '"><img src=x onerror=alert(1)>', "<b>bold & $x^2$\n\u202e", "{{ 7 * 7 }}"


class Run(NamedTuple):
    """What the page is made from, and the page."""

    examples: Examples
    features: Examples
    model: Model
    evaluated: tuple[ModelEvaluation, ModelBlessing]
    page: Path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A poor model against a better one, on classes of hostile names, with files of every kind that is not used."""
    root = tmp_path_factory.mktemp("run")
    data = write_classes(root / "data" / "train", {IMG: 24, BOLD: 20, FORMULA: 16}).parent
    write_classes(data / "test", {IMG: 10, BOLD: 8, FORMULA: 6}, seed=5000)
    (data / "train" / IMG / "broken <i>.png").write_bytes(b"no picture")
    for name in (IMG, BOLD):
        (data / "train" / name / "both.png").write_bytes(encode(make_pixels(777)))
    (data / "train" / IMG / "copy.png").write_bytes((data / "train" / IMG / "000.png").read_bytes())
    (data / "train" / BOLD / "scene.png").write_bytes(encode(make_scene(1)))
    (data / "test" / BOLD / "again.jpg").write_bytes(encode(make_scene(1), "JPEG", quality=60))
    (data / "train" / IMG / "mislabelled.png").write_bytes(encode(make_pixels(888, 32, 32, TINTS[1])))

    examples = steps.ingest(data, root / "examples", max_quarantined_fraction=0.2)
    graph = steps.transform(examples, root / "transform")
    features = steps.extract(examples, graph, root / "features")
    good = steps.train(features, graph, root / "good", fine_tune=False)
    poor = steps.train(features, graph, root / "poor", penalty=1e3, fine_tune=False)
    evaluated = steps.evaluate(examples, poor, root / "evaluated", baseline=good, min_accuracy=0.9)
    page = steps.report(examples, features, poor, evaluated, root / "report", configuration="seed: 0 # </pre><script>")
    return Run(examples, features, poor, evaluated, page)


@pytest.fixture(scope="module")
def html(run: Run) -> str:
    return run.page.read_text()


def _predictions(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """True class ids, and probabilities from the serving signature itself."""
    test = steps.read(run.examples, "test")
    serve = steps.serving(run.model).signatures["serving_default"]
    return steps.class_ids(test), serve(image_bytes=tf.constant(steps.images(test)))["probabilities"].numpy()


def _text(html: str) -> str:
    """What a person reads, in one line."""
    body = re.sub(r"<svg.*?</svg>|<style>.*?</style>|<[^>]*>", " ", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", body)


def test_its_numbers_are_scikit_learns(run: Run, html: str) -> None:
    truth, probabilities = _predictions(run)
    predicted = probabilities.argmax(axis=1)
    assert 0 < (predicted == truth).mean() < 1, "numbers of a perfect model would hide mistakes"
    text = _text(html)
    assert f"accuracy {100 * metrics.accuracy_score(truth, predicted):.1f}%" in text
    assert f"loss {metrics.log_loss(truth, probabilities, labels=[0, 1, 2]):.3f}" in text
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        truth, predicted, labels=[0, 1, 2], zero_division=0
    )
    rows = {row[0]: row for row in _table(html, "Each class, the least recall first")}
    for class_id, name in enumerate(labels.read_labels(run.examples.uri)):
        row = rows[_shown(name)]
        assert row[3].startswith(f"{100 * recall[class_id]:.1f}%")
        assert row[4].startswith(f"{100 * precision[class_id]:.1f}%") or (predicted != class_id).all()
        assert row[5] == f"{100 * f1[class_id]:.1f}%"
        average = metrics.average_precision_score(truth == class_id, probabilities[:, class_id])
        assert row[6] == f"{100 * average:.1f}%"
    matrix = metrics.confusion_matrix(truth, predicted, labels=[0, 1, 2])
    shown = [[int(cell) for cell in row[1:]] for row in _table(html, "Confusion matrix")]
    np.testing.assert_array_equal(shown, matrix)


def test_it_warns_of_rare_classes_and_of_those_that_are_never_predicted(run: Run, html: str) -> None:
    predicted = _predictions(run)[1].argmax(axis=1)
    names = labels.read_labels(run.examples.uri)
    never = [name for class_id, name in enumerate(names) if class_id not in predicted]
    assert never, "the model is poor"
    items = [html_entities.unescape(one) for one in re.findall(r"<li>(.*?)</li>", html, flags=re.DOTALL)]
    assert len(items) == 2
    assert items[0].startswith(f"few test pictures: {_shown(FORMULA)} (6), {_shown(BOLD)} (9); ")
    assert items[1] == f"never predicted for any test picture: {', '.join(map(_shown, never))}"


def test_its_numbers_are_tfmas(run: Run, html: str) -> None:
    evaluation = tfma.load_eval_result(run.evaluated[0].uri, model_name="candidate")
    overall = evaluation.get_metrics_for_slice()
    assert f"accuracy {100 * overall['accuracy']['doubleValue']:.1f}%" in _text(html)
    rows = {(row[0], row[1]): row[2] for row in _table(html, "Slices, the worst first")}
    for key, title in (("class_name", "class"), ("size_range", "shorter side"), ("brightness_range", "brightness")):
        expected = [(where, values) for where, values in evaluation.slicing_metrics if where and where[0][0] == key]
        assert expected
        for ((_, value),), _ in expected:
            found = evaluation.get_metrics_for_slice(((key, value),))
            accuracy, count = (found[name]["doubleValue"] for name in ("accuracy", "example_count"))
            cell = rows[title, _shown(str(value))]
            assert cell.startswith(f"{100 * accuracy:.1f}%")
            assert cell.endswith(f"of {int(count)}")
    shares = [float(row[2].split("%")[0]) for row in _table(html, "Slices, the worst first")]
    assert shares == sorted(shares)


def test_the_gate_says_which_number_met_which_threshold(run: Run, html: str) -> None:
    floor, change, _ = evaluations.checks(run.evaluated[0].uri)
    assert not floor.passed
    assert not change.passed
    first, second, third = _table(html, "Gate")
    assert first == ["failed", "accuracy", "overall", f"{floor.value:.4f}", "0.9000"]
    assert second[0] == "failed"
    assert second[3:] == [f"{change.value:+.4f}", "+0.0000"]
    assert third == ["passed", "answers as in TensorFlow Serving", "overall", "1.0000", "1.0000"]
    assert "Refused" in _text(html)


def test_it_tells_of_each_file_that_was_not_used(html: str) -> None:
    text = _text(html)
    assert "91 files found: 87 used, 1 duplicate, 3 quarantined." in text
    quarantined = _table(html, "Quarantined")
    assert len(quarantined) == 3
    assert sum("broken" in row[1] and "<i>" in row[1] for row in quarantined) == 1
    assert sum("same picture under two classes" in row[2] for row in quarantined) == 2
    ((_, copy, kept),) = _table(html, "Duplicates")
    assert (copy.endswith("copy.png"), kept.endswith("000.png")) == (True, True)
    ((_, held_out, split, near, _),) = _table(html, "Held-out pictures that look like a training picture")
    assert (held_out.endswith("again.jpg"), split, near.endswith("scene.png")) == (True, "test", True)


def test_labels_that_look_wrong_are_shown_with_what_they_look_like(html: str) -> None:
    section = html.split('<section id="issues">')[1].split("</section>")[0]
    first = re.findall(r"<figure>.*?</figure>", section, flags=re.DOTALL)[0]
    assert _pixels(re.findall(r'src="data:image/jpeg;base64,([^"]+)"', first)[0]).shape == (32, 32, 3)
    assert "mislabelled.png" in first
    suggested = re.findall(r"<b[^>]*>(.*?)</b>", first)
    assert [html_entities.unescape(name) for name in suggested] == [_shown(IMG), _shown(BOLD)]
    for title in ("Pictures like no other", "Pictures all but the same"):
        rows = _table(section, title) if f'<h3>{title} <span class="faint">0<' not in section else []
        assert all(1 >= float(row[-1]) > 0 for row in rows)


def test_it_says_what_the_model_is_made_from(run: Run, html: str) -> None:
    text = _text(html)
    assert run.examples.get_string_custom_property("fingerprint") in text
    import keras

    keras.utils.set_random_seed(0)
    assert f"random, sha256 {weights.sha256_of(build('VGG16', 32))}" in text
    assert tf.__version__ in text
    assert "seed: 0 # </pre><script>" in html.replace("&lt;", "<").replace("&gt;", ">")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_a_browser_shows_it_and_fetches_nothing(run: Run, browser: Browser, width: int, scheme: str) -> None:
    with browser.visit(run.page, width=width, scheme=scheme) as visit:  # type: ignore[arg-type]
        page = visit.page
        assert page.title().startswith("Refused: VGG16, accuracy ")
        assert page.evaluate("document.documentElement.scrollWidth") == width, "nothing sticks out to the side"
        images = page.evaluate("[...document.images].map(one => one.complete && one.naturalWidth)")
        assert len(images) > 20
        assert all(images), "each picture loads"
        charts = page.evaluate("[...document.querySelectorAll('svg')].map(one => one.getBoundingClientRect().height)")
        assert len(charts) == 8
        assert min(charts) > 50
        paper, ink = page.evaluate("['backgroundColor', 'color'].map(key => getComputedStyle(document.body)[key])")
        assert (sum(_rgb(paper)) < sum(_rgb(ink))) == (scheme == "dark")
        drawn = page.evaluate("[...document.querySelectorAll('svg text')].map(one => getComputedStyle(one).fill)")
        assert all(abs(sum(_rgb(colour)) - sum(_rgb(paper))) > 200 for colour in set(drawn)), "charts are readable too"
        link = page.evaluate("getComputedStyle(document.querySelector('nav a')).color")
        assert _contrast(link, paper) >= 4.5, "as WCAG asks of text"
    assert not visit.problems
    assert not visit.console
    assert [request.url for request in visit.requests if not request.url.startswith("data:")] == [run.page.as_uri()]


def test_a_part_has_an_id_of_its_own_and_a_column_a_title(html: str) -> None:
    ids = re.findall(r'\bid="([^"]*)"', html)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:href="#|url\(#)([^")]*)', html)) <= set(ids)
    assert not re.search(r"<th[^>]*></th>", html)


def test_hostile_names_stay_text(run: Run, browser: Browser) -> None:
    with browser.visit(run.page) as visit:
        page = visit.page
        assert page.evaluate("document.scripts.length") == 0
        assert page.evaluate("[...document.images].every(one => one.src.startsWith('data:image/jpeg;base64,'))")
        assert page.evaluate("document.querySelectorAll('i, b b').length") == 0
        body = page.inner_text("body")
        for name in (IMG, BOLD, FORMULA):
            assert _shown(name) in body
        assert "49" not in page.inner_text("table.matrix"), "no name is a template"
        assert "\u202e" not in page.content()
    assert not visit.problems


def test_mistakes_are_shown_with_what_spoke_for_them(run: Run, html: str) -> None:
    truth, probabilities = _predictions(run)
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != truth)
    wall = html.split("The surest mistakes", 1)[1].split("Some that are right", 1)[0]
    frames = re.findall(r"<figure>.*?</figure>", wall, flags=re.DOTALL)
    assert len(frames) == min(12, len(wrong))
    shown = [float(score) for score in re.findall(r"</b> ([\d.]+)%", wall)]
    expected = np.sort(probabilities.max(axis=1)[wrong])[::-1][:12] * 100
    np.testing.assert_allclose(shown, expected, atol=0.051)
    for frame in frames:
        picture, saliency = (_pixels(uri) for uri in re.findall(r'src="data:image/jpeg;base64,([^"]+)"', frame))
        assert picture.shape == saliency.shape == (32, 32, 3)
        assert not np.array_equal(picture, saliency)


def test_the_same_inputs_give_the_same_page(run: Run, html: str, tmp_path: Path) -> None:
    again = steps.report(
        run.examples, run.features, run.model, run.evaluated, tmp_path, configuration="seed: 0 # </pre><script>"
    )
    assert again.read_text() == html


def test_it_says_that_stage_2_was_undone(run: Run, html: str, tmp_path: Path) -> None:
    told = "Stage 2 was undone, as it did not lower the loss on eval by more than chance"
    assert told not in _text(html)
    training = str(Path(run.model.uri).parent / "run")
    results = TrainingResults.read(training)
    results._replace(fine_tuning=UNDONE).write(training)
    try:
        page = steps.report(run.examples, run.features, run.model, run.evaluated, tmp_path, configuration="")
    finally:
        results.write(training)
    assert told in _text(page.read_text())


def test_a_head_that_converged_shows_its_penalties_and_no_empty_chart(html: str) -> None:
    assert "once for each penalty" in _text(html)
    assert "mathdefault" not in html, "TeX on the axis of penalties"
    assert "Loss after each epoch" not in _text(html), "stage 1 has no epochs, and there is no stage 2"
    section = html.split('<section id="training">')[1].split("</section>")[0]
    assert section.count("<figure>") == 1


def _table(html: str, title: str) -> list[list[str]]:
    """Cells of the first table after a heading, as text, without its header."""
    after = re.split(rf"<h[23]>{re.escape(title)}", html, maxsplit=1)[1]
    rows = re.findall(r"<tr>(.*?)</tr>", after.split("</table>")[0], flags=re.DOTALL)
    cells = [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, flags=re.DOTALL) for row in rows[1:]]
    return [[html_entities.unescape(re.sub(r"<[^>]*>", "", cell)).strip() for cell in row] for row in cells]


def _shown(name: str) -> str:
    """A name as the page shows it."""
    return name.replace("\n", "\\u000a").replace("\u202e", "\\u202e")


def _rgb(colour: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", colour)[:3]]


def _contrast(one: str, other: str) -> float:
    """Of two colours, 1 to 21, by WCAG 2."""
    luminances = []
    for colour in (one, other):
        parts = [part / 255 for part in _rgb(colour)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        luminances.append(sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True)))
    return (max(luminances) + 0.05) / (min(luminances) + 0.05)


def _pixels(encoded: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))))
