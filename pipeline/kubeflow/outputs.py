"""What a step shows in Kubeflow's own interface: numbers, the confusion matrix, the report, the gate's verdict.

A step that is taken from the cache shows what the artifacts say that it took from there.
"""

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from common import escaping
from common.examples import EVAL, TRAIN, FileCounts

if TYPE_CHECKING:
    from tfx.types import Artifact

    Artifacts = Mapping[str, Artifact]

METRICS, CLASSIFICATION, MARKDOWN, HTML, TEXT = "Metrics", "ClassificationMetrics", "Markdown", "HTML", "text"


class Output(NamedTuple):
    """One thing that a step shows.

    Attributes:
      name: as Kubeflow shows it.
      kind: a class of KFP's artifacts, or TEXT for an output parameter.
      make: what is shown, from the step's artifacts by key: numbers by name for METRICS, a path or "" for HTML, a text
        otherwise, and for CLASSIFICATION the class names and the matrix.
    """

    name: str
    kind: str
    make: Callable[["Artifacts"], Any]


def of_step(artifacts: Iterable[str]) -> list[Output]:
    """What a step shows, by the keys of the artifacts that it writes."""
    keys = set(artifacts)
    return [output for key, outputs in _OUTPUTS.items() if key in keys for output in outputs]


def write(told: Mapping[str, Any], paths: Mapping[str, str], outputs: Iterable[str], artifacts: "Artifacts") -> None:
    """Leaves what a finished step shows where Kubeflow's launcher collects it.

    Args:
      told: what the launcher says of the step's outputs: the message ExecutorInput.Outputs of KFP, as JSON.
      paths: where the launcher looks for the file of each output that is an artifact.
      outputs: keys of the artifacts that the step writes.
      artifacts: those artifacts and the step's inputs, by key; the files of both may be remote.
    """
    answer: dict[str, Any] = {"artifacts": {}, "parameterValues": {}}
    for output in of_step(outputs):
        value = output.make(artifacts)
        if output.kind == TEXT:
            answer["parameterValues"][output.name] = value
        else:
            (artifact,) = told["artifacts"][output.name]["artifacts"]
            metadata = _write_artifact(output.kind, paths[output.name], value)
            answer["artifacts"][output.name] = {"artifacts": [{**artifact, "metadata": metadata}]}
    path = Path(told["outputFile"])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(answer))


def _write_artifact(kind: str, path: str, value: Any) -> dict[str, Any]:
    """Writes the artifact's file, which KFP uploads, and returns the metadata, of which its interface draws numbers."""
    from tfx.dsl.io import fileio

    os.makedirs(os.path.dirname(path), exist_ok=True)
    if kind == HTML:
        fileio.copy(value, path, overwrite=True)
        return {}
    if kind == MARKDOWN:
        Path(path).write_text(value)
        return {}
    metadata = value if kind == METRICS else _confusion_matrix(*value)
    Path(path).write_text(json.dumps(metadata))
    return metadata


def _confusion_matrix(classes: list[str], counts: Any) -> dict[str, Any]:
    from kfp import dsl

    metrics = dsl.ClassificationMetrics(name="", uri="", metadata={})
    metrics.log_confusion_matrix([escaping.escape(name) for name in classes], counts.tolist())
    return dict(metrics.metadata)


# --- What the steps show ---


def _files(artifacts: "Artifacts") -> dict[str, float]:
    return FileCounts.read(artifacts["examples"])._asdict()


def _training(artifacts: "Artifacts") -> dict[str, float]:
    from modeling.training_results import TrainingResults

    results = TrainingResults.read(artifacts["model_run"].uri)
    by_split = {TRAIN: results.train, EVAL: results.eval}
    return {f"{split}_{name}": value for split, metrics in by_split.items() for name, value in metrics.items()}


def _test(artifacts: "Artifacts") -> dict[str, float]:
    from modeling import evaluations

    return evaluations.overall_metrics(artifacts["evaluation"].uri)


def _confusions(artifacts: "Artifacts") -> tuple[list[str], Any]:
    from common import labels
    from modeling import evaluations

    classes = labels.read_labels(artifacts["examples"].uri)
    return classes, evaluations.confusion_matrix(artifacts["evaluation"].uri, len(classes))


def _gate(artifacts: "Artifacts") -> str:
    """The verdict and a row a threshold; class names are strangers' text."""
    from modeling import evaluations
    from modeling.evaluations import BASELINE_NOTE

    passed = artifacts["blessing"].get_int_custom_property("blessed") == 1
    lines = [
        "# The gate let the model pass" if passed else "# The gate refused the model: it is not published",
        "",
        "| | metric | on | measured | at least |",
        "| --- | --- | --- | --- | --- |",
    ]
    for check in evaluations.checks(artifacts["evaluation"].uri):
        verdict = "passed" if check.passed else "**FAILED**"
        where = _cell(check.slice)
        metric = f"{check.metric}: {_cell(check.note)}" if check.note else check.metric
        lines.append(f"| {verdict} | {metric} | {where} | {check.value:.4f} | {check.threshold:.4f} |")
    if note := artifacts["evaluation"].get_string_custom_property(BASELINE_NOTE):
        lines += ["", _cell(note)]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """A text that neither Markdown nor HTML takes for its own."""
    return re.sub(r"[^\w\s.,:-]", lambda found: f"&#{ord(found[0])};", escaping.escape(text))


def _published(artifacts: "Artifacts") -> str:
    where = artifacts["pushed_model"].get_string_custom_property("pushed_destination")
    return where or "nothing: the gate refused the model"


def _predictions(artifacts: "Artifacts") -> dict[str, float]:
    from components.bulk_inferrer import executor

    result = artifacts["inference_result"]
    keys = (executor.FOUND, executor.PREDICTED, executor.FAILED)
    return {key: int(result.get_int_custom_property(key)) for key in keys}


def _report(artifacts: "Artifacts") -> str:
    from components.report import FILE_NAME

    return os.path.join(artifacts["report"].uri, FILE_NAME)


# By the key of the artifact that tells that a step is the one.
_OUTPUTS = {
    "examples": [Output("files", METRICS, _files)],
    "model_run": [Output("training", METRICS, _training)],
    "evaluation": [
        Output("test", METRICS, _test),
        Output("confusion_matrix", CLASSIFICATION, _confusions),
        Output("gate", MARKDOWN, _gate),
    ],
    "pushed_model": [Output("published", TEXT, _published)],
    "report": [Output("report", HTML, _report)],
    "inference_result": [Output("predictions", METRICS, _predictions)],
}
