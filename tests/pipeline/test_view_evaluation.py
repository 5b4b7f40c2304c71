"""What a person sees of an evaluation, in the browser and in the notebook, and which evaluation that is."""

import datetime
import html
import http.client
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import keras
import ml_metadata as mlmd
import nbformat
import numpy as np
import pytest
import steps
import tensorflow_model_analysis as tfma
from ml_metadata.proto import metadata_store_pb2 as pb
from nbclient import NotebookClient
from pictures import write_classes
from tfx.types.standard_artifacts import Examples, Model, TransformGraph
from workplace import REPOSITORY

from common import escaping
from common.lineage import PIPELINE
from modeling import evaluations, signatures
from modeling.model_assets import ModelAssets
from pipeline import command, view_evaluation
from pipeline.viewer import document, stored_evaluations, tables
from pipeline.viewer.server import PageServer

# In the order of their class ids; the last one would write from right to left.
CLASSES = ['"><svg onload=alert(2)>', "<img src=x onerror=alert(1)>", "\u202ecod & dog"]
SHOWN = [escaping.escape(name) for name in CLASSES]


class Evaluated(NamedTuple):
    """An output folder with a blessed model's evaluation and, later, that of a poor one that was compared with it."""

    output: Path
    blessed: Path
    refused: Path

    def store(self) -> mlmd.MetadataStore:
        return _open(self.output)


def _open(output: Path) -> mlmd.MetadataStore:
    connection = pb.ConnectionConfig()
    connection.sqlite.filename_uri = str(output / "metadata.db")
    connection.sqlite.connection_mode = pb.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
    return mlmd.MetadataStore(connection)


def _record(store: mlmd.MetadataStore, state: int, artifacts: list[Any]) -> None:
    """An execution of Evaluator, as TFX's launcher leaves it; artifacts that are known already come from the cache."""
    kind = store.put_execution_type(pb.ExecutionType(name="Evaluator"))
    execution = pb.Execution(type_id=kind, last_known_state=state)
    for one in artifacts:
        one.mlmd_artifact.type_id = store.put_artifact_type(one.artifact_type)
    ids = _put(store, execution, [one.mlmd_artifact for one in artifacts])
    for one, artifact_id in zip(artifacts, ids, strict=True):
        one.id = artifact_id


def _put(store: mlmd.MetadataStore, execution: pb.Execution, artifacts: list[Any]) -> list[int]:
    node = pb.Context(type_id=store.put_context_type(pb.ContextType(name="node")), name=f"{PIPELINE}.Evaluator")
    events = [pb.Event(type=pb.Event.OUTPUT) for _ in artifacts]
    for key, event in zip(("evaluation", "blessing"), events, strict=False):
        event.path.steps.add().key = key
    pairs = list(zip(artifacts, events, strict=True))
    _, ids, _ = store.put_execution(execution, pairs, [node], reuse_context_if_already_exist=True)
    return list(ids)


def _renamed(model: Model, graph: TransformGraph, directory: Path) -> Model:
    """The same model for classes of the other names."""
    copy = steps.artifact(Model, directory)
    classifier = keras.models.load_model(f"{model.uri}/model.keras")
    signatures.export(classifier, graph.uri, ModelAssets(CLASSES, 10_000), f"{copy.uri}/Format-Serving")
    return copy


@pytest.fixture(scope="module")
def evaluated(
    features: Examples, transform_graph: TransformGraph, model: Model, tmp_path_factory: pytest.TempPathFactory
) -> Evaluated:
    root = tmp_path_factory.mktemp("evaluated")
    data = write_classes(root / "data", dict(zip(CLASSES, (20, 30, 40), strict=True)), seed=5)
    examples = steps.ingest(data, root / "examples", test_fraction=0.5)
    poor = steps.train(
        features, transform_graph, root / "poor", solver="adam", epochs=1, learning_rate=1e-6, fine_tune=False
    )
    poor = _renamed(poor, transform_graph, root / "renamed_poor")
    good = _renamed(model, transform_graph, root / "renamed_good")
    output = root / "output"
    place = output / "pipeline" / "Evaluator"
    found = []
    for number, (candidate, baseline) in enumerate([(good, None), (poor, good)], 1):
        evaluation, blessing = steps.evaluate(examples, candidate, root / str(number), baseline, min_accuracy=0.0)
        for artifact, key in ((evaluation, "evaluation"), (blessing, "blessing")):
            shutil.copytree(artifact.uri, place / key / str(number))
            artifact.uri = str(place / key / str(number))
            artifact.mlmd_artifact.ClearField("id")
        found.append([evaluation, blessing])
    store = _open(output)
    _record(store, pb.Execution.COMPLETE, found[0])
    _record(store, pb.Execution.COMPLETE, found[1])
    return Evaluated(output, Path(found[0][0].uri), Path(found[1][0].uri))


