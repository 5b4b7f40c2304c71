"""The command, as a person or a script meets it: what it publishes, what it repeats, what it says, how it exits."""

import contextlib
import csv
import hashlib
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from pictures import encode, make_pixels, write_classes
from workplace import REPOSITORY, Workplace, all_steps

from common import lineage
from common.packages import PACKAGES
from modeling import probabilities
from pipeline import local_run, report, tune
from pipeline.screen import Screen
from pipeline.viewer import stored_evaluations


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """A finished first run; tests copy it."""
    place = Workplace(tmp_path_factory.mktemp("first"))
    write_classes(place.data, {"apple": 30, "berry": 40})
    place.temporary.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(place.temporary))
        patch.setenv("TMPDIR", str(place.temporary))
        assert place.run() == local_run.PUBLISHED
    return place


@pytest.fixture
def place(published: Workplace) -> Iterator[Workplace]:
    """The workplace of the first run, put back as it was after each test: artifacts are known by absolute paths."""
    backup = published.root.with_name(f"{published.root.name}_backup")
    shutil.copytree(published.root, backup, symlinks=True)
    yield published
    shutil.rmtree(published.root)
    backup.rename(published.root)


def test_the_first_run_publishes_a_model_that_answers(published: Workplace) -> None:
    summary = published.summary
    assert [step["name"] for step in summary["steps"]] == all_steps()
    assert published.executed() == [name for name in all_steps() if name != "LatestBlessedModel"]
    assert summary["blessed"] is True
    assert summary["classes"] == ["apple", "berry"]
    assert summary["diverged"] == []
    assert [warning.split(":")[0] for warning in summary["warnings"]] == ["few test pictures"]
    assert summary["files"] == {
        "found": 70,
        "used": 70,
        "duplicate": 0,
        "quarantined": 0,
        "leakage": 0,
        "not_pictures": 0,
        "hidden": 0,
    }
    assert set(summary["metrics"]) == {"train", "eval", "test"}
    check, by_server = summary["gate"]
    value = summary["metrics"]["test"]["accuracy"]
    assert check == {
        "metric": "accuracy",
        "slice": "overall",
        "value": value,
        "threshold": 0.6,
        "passed": True,
        "note": "",
    }
    assert (by_server["metric"], by_server["value"], by_server["passed"]) == ("served", 1.0, True)
    assert Path(summary["pushed_to"]).parent == published.output / "serving"

    served = tf.saved_model.load(summary["pushed_to"]).signatures["serving_default"]
    data = [path.read_bytes() for path in sorted(published.data.glob("*/*.png"))]
    labels = [label.decode() for label in served(image_bytes=tf.constant(data))["label"].numpy()]
    truth = [path.parent.name for path in sorted(published.data.glob("*/*.png"))]
    assert np.mean([a == b for a, b in zip(labels, truth, strict=True)]) > 0.6


def test_the_report_tells_of_the_run_and_can_be_written_anew(
    place: Workplace, capfd: pytest.CaptureFixture[str]
) -> None:
    path = place.output / "report.html"
    html = path.read_text()
    assert "<title>Blessed: VGG16, accuracy " in html
    assert f"{place.summary['metrics']['test']['accuracy']:.1%}" in html
    for step in ("ImageExampleGen", "FeatureExtractor", "Trainer", "Evaluator"):
        assert html.count(step) == 1, "in the chart of times"
    assert place.summary["examples"] not in html, "a report may be passed on: it tells of no place but the settings'"
    path.unlink()
    assert report.main(["--output", str(place.output)]) == local_run.PUBLISHED
    assert path.read_text() == html
    assert capfd.readouterr().out.splitlines()[-1] == str(path)


