"""What a run came to, for people and, as run_summary.json, for machines."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from tfx import types

from common import labels
from common.data_issues import LABEL_ISSUES_FILE, IssueCounts
from common.examples import EVAL, TEST, TRAIN, FileCounts, read_notes
from common.lineage import Lineage
from components import report
from components.bulk_inferrer import executor as bulk_inferrer
from modeling import evaluations, run_warnings
from modeling.evaluations import BASELINE_NOTE
from modeling.training_results import TrainingResults, diverged, read_history
from pipeline.engine.runner import Step
from pipeline.engine.store import as_tfx

FILE_NAME = "run_summary.json"


class Inference(NamedTuple):
    """What became of the pictures of `infer`.

    Attributes:
      found: files; predicted and failed add up to it, unless there is no model.
      predicted: files with a prediction.
      failed: files without one; their rows say why.
      model: folder of the model that predicted; None where none is blessed.
      is_candidate: whether that is this run's model; otherwise it is the last blessed one.
      csv: the predictions; None where there is no model.
    """

    found: int
    predicted: int
    failed: int
    model: str | None
    is_candidate: bool
    csv: str | None


class Summary(NamedTuple):
    """A finished run. Paths are local.

    Attributes:
      blessed: whether the gate let the model pass.
      pushed_to: folder of the published version; None where nothing was published.
      metrics: accuracy and loss by split; train and eval as training saw them, test through the serving signature.
      gate: one row per threshold: metric, slice, value, threshold, passed, note.
      baseline_note: why the last blessed model was not compared with; empty where it was or there is none.
      files: what became of the files.
      notes: what to know of the splits, a line each.
      steps: name, state and seconds of each step.
      classes: class names by class id.
      stage_1: how it trained: "converged", "epochs", or "epochs, as there were too many features".
      penalty: L2 penalty of a head that converged; None otherwise.
      fine_tuning: what became of stage 2: "kept", "undone" where it did not lower the loss on eval by more than chance,
        or "off".
      diverged: the stages with an epoch whose loss was infinite or not a number.
      warnings: what to be wary of, a line each: `modeling.run_warnings`.
      examples: folder of the examples, with quarantine.csv, duplicates.csv and leakage.csv.
      issues: how much may be wrong with the data, by kind.
      issue_notes: what was not looked for, a line each.
      label_issues: path of label_issues.csv; the other kinds have their tables beside it.
      model: folder of the trained model.
      training: folder of history.csv and the TensorBoard logs.
      report: path of report.html.
      inference: what became of the pictures of `infer`; None where there is no such folder.
    """

    blessed: bool
    pushed_to: str | None
    metrics: dict[str, dict[str, float]]
    gate: list[dict[str, Any]]
    baseline_note: str
    files: FileCounts
    notes: list[str]
    steps: list[dict[str, Any]]
    classes: list[str]
    stage_1: str
    penalty: float | None
    fine_tuning: str
    diverged: list[int]
    warnings: list[str]
    examples: str
    issues: IssueCounts
    issue_notes: list[str]
    label_issues: str
    model: str
    training: str
    report: str
    inference: Inference | None = None

    def write(self, output: Path) -> None:
        """Writes run_summary.json."""
        parts = {
            "files": self.files._asdict(),
            "issues": self.issues._asdict(),
            "inference": self.inference and self.inference._asdict(),
        }
        content = {**self._asdict(), **parts}
        (output / FILE_NAME).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def summarize(steps: Iterable[Step], lineage: Lineage) -> Summary:
    """Collects what the steps of a complete run left in the metadata store and in their artifacts."""
    steps = list(steps)
    found = {step.name: as_tfx(lineage, lineage.outputs(step.execution_id)) for step in steps}
    outputs = {name: {key: one for key, (one, *_) in by_key.items()} for name, by_key in found.items()}
    examples = outputs["ImageExampleGen"]["examples"]
    data_issues = outputs["DataAudit"]["data_issues"]
    pushed = outputs["Pusher"]["pushed_model"]
    evaluation = outputs["Evaluator"]["evaluation"]
    training = outputs["Trainer"]["model_run"].uri
    trained = TrainingResults.read(training)
    stages = diverged(read_history(training))
    test = evaluations.overall_metrics(evaluation.uri)
    classes = labels.read_labels(examples.uri)
    matrix = evaluations.confusion_matrix(evaluation.uri, len(classes))
    return Summary(
        blessed=outputs["Evaluator"]["blessing"].get_int_custom_property("blessed") == 1,
        pushed_to=pushed.get_string_custom_property("pushed_destination") or None,
        metrics={
            TRAIN: trained.train,
            EVAL: trained.eval,
            TEST: {name: test[name] for name in ("accuracy", "loss")},
        },
        gate=[check._asdict() for check in evaluations.checks(evaluation.uri)],
        baseline_note=evaluation.get_string_custom_property(BASELINE_NOTE),
        files=FileCounts.read(examples),
        notes=read_notes(examples),
        steps=[{"name": step.name, "state": step.state, "seconds": step.seconds} for step in steps],
        classes=classes,
        stage_1=trained.stage_1,
        penalty=trained.penalty,
        fine_tuning=trained.fine_tuning,
        diverged=stages,
        warnings=run_warnings.of_run(stages, matrix, classes),
        examples=examples.uri,
        issues=IssueCounts.read(data_issues),
        issue_notes=read_notes(data_issues),
        label_issues=os.path.join(data_issues.uri, LABEL_ISSUES_FILE),
        model=outputs["Trainer"]["model"].uri,
        training=training,
        report=os.path.join(outputs["Report"]["report"].uri, report.FILE_NAME),
        inference=_inference(outputs["BulkInferrer"]["inference_result"]) if "BulkInferrer" in outputs else None,
    )


def _inference(result: types.Artifact) -> Inference:
    model = result.get_string_custom_property(bulk_inferrer.MODEL) or None
    return Inference(
        found=int(result.get_int_custom_property(bulk_inferrer.FOUND)),
        predicted=int(result.get_int_custom_property(bulk_inferrer.PREDICTED)),
        failed=int(result.get_int_custom_property(bulk_inferrer.FAILED)),
        model=model,
        is_candidate=bool(result.get_int_custom_property(bulk_inferrer.IS_CANDIDATE)),
        csv=str(Path(result.uri, bulk_inferrer.CSV)) if model else None,
    )