@pytest.fixture
def copy(evaluated: Evaluated, tmp_path: Path) -> Evaluated:
    """The same elsewhere, to be changed."""
    output = tmp_path / "moved"
    shutil.copytree(evaluated.output, output)
    return Evaluated(output, *(output / path.relative_to(evaluated.output) for path in evaluated[1:]))


@pytest.fixture(scope="module")
def shown(evaluated: Evaluated) -> document.Page:
    return document.make_page(evaluated.refused)


@pytest.fixture(scope="module")
def address(shown: document.Page) -> Iterator[str]:
    with PageServer(shown) as server:
        threading.Thread(target=server.serve_forever).start()
        yield server.address
        server.shutdown()


def _rows(visit: Any, table: str) -> dict[str, dict[str, str]]:
    """A table's cells by the first one of their row and their header."""
    visit.page.wait_for_selector(f"{table} td")
    header, *rows = visit.page.locator(f"{table} tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.innerText.trim()))"
    )
    return {row[0]: dict(zip(header, row, strict=True)) for row in rows}


def _candidate(evaluated: Evaluated) -> Any:
    return tfma.load_eval_result(str(evaluated.refused), model_name="candidate")


def _assert_equal(cells: dict[str, str], metrics: dict[str, Any]) -> None:
    """The table has each metric, with the digits that TFMA shows."""
    values = {name: float(value["doubleValue"]) for name, value in metrics.items() if "doubleValue" in value}
    assert {name: float(cells[name]) for name in values} == pytest.approx(values, abs=1e-5, nan_ok=True)


# --- The page ---


@pytest.mark.parametrize("width", [1280, 390])
def test_tfmas_components_show_tfmas_numbers_and_fetch_nothing(
    browser: Any, address: str, evaluated: Evaluated, width: int
):
    with browser.visit(address, width=width) as visit:
        overall = _rows(visit, "#slicing-0 tfma-metrics-table table")
        slices = _rows(visit, "#slicing-1 tfma-metrics-table table")
        overview = _rows(visit, "#slicing-1 tfma-slice-overview table")
        matrix = _matrix(visit)
        note = visit.page.inner_text("body > .note >> nth=1")
        fits = visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    result = _candidate(evaluated)
    assert overall.keys() == {"Overall"}
    _assert_equal(overall["Overall"], result.get_metrics_for_slice())
    assert slices.keys() == overview.keys() == {f"class_name:{name}" for name in SHOWN}
    for name, text in zip(CLASSES, SHOWN, strict=True):
        _assert_equal(slices[f"class_name:{text}"], result.get_metrics_for_slice((("class_name", name),)))
    assert matrix == _expected_matrix(evaluated.refused)
    assert "asks the network for nothing and shows a table where a chart would be" in note
    assert fits, "TFMA's wide components scroll by themselves"
    assert not visit.errors
    assert not visit.dialogs
    fetched = {request.url for request in visit.requests if request.failure is None}
    assert fetched == {address}
    assert {request.failure for request in visit.requests} == {None, "csp"}
    assert {request.host for request in visit.requests} == {"127.0.0.1", "fonts.googleapis.com"}


def _matrix(visit: Any, name: str = SHOWN[0]) -> dict[tuple[str, str], int]:
    """TFMA's confusion matrix once it names that class: pictures by true and predicted class, without zeros."""
    matrix = visit.page.locator("tfma-multi-class-confusion-matrix-at-thresholds").first
    matrix.get_by_text(name, exact=True).first.wait_for()
    cells = matrix.locator(".cell[row]").evaluate_all(
        "cells => cells.map(cell => [cell.getAttribute('row'), cell.getAttribute('column'), cell.innerText.trim()])"
    )
    texts = {(int(row), int(column)): text for row, column, text in cells}
    # A header, a column of names and one of totals come first.
    inner = [at for at, text in texts.items() if at[0] > 0 and at[1] > 1 and text]
    return {(texts[row, 0], texts[0, column]): int(texts[row, column]) for row, column in inner}


def _expected_matrix(evaluation: Path) -> dict[tuple[str, str], int]:
    counts = evaluations.confusion_matrix(str(evaluation), len(CLASSES))
    return {(SHOWN[i], SHOWN[j]): int(count) for (i, j), count in np.ndenumerate(counts) if count}


