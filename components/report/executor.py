"""Gathers what the steps before it left and writes `report.html`."""

import importlib.metadata
import json
import os
import platform
import tempfile
from typing import Any

import keras
import tensorflow as tf
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils

from common.examples import BRIGHTNESS_RANGE, CLASS_NAME, SIZE_RANGE, TEST
from common.hashing import FINGERPRINT
from common.labels import read_labels
from components.report import FILE_NAME, album, audit_section, charts, data_section, gallery, numbers, page
from components.report.driver import STEP_SECONDS
from components.report.page import Classes, Data, Gate, Page, Run, Scores, Training
from modeling import evaluations, probabilities, run_warnings
from modeling.evaluations import BASELINE_NOTE
from modeling.features import FeaturesInfo
from modeling.saliency import Saliency
from modeling.training_results import UNDONE, TrainingResults, diverged, read_history, read_trials, why_undone

_LIBRARIES = ("tfx", "tensorflow", "keras", "tensorflow-model-analysis", "apache-beam", "pillow")


class Executor(base_executor.BaseExecutor):
    """Reads all that its spec names, writes `report`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the page. The arguments are TFX's; their keys are those of ReportSpec, and `driver.STEP_SECONDS`."""
        inputs = {key: artifact_utils.get_single_instance(artifacts) for key, artifacts in input_dict.items()}
        report = artifact_utils.get_single_instance(output_dict["report"])
        found = _page(
            inputs,
            exec_properties["resize"],
            exec_properties["configuration"],
            json.loads(exec_properties[STEP_SECONDS]),
        )
        with tf.io.gfile.GFile(os.path.join(report.uri, FILE_NAME), "w") as file:
            file.write(page.render(found))


def _page(inputs: dict[str, types.Artifact], resize: str, configuration: str, step_seconds: dict[str, float]) -> Page:
    examples, evaluation, model_run = inputs["examples"], inputs["evaluation"], inputs["model_run"].uri
    classes = read_labels(examples.uri)
    info = FeaturesInfo.read(inputs["features"].uri)
    predictions = probabilities.read(evaluation.uri)
    is_right = predictions.probabilities.argmax(axis=1) == predictions.labels
    baseline = predictions.baseline
    comparison = None if baseline is None else numbers.compare(predictions.labels, predictions.probabilities, baseline)
    class_rows = numbers.class_rows(predictions.labels, predictions.probabilities)
    pictures = gallery.choose(predictions, is_right, comparison)
    photos = album.find(examples.uri, TEST, {sha256 for chosen in pictures for sha256 in chosen.sha256s})
    saliency = Saliency(_classifier(inputs["model"].uri), info.backbone)
    counts = data_section.read_counts(inputs["statistics"])
    history = read_history(model_run)
    stages = diverged(history)
    matrix = evaluations.confusion_matrix(evaluation.uri, len(classes))
    return Page(
        warnings=run_warnings.of_run(stages, matrix, classes),
        accuracy=numbers.share(int(is_right.sum()), len(is_right)),
        loss=evaluations.overall_metrics(evaluation.uri)["loss"],
        gate=Gate(
            blessed=inputs["blessing"].get_int_custom_property("blessed") == 1,
            checks=evaluations.checks(evaluation.uri),
            baseline_note=evaluation.get_string_custom_property(BASELINE_NOTE),
            comparison=comparison,
        ),
        training=Training(
            penalties=charts.penalties(trials) if (trials := read_trials(model_run)) else None,
            curves=charts.learning_curves(_epochs(history)),
            why_undone=why_undone(stages) if TrainingResults.read(model_run).fine_tuning == UNDONE else "",
        ),
        classes=Classes(
            names=classes,
            matrix=matrix,
            rows=class_rows,
            counts=counts[CLASS_NAME],
        ),
        scores=_scores(predictions, is_right, class_rows, classes),
        slices=_worst_first(evaluations.slices(evaluation.uri)),
        pictures=gallery.hang(pictures, photos, predictions, classes, saliency, info.image_size, resize),
        data=Data(
            files=data_section.read_files(examples),
            by_class=data_section.chart(counts[CLASS_NAME], "Pictures of each class"),
            by_size=data_section.chart(counts[SIZE_RANGE], "Pictures by their shorter side"),
            by_brightness=data_section.chart(counts[BRIGHTNESS_RANGE], "Pictures by their brightness"),
        ),
        # Runs of earlier releases, whose page can be written again, have none.
        issues=audit_section.read(inputs["data_issues"]) if "data_issues" in inputs else None,
        run=Run(
            seconds=charts.bars(_seconds(step_seconds), "Time of each step", "seconds"),
            info=info,
            fingerprint=examples.get_string_custom_property(FINGERPRINT),
            versions={"python": platform.python_version(), **{n: importlib.metadata.version(n) for n in _LIBRARIES}},
            configuration=configuration,
        ),
    )


def _scores(
    predictions: probabilities.Predictions, is_right: numbers.Bools, rows: list[numbers.ClassRow], classes: list[str]
) -> Scores:
    values = predictions.probabilities.max(axis=1)
    calibration = numbers.calibration(values, is_right)
    return Scores(
        calibration=calibration,
        reliability=charts.reliability(calibration),
        distribution=charts.scores(values, is_right),
        precision_recall=charts.precision_recall(_curves(predictions, rows), classes),
    )


def _classifier(model: str) -> keras.Model:
    """Keras reads few file systems; TensorFlow's file layer knows those that a pipeline root may lie on."""
    with tempfile.TemporaryDirectory() as directory:
        local = os.path.join(directory, "model.keras")
        tf.io.gfile.copy(os.path.join(model, "model.keras"), local)
        return keras.saving.load_model(local, compile=False)


def _epochs(rows: list[dict[str, str]]) -> list[charts.Epoch]:
    types_of = charts.Epoch.__annotations__
    return [charts.Epoch(**{key: kind(row[key]) for key, kind in types_of.items()}) for row in rows]


def _curves(predictions: probabilities.Predictions, rows: list[numbers.ClassRow]) -> list[numbers.Curve]:
    """Those of the classes with the least average precision, if there are too many."""
    tested = [row for row in rows if row.recall.whole]
    worst = sorted(tested, key=lambda row: row.average_precision)[: page.MAX_CURVES]
    chosen = sorted(row.class_id for row in worst)
    return [
        numbers.precision_recall_curve(predictions.labels, predictions.probabilities, class_id) for class_id in chosen
    ]


def _worst_first(found: list[evaluations.Slice]) -> list[tuple[evaluations.Slice, numbers.Share]]:
    rows = [(one, numbers.share(one.right, one.pictures)) for one in found]
    return sorted(rows, key=lambda row: (row[1].value, row[0].key, row[0].value))


def _seconds(step_seconds: dict[str, float]) -> charts.Bars:
    return charts.Bars(list(step_seconds), [[seconds] for seconds in step_seconds.values()], ["seconds"])
