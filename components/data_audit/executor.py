"""What DataAudit does: reads features and predictions, and writes tables of what may be wrong."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils

from common import labels
from common.data_issues import IssueCounts
from common.examples import EVAL, SPLITS, TRAIN
from components.data_audit import issue_tables, label_issues, pictures
from components.data_audit.label_issues import LabelIssue
from components.data_audit.pictures import Picture
from modeling import features, probabilities


class Executor(base_executor.BaseExecutor):
    """Fills a DataIssues artifact; its custom properties are those of `common.data_issues.IssueCounts`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Audits all splits. The arguments are TFX's; their keys are those of DataAuditSpec."""
        examples, stored, evaluation = (
            artifact_utils.get_single_uri(input_dict[key]) for key in ("examples", "features", "evaluation")
        )
        data_issues = artifact_utils.get_single_instance(output_dict["data_issues"])
        classes = labels.read_labels(examples)
        known = pictures.read(examples, SPLITS)
        found = _trained_on(stored, known, len(classes), exec_properties["seed"]) + _tested(evaluation, known)
        found.sort(key=lambda one: one[1].given_probability)
        issue_tables.write(data_issues.uri, [issue_tables.of_label_issues(found, classes)], examples)
        IssueCounts(label_issues=len(found)).write(data_issues)


def _trained_on(stored: str, known: Mapping[str, Picture], classes: int, seed: int) -> list[tuple[Picture, LabelIssue]]:
    """Label issues of train and eval, by heads that did not see the picture."""
    splits = [features.read_bottlenecks(stored, split) for split in (TRAIN, EVAL)]
    found = [known[sha256] for split in splits for sha256 in split.sha256s]
    given = np.array([picture.example.label for picture in found])
    values = np.concatenate([split.values for split in splits])
    issues = label_issues.find(label_issues.out_of_fold(values, given, classes, seed), given)
    return [(found[issue.place], issue) for issue in issues]


def _tested(evaluation: str, known: Mapping[str, Picture]) -> list[tuple[Picture, LabelIssue]]:
    """Label issues of test, by the candidate, which did not see it either."""
    predictions = probabilities.read(evaluation)
    issues = label_issues.find(predictions.probabilities, predictions.labels)
    return [(known[predictions.sha256s[issue.place]], issue) for issue in issues]
