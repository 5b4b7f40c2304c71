"""Leaves what a step shows where Kubeflow's own interface looks for it: numbers, a matrix, the report, a verdict."""

import json
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from common import escaping, fingerprint
from common.step_facts import HTML, MARKDOWN, METRICS, TEXT, Output
from pipeline.engine import kept

if TYPE_CHECKING:
    from common.step_facts import Artifacts

# A matrix is a message to Kubeflow's metadata server, which takes 4 MiB: some 610 classes with short names.
_MOST_CLASSES = 500
_MOST_BYTES = 3 << 20


def write(
    told: Mapping[str, Any],
    paths: Mapping[str, str],
    shows: Iterable[Output],
    artifacts: "Artifacts",
    folder: str | None = None,
) -> None:
    """Leaves what a finished step shows where Kubeflow's launcher collects it.

    Args:
      told: what the launcher says of the step's outputs: the message ExecutorInput.Outputs of KFP, as JSON.
      paths: where the launcher looks for the file of each output that is an artifact.
      shows: what the step shows.
      artifacts: the step's inputs and outputs by key; the files of both may be remote.
      folder: where what is shown of these artifacts is kept, as in `kept.get`: to read it from them takes libraries
        that a cached step need not import otherwise.
    """
    answer: dict[str, Any] = {"artifacts": {}, "parameterValues": {}}
    for output in shows:
        value = _shown(output, artifacts, folder)
        if output.kind == TEXT:
            answer["parameterValues"][output.name] = value
        else:
            (artifact,) = told["artifacts"][output.name]["artifacts"]
            metadata = _write_artifact(output.kind, paths[output.name], value)
            answer["artifacts"][output.name] = {"artifacts": [{**artifact, "metadata": metadata}]}
    path = Path(told["outputFile"])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(answer))


def _shown(output: Output, artifacts: "Artifacts", folder: str | None) -> Any:
    depends = [
        output.name,
        fingerprint.of_code(output.make.__module__),
        {key: (one.uri, one.id, one.mlmd_artifact.create_time_since_epoch) for key, one in artifacts.items()},
    ]
    made = kept.get(folder, depends, lambda: json.dumps(output.make(artifacts), default=np.ndarray.tolist).encode())
    return json.loads(made)


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
    metadata = _finite(value) if kind == METRICS else _confusion_matrix(*value)
    Path(path).write_text(json.dumps(metadata))
    return metadata


def _finite(metrics: Mapping[str, float | None]) -> dict[str, float]:
    """Those that are numbers: the launcher reads strict JSON without null, and would fail the finished step."""
    return {name: value for name, value in metrics.items() if value is not None and math.isfinite(value)}


def _confusion_matrix(classes: list[str], counts: list[list[int]]) -> dict[str, Any]:
    from kfp import dsl

    if len(classes) > _MOST_CLASSES or len(classes) * sum(map(len, classes)) > _MOST_BYTES:
        return {"left_out": f"{len(classes)} classes are too many for Kubeflow; the report has the confusion matrix"}
    metrics = dsl.ClassificationMetrics(name="", uri="", metadata={})
    metrics.log_confusion_matrix([escaping.escape(name) for name in classes], counts)
    return dict(metrics.metadata)