def test_a_report_without_a_finished_run_is_bad_input(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert report.main(["--output", str(tmp_path)]) == local_run.BAD_INPUT
    assert capfd.readouterr().err == (
        f"error: output: '{tmp_path}' holds no run; expected the output folder of pipeline.local_run\n"
    )


def test_nothing_is_left_in_the_folder_for_temporary_files(published: Workplace) -> None:
    # TensorFlow removes its generated code when the process ends.
    assert [path for path in published.temporary.iterdir() if not path.name.startswith("__autograph_generated")] == []


def test_an_unchanged_run_executes_nothing_and_publishes_nothing_new(
    place: Workplace, capfd: pytest.CaptureFixture[str]
) -> None:
    before = place.summary
    for path in place.data.rglob("*.png"):
        path.touch()  # content counts, not the time of the last change
    assert place.run() == local_run.PUBLISHED
    assert place.executed() == []
    assert len(place.versions()) == 1
    assert place.summary["pushed_to"] == before["pushed_to"]
    assert place.summary["metrics"] == before["metrics"]
    assert place.summary["gate"] == before["gate"]
    assert stored_evaluations.history(place.output) == [stored_evaluations.latest(place.output)]
    shown = capfd.readouterr()
    assert not shown.err
    lines = shown.out.splitlines()
    assert [line.split()[:2] for line in lines if "cached" in line][:2] == [
        ["ImageExampleGen", "cached"],
        ["ImageSchema", "cached"],
    ]
    assert sum(line.startswith(tuple(all_steps())) for line in lines) == len(all_steps())
    assert len(lines) < 40, "no log noise"


def test_a_model_whose_version_is_gone_from_the_serving_folder_is_published_again(place: Workplace) -> None:
    shutil.rmtree(place.output / "serving")
    assert place.run() == local_run.PUBLISHED
    assert place.executed() == ["Pusher"]
    (version,) = place.versions()
    assert place.summary["pushed_to"] == str(place.output / "serving" / version)
    assert tf.saved_model.load(place.summary["pushed_to"]).signatures
    assert place.run() == local_run.PUBLISHED
    assert place.executed() == []
    assert place.versions() == [version]


def test_a_blessed_model_that_was_deleted_is_no_baseline_and_that_is_said(
    place: Workplace, capfd: pytest.CaptureFixture[str]
) -> None:
    deleted = place.summary["model"]
    shutil.rmtree(place.output / "pipeline" / "Trainer" / "model")
    for executed in (["Trainer", "Evaluator", "Pusher", "DataAudit", "Report"], []):
        assert place.run() == local_run.PUBLISHED
        assert place.executed() == executed
        assert [check["metric"] for check in place.summary["gate"]] == ["accuracy", "served"]
        note = f"not compared with the last blessed model: it is gone from {deleted}"
        assert place.summary["baseline_note"] == note
        assert f"gate       {note}" in capfd.readouterr().out.splitlines()
        assert note in (place.output / "report.html").read_text()


def test_an_output_folder_that_was_moved_keeps_its_baseline_and_leaves_its_old_place_alone(place: Workplace) -> None:
    shutil.copytree(place.output, place.root / "moved")
    for folder in ("pipeline", "serving"):  # what another run may have left there since
        for path in sorted((place.output / folder).rglob("*")):
            if path.is_file():
                path.write_bytes(b"another run's")
    before = _contents(place.output)
    assert report.main(["--output", str(place.root / "moved")]) == local_run.PUBLISHED
    moved = [*place.arguments("--set", "seed=1"), "--output", str(place.root / "moved")]
    assert local_run.main(moved) in (local_run.PUBLISHED, local_run.NOT_BLESSED)
    summary = json.loads((place.root / "moved" / "run_summary.json").read_text())
    assert [check["metric"] for check in summary["gate"]] == ["accuracy", "accuracy_change", "served"]
    assert str(place.output) not in json.dumps(summary)
    assert _contents(place.output) == before


def _contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_one_new_picture_runs_everything_that_depends_on_it(place: Workplace) -> None:
    (place.data / "apple" / "new.png").write_bytes(encode(make_pixels(777, 32, 32, (200, 60, 60))))
    assert place.run() in (local_run.PUBLISHED, local_run.NOT_BLESSED)
    assert place.executed() == [name for name in all_steps() if name not in ("ImageSchema", "LatestBlessedModel")]
    assert place.summary["files"]["found"] == 71
    assert [check["metric"] for check in place.summary["gate"]] == ["accuracy", "accuracy_change", "served"]


def test_a_training_setting_runs_training_and_what_follows(place: Workplace) -> None:
    assert place.run("--set", "trainer.dropout=0.2") in (local_run.PUBLISHED, local_run.NOT_BLESSED)
    assert place.executed() == ["Trainer", "Evaluator", "Pusher", "DataAudit", "Report"]
    # What the baseline says is kept where it was blessed.
    store = lineage.open_for_reading(place.output / "metadata.db", place.output / "pipeline")
    inputs = store.inputs(store.executions("Evaluator")[-1].id)
    (baseline,), (kept,) = inputs["baseline_model"], inputs["baseline_evaluation"]
    assert probabilities.are_of(kept.uri, f"{baseline.uri}/Format-Serving")


def test_a_search_takes_the_features_of_a_run_and_a_run_with_what_it_found_reaches_the_same(
    place: Workplace, capfd: pytest.CaptureFixture[str]
) -> None:
    config = (place.output / "config.yaml").read_bytes()
    assert tune.main(place.arguments("--trials", "1", "--stage-2-trials", "1")) == local_run.PUBLISHED
    shown = capfd.readouterr().out.splitlines()
    states = dict(line.split()[:2] for line in shown if line.startswith((*all_steps(), "Tuner")))
    assert states == {**dict.fromkeys(all_steps()[: all_steps().index("Trainer")], "cached"), "Tuner": "run"}
    assert (place.output / "config.yaml").read_bytes() == config, "that of the last run"
    tuned = place.output / "tuned.yaml"
    (reached,) = [float(loss) for loss in re.findall(r"# On eval: loss ([0-9.]+),", tuned.read_text())]

    assert local_run.main(["--config", str(tuned)]) in (local_run.PUBLISHED, local_run.NOT_BLESSED)
    assert place.summary["metrics"]["eval"]["loss"] == pytest.approx(reached, abs=1e-4)
    assert "FeatureExtractor" not in place.executed()

    assert tune.main(place.arguments("--trials", "1", "--stage-2-trials", "1")) == local_run.PUBLISHED
    again = capfd.readouterr().out.splitlines()
    assert next(line for line in again if line.startswith("Tuner")).split()[1] == "cached"
    assert [line for line in again if line.startswith("chosen")] == [
        line for line in shown if line.startswith("chosen")
    ]


def _new_pictures(place: Workplace) -> Path:
    """A folder without classes, with a file that is no picture."""
    folder = write_classes(place.root / "new", {"one": 2, "two": 2}, seed=9000)
    (folder / "broken.jpg").write_bytes(b"no picture")
    return folder


def test_a_folder_without_classes_is_predicted_once(
    place: Workplace, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _new_pictures(place)
    monkeypatch.chdir(place.root)
    assert place.run("--set", "infer=new") == local_run.PUBLISHED
    assert place.executed() == ["BulkInferrer"]
    inference = place.summary["inference"]
    assert (inference["found"], inference["predicted"], inference["failed"]) == (5, 4, 1)
    assert inference["model"] == f"{place.summary['model']}/Format-Serving"
    assert inference["is_candidate"] is True
    shown = f"predicted  4 of 5 files, 1 could not be: {inference['csv']}"
    assert shown in capfd.readouterr().out.splitlines()
    with open(inference["csv"], newline="") as file:
        rows = {row["file"]: row["label"] for row in csv.DictReader(file)}
    labels = {"one": "apple", "two": "berry"}  # by their tints
    pictures = {f"{name}/00{index}.png": label for name, label in labels.items() for index in (0, 1)}
    assert rows == {"broken.jpg": "", **pictures}

    monkeypatch.chdir(tempfile.gettempdir())
    for path in folder.rglob("*.png"):
        path.touch()
    assert place.run("--set", f"infer={folder}") == local_run.PUBLISHED
    assert place.executed() == []
    assert place.summary["inference"] == inference

    (folder / "more.png").write_bytes(encode(make_pixels(777, 32, 32, (200, 60, 60))))
    assert place.run("--set", f"infer={folder}") == local_run.PUBLISHED
    assert place.executed() == ["BulkInferrer"]
    assert place.summary["inference"]["found"] == 6


# Of a model that learns next to nothing.
_POOR = (
    *("--set", "trainer.solver=adam", "--set", "trainer.epochs=1", "--set", "trainer.learning_rate=1e-6"),
    *("--set", "trainer.fine_tune=false"),
)


def test_an_impossible_threshold_publishes_nothing_and_predicts_with_the_last_blessed_model(
    place: Workplace, capfd: pytest.CaptureFixture[str]
) -> None:
    blessed = place.summary["model"]
    (place.data / "apple" / "mislabelled.png").write_bytes(encode(make_pixels(1, 32, 32, (60, 60, 200))))
    settings = ("--set", "gate.min_accuracy=1.0", *_POOR)
    infer = ("--set", f"infer={_new_pictures(place)}")
    assert place.run(*settings, *infer) == local_run.NOT_BLESSED
    assert place.summary["blessed"] is False
    assert place.summary["pushed_to"] is None
    assert len(place.versions()) == 1
    shown = capfd.readouterr().out
    assert "gate       FAILED: accuracy on overall" in shown
    issues = Path(place.summary["label_issues"])
    assert "apple/mislabelled.png" in issues.read_text()
    count = place.summary["issues"]["label_issues"]
    assert re.search(rf"(?m)^issues     {count} label issues?[^:]*: {issues.parent}$", shown)
    assert "What may be wrong with the data" in (place.output / "report.html").read_text()
    assert place.summary["inference"]["model"] == f"{blessed}/Format-Serving"
    assert "predicted  4 of 5 files by the last blessed model, 1 could not be: " in shown
    published, refused = stored_evaluations.history(place.output)
    assert (published.blessed, refused.blessed) == (True, False)
    assert stored_evaluations.latest(place.output) == refused
    assert stored_evaluations.slice_keys(refused.directory) == ["class_name", "size_range", "brightness_range"]


def test_a_worse_candidate_than_the_blessed_model_is_refused(place: Workplace) -> None:
    settings = (*_POOR, "--set", "gate.min_accuracy=0")
    assert place.run(*settings) == local_run.NOT_BLESSED
    floor, change, _ = place.summary["gate"]
    assert floor["passed"]
    assert change["metric"] == "accuracy_change"
    assert change["value"] < 0
    assert not change["passed"]
    assert len(place.versions()) == 1


@pytest.mark.slow
def test_an_edit_of_the_model_code_runs_what_depends_on_it_and_no_more(place: Workplace, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    for name in (*PACKAGES, "configs"):
        shutil.copytree(REPOSITORY / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pipeline.local_run", *place.arguments()]

    def run() -> list[str]:
        done = subprocess.run(command, cwd=clone, capture_output=True, text=True, check=False)
        assert done.returncode in (local_run.PUBLISHED, local_run.NOT_BLESSED), done.stderr
        return place.executed()

    def edit(module: str, text: str) -> None:
        with (clone / module).open("a") as file:
            file.write(text)

    edit("common/errors.py", "\n# An edit that runs nothing.\n")
    assert run() == []
    edit("modeling/head.py", "\nEDITED = 1\n")
    assert run() == ["Trainer", "Evaluator", "Pusher", "DataAudit", "Report"]
    edit("modeling/picture_graph.py", "\nEDITED = 1\n")
    assert run() == ["Transform", "FeatureExtractor", "Trainer", "Evaluator", "Pusher", "DataAudit", "Report"]


def test_existing_splits_are_kept_and_missing_ones_cut(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    write_classes(place.data / "training_set", {"apple": 30, "berry": 30})
    write_classes(place.data / "test_set", {"apple": 6, "berry": 5}, seed=5000)
    assert place.run("--set", "trainer.fine_tune=false") in (local_run.PUBLISHED, local_run.NOT_BLESSED)
    assert place.summary["files"]["used"] == 71
    import tensorflow_model_analysis as tfma

    (evaluation,) = (place.output / "pipeline" / "Evaluator" / "evaluation").iterdir()
    found = tfma.load_eval_result(str(evaluation)).get_metrics_for_slice()
    assert found["example_count"]["doubleValue"] == 11


def _command(*arguments: str, cwd: Path = REPOSITORY, **environment: str) -> "subprocess.CompletedProcess[str]":
    """The command in a process of its own, with TensorFlow out of reach: importing it would fail loudly."""
    blocker = "import sys; sys.modules.update(dict.fromkeys(['tensorflow', 'keras', 'tfx', 'apache_beam'])); "
    code = f"{blocker}from pipeline.local_run import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_weights_that_cannot_be_had_are_told_before_anything_is_loaded(tmp_path: Path) -> None:
    write_classes(tmp_path / "data", {"apple": 1, "berry": 1})
    places = ["--data", str(tmp_path / "data"), "--output", str(tmp_path / "output")]
    closed, cache = "http://127.0.0.1:9", str(tmp_path / "keras")
    done = _command(*places, "--set", "backbone.name=VGG19", KERAS_HOME=cache, https_proxy=closed)
    assert done.returncode == local_run.BAD_INPUT
    assert done.stderr.startswith("error: backbone.weights: no ImageNet weights of VGG19 (Keras' download: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--set", "trainer.epochs=many"],
            "error: --set: trainer.epochs: got 'many', expected a whole number from 1 to 1000\n",
        ),
        (
            ["--config", "nowhere.yaml"],
            "error: nowhere.yaml: cannot be read (No such file or directory), expected a YAML file\n",
        ),
        (
            ["--set", "trainer.fine_tune_at=19"],
            "error: --set: trainer.fine_tune_at: got 19, expected a whole number from 0 to 18 for VGG16\n",
        ),
        (["--data", "nowhere"], f"error: data folder '{REPOSITORY}/nowhere' does not exist\n"),
    ],
)
def test_wrong_settings_get_one_line_and_code_2_before_tensorflow_is_loaded(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    done = _command("--output", str(tmp_path / "output"), *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (local_run.BAD_INPUT, "", message)


def test_an_output_folder_that_would_be_read_as_a_pattern_is_not_made(tmp_path: Path) -> None:
    done = _command("--data", str(tmp_path), "--output", "runs [v1]/one", cwd=tmp_path)
    assert done.returncode == local_run.BAD_INPUT
    assert done.stderr.startswith(f"error: --output: '{tmp_path}/runs [v1]/one' has a '[', which TensorFlow takes for")
    assert list(tmp_path.iterdir()) == []


def test_a_bucket_as_output_makes_no_folder_of_its_name(tmp_path: Path) -> None:
    done = _command("--data", str(tmp_path), "--output", "gs://bucket/run", cwd=tmp_path)
    assert done.returncode == local_run.BAD_INPUT
    assert done.stderr.startswith("error: --output: got 'gs://bucket/run', expected a folder's path; gs://, s3://")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("key", ["data", "infer"])
def test_an_output_folder_among_the_pictures_is_not_made(tmp_path: Path, key: str) -> None:
    folder = write_classes(tmp_path / "pictures", {"apple": 3, "berry": 3})
    (tmp_path / "link").symlink_to(folder)
    done = _command("--set", f"{key}={folder}", "--output", str(tmp_path / "link" / "run"))
    assert done.returncode == local_run.BAD_INPUT
    assert done.stderr == (
        f"error: --output: '{folder}/run' lies in '{folder}', the folder of {key}, where what the run writes would be "
        f"taken for pictures; expected a folder elsewhere\n"
    )
    assert sorted(path.name for path in folder.iterdir()) == ["apple", "berry"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cherry", "the test split of '{data}' holds no picture of the class 'cherry', "),
        ("aple", "'{data}' holds no class 'aple'; expected one of its 3 classes, such as 'apple'\n"),
    ],
)
def test_a_class_that_the_gate_cannot_measure_is_told_before_tensorflow_is_loaded(
    tmp_path: Path, name: str, message: str
) -> None:
    data = tmp_path / "data"
    write_classes(data / "train", {"apple": 3, "berry": 3, "cherry": 3})
    write_classes(data / "test", {"apple": 3, "berry": 3}, seed=5000)
    done = _command("--data", str(data), "--output", str(tmp_path / "output"), "--set", f"gate.slices.{name}=0.5")
    assert (done.returncode, done.stdout) == (local_run.BAD_INPUT, "")
    assert done.stderr.startswith(f"error: gate.slices: {message.format(data=data)}")
    assert done.stderr.count("\n") == 1


def test_a_dry_run_shows_what_was_understood_and_trains_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    write_classes(data / "Training", {"apple": 3, "berry": 4})
    write_classes(data / "Testing", {"apple": 2, "berry": 2}, seed=5000)
    (data / "single_prediction").mkdir()
    arguments = ["--data", str(data), "--output", str(tmp_path / "output"), "--dry-run"]
    code = "import sys; from pipeline import local_run; sys.exit(local_run.main() or 9 * ('tensorflow' in sys.modules))"
    command = [sys.executable, "-c", code, *arguments, "--set", "backbone.weights=random"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (local_run.PUBLISHED, "")
    assert done.stdout.splitlines() == [
        f"pictures   {data}",
        "train      7 files in Training",
        "eval       15% of train, cut by hash",
        "test       4 files in Testing",
        "classes    2: apple (5), berry (6)",
        "left out   single_prediction: neither a split nor a class",
    ]
    assert not (tmp_path / "output/pipeline").exists()


def test_a_single_class_is_told_before_tensorflow_is_loaded(tmp_path: Path) -> None:
    write_classes(tmp_path / "data", {"apple": 3})
    done = _command("--data", str(tmp_path / "data"), "--output", str(tmp_path / "output"))
    assert done.returncode == local_run.BAD_INPUT
    assert done.stderr == (f"error: '{tmp_path}/data' holds a single class, 'apple'; a classifier needs two or more\n")


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        ("nowhere", "does not exist"),
        ("empty", "holds no file; expected pictures, at any depth"),
        ("data/apple/000.png", "is a file; expected a folder of pictures"),
    ],
)
def test_nothing_to_predict_is_told_before_tensorflow_is_loaded(tmp_path: Path, folder: str, message: str) -> None:
    write_classes(tmp_path / "data", {"apple": 3, "berry": 3})
    (tmp_path / "empty" / ".git").mkdir(parents=True)
    (tmp_path / "empty" / ".git" / "hidden").touch()
    arguments = ("--data", str(tmp_path / "data"), "--output", str(tmp_path / "output"))
    done = _command(*arguments, "--set", f"infer={tmp_path / folder}")
    line = f"error: infer folder '{tmp_path / folder}' {message}\n"
    assert (done.returncode, done.stdout, done.stderr) == (local_run.BAD_INPUT, "", line)


def test_help_tells_the_exit_codes_without_tensorflow() -> None:
    done = _command("--help")
    assert done.returncode == 0
    for words in ("0 published", "3 trained but not blessed", "2 bad input", "130 interrupted", "1 anything else"):
        assert words in " ".join(done.stdout.split())


def test_a_class_without_a_usable_picture_is_bad_input(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    place = Workplace(tmp_path)
    write_classes(place.data, {"apple": 30, "berry": 30})
    (place.data / "cherry").mkdir()
    (place.data / "cherry" / "broken.png").write_bytes(b"no picture")
    assert place.run() == local_run.BAD_INPUT
    shown = capfd.readouterr()
    assert "cherry" in shown.err
    assert shown.err.count("\n") == 1
    assert not place.versions()


def test_a_class_that_chance_leaves_without_test_pictures_is_told_before_training_if_the_gate_needs_them(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    place = Workplace(tmp_path)
    write_classes(place.data, {"apple": 30, "berry": 30})
    (place.data / "rare").mkdir()
    pictures = (encode(make_pixels(seed, 32, 32)) for seed in itertools.count(9000))
    # The hash decides: the least of them are for test.
    trained = next(picture for picture in pictures if hashlib.sha256(picture).hexdigest() >= "8")
    (place.data / "rare" / "one.png").write_bytes(trained)
    assert place.run("--set", "gate.slices.rare=0.5") == local_run.BAD_INPUT
    shown = capfd.readouterr()
    assert shown.err == (
        "error: gate.slices: no usable picture of the class 'rare' came into the test split, so its accuracy cannot be "
        "measured; add pictures of it, or leave it out of gate.slices\n"
    )
    assert shown.out.splitlines()[-1].split()[:2] == ["ExampleValidator", "failed"]


def test_a_fault_inside_a_step_is_one_line_with_the_log_and_code_1(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from components.trainer import fit

    def broken(*_: Any) -> None:
        raise RuntimeError("the disk is on fire\nsecond line")

    monkeypatch.setattr(fit.Run, "finish", broken)
    place = Workplace(tmp_path)
    write_classes(place.data, {"apple": 30, "berry": 30})
    assert place.run("--set", "trainer.fine_tune=false") == local_run.FAILED
    shown = capfd.readouterr()
    (log,) = (place.output / "logs").iterdir()
    assert shown.err == f"error: Trainer failed: RuntimeError: the disk is on fire; see the log: {log}\n"
    assert "Traceback" in log.read_text()
    assert "second line" in log.read_text()
    assert shown.out.splitlines()[-1].split()[:2] == ["Trainer", "failed"]


def test_ctrl_c_inside_a_beam_step_is_an_interrupt_and_the_next_run_goes_on(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def press_ctrl_c(_: Screen, done: int, __: int, unit: str) -> None:
        if unit == "pictures" and done:
            signal.raise_signal(signal.SIGINT)

    place = Workplace(tmp_path)
    write_classes(place.data, {"apple": 30, "berry": 30})
    with monkeypatch.context() as patch:
        patch.setattr(Screen, "advance", press_ctrl_c)
        assert place.run("--set", "trainer.fine_tune=false") == local_run.INTERRUPTED
    shown = capfd.readouterr()
    assert shown.err == "interrupted: the same command goes on where this one stopped\n"
    assert shown.out.splitlines()[-1].split()[:2] == ["FeatureExtractor", "failed"]
    assert place.run("--set", "trainer.fine_tune=false") in (local_run.PUBLISHED, local_run.NOT_BLESSED)
    assert place.executed() == ["FeatureExtractor", "Trainer", "Evaluator", "Pusher", "DataAudit", "Report"]


def test_an_interrupt_that_a_library_swallows_still_ends_the_run(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def swallow(_: Screen, done: int, __: int, unit: str) -> None:
        if unit == "penalties of stage 1" and done:
            with contextlib.suppress(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)

    place = Workplace(tmp_path)
    write_classes(place.data, {"apple": 30, "berry": 30})
    monkeypatch.setattr(Screen, "advance", swallow)
    assert place.run() == local_run.INTERRUPTED
    assert capfd.readouterr().out.splitlines()[-1].split()[:2] == ["Trainer", "run"]


def test_a_table_is_shown_and_a_wrong_one_refused_before_tensorflow_is_loaded(tmp_path: Path) -> None:
    data = write_classes(tmp_path / "data", {"apple": 3, "berry": 4})
    paths = sorted(str(path.relative_to(data)) for path in data.rglob("*.png"))
    rows = [f"{path},{path[0]},{'test' if path.endswith('0.png') else 'train'}\n" for path in paths[:-1]]
    (data / "labels.csv").write_text("".join(["path,kind,subset\n", *rows]))
    command = ("--data", str(data / "labels.csv"), "--output", str(tmp_path / "output"), "--dry-run")
    done = _command(*command)
    assert (done.returncode, done.stdout) == (local_run.BAD_INPUT, "")
    assert done.stderr == (
        f"error: '{data}/labels.csv': no column 'label' among path, kind, subset; expected one, or its name in "
        f"ingest.columns.label\n"
    )
    done = _command(*command, "--set", "ingest.columns.label=kind")
    assert done.stdout.splitlines()[:7] == [
        f"pictures   {data}/labels.csv",
        "table      labels.csv: file_name from 'path', label from 'kind', split from 'subset'",
        "train      4 files in labels.csv",
        "eval       15% of train, cut by hash",
        "test       2 files in labels.csv",
        "classes    2: a (3), b (3)",
        "left out   1 file not in the table: berry/003.png",
    ]