def test_names_of_classes_stay_text(browser: Any, address: str):
    with browser.visit(address) as visit:
        _rows(visit, "#slicing-1 tfma-metrics-table table")
        _matrix(visit)
        assert visit.page.locator("[onload], [onerror], img[src=x]").count() == 0
        legend = visit.page.locator(".classes li").all_inner_texts()

    assert legend == [f"classId:{class_id} {name}" for class_id, name in enumerate(SHOWN)]
    assert not visit.dialogs
    assert not visit.errors


def test_the_candidate_stands_beside_the_last_blessed_model(browser: Any, address: str, evaluated: Evaluated):
    where = (("class_name", CLASSES[1]),)
    with browser.visit(address) as visit:
        overall = _rows(visit, "#comparisons tfma-metrics-table table")
        visit.page.select_option("#comparisons select", label=f"class_name:{SHOWN[1]}")
        of_class = _rows(visit, "#comparisons tfma-metrics-table table")

    baseline = tfma.load_eval_result(str(evaluated.refused), model_name="baseline")
    for found, at in ((overall, ()), (of_class, where)):
        assert found.keys() == {"candidate", "last blessed"}
        _assert_equal(found["candidate"], _candidate(evaluated).get_metrics_for_slice(at))
        _assert_equal(found["last blessed"], baseline.get_metrics_for_slice(at))
    assert float(overall["candidate"]["accuracy_diff"]) < 0
    assert not visit.errors


def test_a_person_picks_classes_slices_and_the_histogram(browser: Any, address: str, evaluated: Evaluated):
    with browser.visit(address) as visit:
        _rows(visit, "#slicing-0 tfma-metrics-table table")
        visit.page.click("#slicing-0 tfma-multi-select paper-dropdown-menu")
        visit.page.click("#slicing-0 tfma-multi-select paper-item:has-text('classId:1')")
        visit.page.wait_for_selector("#slicing-0 tfma-metrics-table th:has-text('recall')")
        by_class = _rows(visit, "#slicing-0 tfma-metrics-table table")["Overall"]

        visit.page.select_option("#plots select", label=f"class_name:{SHOWN[1]}")
        visit.page.wait_for_selector(f"#plots tfma-plot :text('Plot for class_name:{SHOWN[1]}')")
        matrix = _matrix(visit, SHOWN[1])

        visit.page.keyboard.press("Escape")
        visit.page.click("#slicing-1 tfma-graph-data-filter paper-dropdown-menu >> nth=0")
        visit.page.click("#slicing-1 paper-item:has-text('Metrics Histogram')")
        histogram = _rows(visit, "#slicing-1 tfma-metrics-histogram table")

    expected = _candidate(evaluated).get_metrics_for_slice(class_id=1)
    for name in ("recall", "auc"):
        (found,) = (value for column, value in by_class.items() if column.endswith(name) and "1" in column)
        assert float(found) == pytest.approx(float(expected[name]["doubleValue"]), abs=1e-5)
    assert matrix == {at: count for at, count in _expected_matrix(evaluated.refused).items() if at[0] == SHOWN[1]}
    assert sum(int(row["Number of slices in bucket"]) for row in histogram.values()) == len(CLASSES)
    assert not visit.errors


def test_a_click_sorts_a_table(browser: Any, address: str, evaluated: Evaluated):
    with browser.visit(address) as visit:
        table = "#slicing-1 tfma-metrics-table table"
        _rows(visit, table)
        orders = []
        for _ in range(2):
            visit.page.click(f"{table} th:has-text('example_count') >> nth=0")
            orders.append([int(row["example_count"]) for row in _rows(visit, table).values()])

    metrics = _candidate(evaluated).get_metrics_for_all_slices()
    counts = sorted(
        of["example_count"]["doubleValue"] for where, of in metrics.items() if where[:1] and where[0][0] == "class_name"
    )
    assert counts[0] < counts[-1]
    assert orders == [counts, counts[::-1]]


def test_without_a_baseline_nothing_is_compared_and_one_kind_of_slice_can_be_chosen(
    browser: Any, evaluated: Evaluated, tmp_path: Path
):
    file = tmp_path / "page.html"
    file.write_text(document.make_page(evaluated.blessed, "class_name").html)
    with browser.visit(file) as visit:
        overall = _rows(visit, "#slicing-0 tfma-metrics-table table")
        headings = visit.page.locator("section > h2").all_inner_texts()

    assert headings == ["All test pictures", "Slices by class_name", "Plots"]
    _assert_equal(overall["Overall"], tfma.load_eval_result(str(evaluated.blessed)).get_metrics_for_slice())


