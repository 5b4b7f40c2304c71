"""What Evaluator declares about itself for schedulers and displays."""

import re
from typing import TYPE_CHECKING, Any

from common import escaping
from common.step_facts import CLASSIFICATION, MARKDOWN, METRICS, Output, StepFacts

if TYPE_CHECKING:
    from common.step_facts import Artifacts


def _test(artifacts: "Artifacts") -> dict[str, float]:
    from modeling import evaluations

    return evaluations.overall_metrics(artifacts["evaluation"].uri)


def _confusions(artifacts: "Artifacts") -> tuple[list[str], Any]:
    from common import labels
    from modeling import evaluations

    classes = labels.read_labels(artifacts["examples"].uri)
    return classes, evaluations.confusion_matrix(artifacts["evaluation"].uri, len(classes))


def _gate(artifacts: "Artifacts") -> str:
    """The verdict and one row per threshold; class names are untrusted text."""
    from modeling import run_warnings
    from modeling.evaluations import BASELINE_NOTE, checks

    passed = artifacts["blessing"].get_int_custom_property("blessed") == 1
    lines = [
        "# The gate let the model pass" if passed else "# The gate refused the model: it is not published",
        "",
        "| | metric | on | measured | at least |",
        "| --- | --- | --- | --- | --- |",
    ]
    for check in checks(artifacts["evaluation"].uri):
        verdict = "passed" if check.passed else "**FAILED**"
        where = _cell(check.slice)
        metric = f"{check.metric}: {_cell(check.note)}" if check.note else check.metric
        lines.append(f"| {verdict} | {metric} | {where} | {check.value:.4f} | {check.threshold:.4f} |")
    if note := artifacts["evaluation"].get_string_custom_property(BASELINE_NOTE):
        lines += ["", _cell(note)]
    classes, matrix = _confusions(artifacts)
    lines += [
        line for warning in run_warnings.of_classes(matrix, classes) for line in ("", f"Warning: {_cell(warning)}")
    ]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """A text that neither Markdown nor HTML takes for its own."""
    return re.sub(r"[^\w\s.,:-]", lambda found: f"&#{ord(found[0])};", escaping.escape(text))


FACTS = StepFacts(
    gpu=True,
    shows=(
        Output("test", METRICS, _test),
        Output("confusion_matrix", CLASSIFICATION, _confusions),
        Output("gate", MARKDOWN, _gate),
    ),
)