def test_a_bundle_that_does_not_start_leaves_a_sentence_and_no_blank_page(
    browser: Any, shown: document.Page, tmp_path: Path
):
    file = tmp_path / "page.html"
    file.write_text(shown.html.replace("Wraps the whole library", "Tampered with"))  # its hash is refused now
    with browser.visit(file) as visit:
        texts = visit.page.locator(".component").all_inner_texts()

    assert len(texts) == 6
    assert all("has no component tfma-nb-" in text for text in texts)


# --- The server ---


def _get(address: str, path: str, host: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(address.removeprefix("http://").rstrip("/"))
    connection.request("GET", path, headers={"Host": host})
    return connection.getresponse()


def test_only_this_machines_names_get_the_page(address: str, shown: document.Page):
    own = address.removeprefix("http://").rstrip("/")
    port = own.partition(":")[2]
    for host in (own, f"localhost:{port}"):
        answer = _get(address, "/", host)
        assert (answer.status, answer.read().decode()) == (200, shown.html)
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", ""):
        assert _get(address, "/", host).status == 421
    assert _get(address, "/../../etc/passwd", own).status == 404
    policy = _get(address, "/", own).headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy.replace("style-src 'unsafe-inline'", "")


# --- Which evaluation ---


def test_the_evaluation_of_the_latest_run_is_shown(copy: Evaluated):
    before = (copy.output / "metadata.db").read_bytes()
    latest = stored_evaluations.latest(copy.output)
    assert (latest.directory, latest.blessed) == (copy.refused, False)
    assert datetime.timedelta() < datetime.datetime.now() - latest.finished < datetime.timedelta(hours=1)
    assert [one.directory for one in stored_evaluations.history(copy.output)] == [copy.blessed, copy.refused]
    assert (copy.output / "metadata.db").read_bytes() == before, "it is only read"


def test_a_run_that_failed_does_not_count_and_one_from_the_cache_does(copy: Evaluated):
    first, *_ = sorted(copy.store().get_artifacts_by_type("ModelEvaluation"), key=lambda one: one.id)
    blessing, *_ = sorted(copy.store().get_artifacts_by_type("ModelBlessing"), key=lambda one: one.id)
    store = copy.store()
    made, _ = stored_evaluations.history(copy.output)

    def run(state: int, artifacts: list[Any]) -> None:
        execution = pb.Execution(type_id=store.get_execution_type("Evaluator").id, last_known_state=state)
        _put(store, execution, artifacts)

    run(pb.Execution.FAILED, [pb.Artifact(type_id=first.type_id, uri="/nowhere")])
    assert stored_evaluations.latest(copy.output).directory == copy.refused
    run(pb.Execution.CACHED, [first, blessing])
    latest = stored_evaluations.latest(copy.output)
    assert (latest.directory, latest.blessed) == (copy.blessed, True)
    assert latest.finished == made.finished, "when it was made"
    assert [one.directory for one in stored_evaluations.history(copy.output)] == [copy.blessed, copy.refused]


def test_numbers_over_time_are_those_of_each_evaluation(evaluated: Evaluated):
    first, second = tables.over_time(evaluated.output)
    assert (first["evaluation"], first["blessed"], second["evaluation"], second["blessed"]) == ("1", True, "2", False)
    for row, evaluation in ((first, evaluated.blessed), (second, evaluated.refused)):
        overall = evaluations.overall_metrics(str(evaluation))
        assert {name: row[name] for name in ("accuracy", "loss", "example_count")} == {
            name: overall[name] for name in ("accuracy", "loss", "example_count")
        }
    assert second.keys() == first.keys(), "no differences to a baseline"


# --- The command ---


def _error(capfd: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert view_evaluation.main(arguments) == command.BAD_INPUT
    out, error = capfd.readouterr()
    assert not out
    (line,) = error.splitlines()
    return line


def test_what_cannot_be_shown_is_told_in_one_line(copy: Evaluated, tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    assert _error(capfd, "--output", str(tmp_path / "absent")) == (
        f"error: --output: '{tmp_path}/absent' holds no run (no metadata.db); expected the output folder of local_run"
    )
    empty = tmp_path / "empty"
    empty.mkdir()
    _open(empty)
    assert "has evaluated a model yet" in _error(capfd, "--output", str(empty))
    assert _error(capfd, "--output", str(copy.output), "--slice", "colour\x1b[31m") == (
        "error: --slice: the evaluation has no slices by 'colour\\u001b[31m'; expected one of: "
        "class_name, size_range, brightness_range"
    )
    pattern = copy.output.rename(copy.output.with_name("run[1]"))
    assert "run[1]/pipeline/" in (told := _error(capfd, "--output", str(pattern)))
    assert "has a '[', which TensorFlow takes for part of a pattern" in told
    pattern.rename(copy.output)
    (copy.refused / "eval_config.json").unlink()
    assert "is gone from" in _error(capfd, "--output", str(copy.output))
    (empty / "metadata.db").write_bytes(b"no database, but long enough to be read as one" * 100)
    assert view_evaluation.main(["--output", str(empty)]) == command.FAILED
    assert "is damaged" in capfd.readouterr().err


@pytest.mark.parametrize("options", [(), ("--slice", "class_name")])
@pytest.mark.parametrize("pattern", ["eval_config.json", "metrics*"])
def test_a_damaged_evaluation_is_told_in_one_line(
    copy: Evaluated, capfd: pytest.CaptureFixture[str], pattern: str, options: tuple[str, ...]
):
    (file,) = copy.refused.glob(pattern)
    file.write_text("{ damaged")
    assert view_evaluation.main(["--output", str(copy.output), *options]) == command.FAILED
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"error: the evaluation '{copy.refused}' cannot be read (")


@pytest.mark.slow
def test_the_command_opens_the_page_and_ends_by_ctrl_c(evaluated: Evaluated, tmp_path: Path, browser: Any):
    opened = tmp_path / "opened"
    opener = tmp_path / "opener"
    opener.write_text(f'#!/bin/sh\nprintf %s "$1" > {opened}.part && mv {opened}.part {opened}\n')
    opener.chmod(0o755)
    arguments = [sys.executable, "-m", "pipeline.view_evaluation", "--output", str(evaluated.output)]
    process = subprocess.Popen(
        arguments, cwd=REPOSITORY, env={**os.environ, "BROWSER": str(opener)}, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout
        lines = [process.stdout.readline() for _ in range(3)]
        for _ in range(100):
            if opened.exists():
                break
            time.sleep(0.1)
        address = opened.read_text()
        assert lines[0] == f"evaluation  {evaluated.refused}\n"
        assert lines[2] == f"address     {address} (Ctrl-C ends it)\n"
        with browser.visit(address) as visit:
            assert "Overall" in _rows(visit, "#slicing-0 tfma-metrics-table table")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == command.DONE
        assert not process.stdout.read()
    finally:
        process.kill()
        process.wait()


# --- The notebook ---


@pytest.mark.slow
def test_the_notebook_shows_the_same_numbers(browser: Any, evaluated: Evaluated, tmp_path: Path):
    outputs = _outputs(evaluated)
    frame = next(one for one in outputs["text/html"] if "<iframe" in one)
    slices, history = (one for one in outputs["text/html"] if "<iframe" not in one)
    assert [cell for cell in _cells(slices) if cell.startswith(("Overall", "class_name"))] == [
        "Overall",
        *sorted(f"class_name:{name}" for name in SHOWN),
    ]
    for table, evaluation in ((slices, evaluated.refused), (history, evaluated.refused), (history, evaluated.blessed)):
        accuracy = evaluations.overall_metrics(str(evaluation))["accuracy"]
        assert any(_is_number(cell) and float(cell) == pytest.approx(accuracy, abs=1e-5) for cell in _cells(table))
    assert len(outputs["image/png"]) == 1
    assert outputs["printed"] == [f"{evaluated.refused} not blessed\n"], "no log noise"

    file = tmp_path / "notebook.html"
    file.write_text(f'<!doctype html><meta charset="utf-8">{slices}{frame}')
    with browser.visit(file) as visit:
        visit.page.frame_locator("iframe").locator("#slicing-0 tfma-metrics-table td").first.wait_for()
        inside = visit.page.frame_locator("iframe").locator("#slicing-0 tfma-metrics-table td").all_inner_texts()
        assert visit.page.locator("img").count() == 0
    assert "Overall" in inside
    assert float(inside[1]) == pytest.approx(evaluations.overall_metrics(str(evaluated.refused))["accuracy"], abs=1e-5)
    assert not visit.dialogs
    assert not visit.errors


def _outputs(evaluated: Evaluated) -> dict[str, list[str]]:
    """What the executed notebook shows, by type."""
    notebook = nbformat.read(REPOSITORY / "notebooks" / "evaluation.ipynb", as_version=4)
    assert all(not cell.get("outputs") and not cell.get("execution_count") for cell in notebook.cells)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OUTPUT", str(evaluated.output))
        client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": REPOSITORY / "notebooks"}})
        client.execute()
    found: dict[str, list[str]] = {}
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        for kind, text in output.get("data", {"printed": output.get("text")}).items():
            found.setdefault(kind, []).append(text)
    return found


def _cells(table: str) -> list[str]:
    found = re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", table)
    return [html.unescape(text) for text in found]


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[0-9.]+", text) is not None
