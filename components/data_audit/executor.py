"""What DataAudit does: reads features and predictions, and writes tables of what may be wrong."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils

from common import labels
from common.data_issues import IssueCounts
from common.examples import EVAL, SPLITS, TEST, TRAIN, read_pictures, write_notes
from components.data_audit import issue_tables, label_issues, neighbours, odd_pictures, pictures
from components.data_audit.label_issues import LabelIssue
from components.data_audit.odd_pictures import Oddity
from components.data_audit.pictures import Picture
from modeling import features, probabilities

# With VGG16, heads for so many pictures of ten classes took 1.1 GB, and 36 s of processor time. To compare 30,000 with
# each other took 18 s, which grows with the square.
_MOST_PICTURES = 100_000


class Executor(base_executor.BaseExecutor):
    """Fills a DataIssues artifact.

    Custom properties: those of `common.data_issues.IssueCounts`, and `notes` on what was not looked for.
    """

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Audits all splits. The arguments are TFX's; their keys are those of DataAuditSpec."""
        examples, stored, evaluation = (
            artifact_utils.get_single_instance(input_dict[key]) for key in ("examples", "features", "evaluation")
        )
        data_issues = artifact_utils.get_single_instance(output_dict["data_issues"])
        found = _Found([], [], [], [], [])
        if sum(read_pictures(examples).values()) > _MOST_PICTURES:
            found.notes.append(f"the data were not audited: there are more than {_MOST_PICTURES} pictures")
        else:
            found = _audit(examples.uri, stored.uri, evaluation.uri, exec_properties["seed"])
        tables = [
            issue_tables.of_label_issues(found.label_issues, labels.read_labels(examples.uri)),
            issue_tables.of_outliers(found.outliers),
            issue_tables.of_near_duplicates(found.near_duplicates),
            issue_tables.of_odd_pictures(found.odd_pictures),
        ]
        issue_tables.write(data_issues.uri, tables, examples.uri)
        IssueCounts(*(len(table.rows) for table in tables)).write(data_issues)
        write_notes(data_issues, found.notes)


class _Found(NamedTuple):
    """What may be wrong, the most suspicious first, and notes on what was not looked for."""

    label_issues: list[tuple[Picture, LabelIssue]]
    outliers: list[tuple[Picture, float]]
    near_duplicates: list[tuple[Picture, Picture, float]]
    odd_pictures: list[tuple[Picture, Oddity]]
    notes: list[str]


class _Described(NamedTuple):
    """Pictures with their bottlenecks, float32 [pictures, channels]."""

    pictures: list[Picture]
    values: npt.NDArray[np.float32]


def _audit(examples: str, stored: str, evaluation: str, seed: int) -> _Found:
    known = pictures.read(examples, SPLITS)
    described = _describe(stored, known)
    near = neighbours.find(described.values)
    everywhere = list(known.values())
    odd = odd_pictures.find([one.example for one in everywhere], features.FeaturesInfo.read(stored).image_size)
    issues, notes = _tested(evaluation, known), []
    classes = len(labels.read_labels(examples))
    if described.values.size * classes <= label_issues.MOST_WORK:
        issues += _out_of_fold(described, classes, seed)
    else:
        notes.append("label issues of train and eval were not looked for: there are too many pictures and classes")
    if left_out := sum(picture.split != TEST for picture in everywhere) - len(described.pictures):
        notes.append(f"{left_out} pictures of train and eval were left out: their features are not all numbers")
    return _Found(
        sorted(issues, key=lambda one: one[1].given_probability),
        [(described.pictures[one.place], one.similarity) for one in near.outliers],
        [(described.pictures[pair.one], described.pictures[pair.other], pair.similarity) for pair in near.pairs],
        [(everywhere[one.place], one) for one in odd],
        notes,
    )


def _describe(stored: str, known: Mapping[str, Picture]) -> _Described:
    """The pictures of train and eval whose bottlenecks are numbers."""
    splits = [features.read_bottlenecks(stored, split) for split in (TRAIN, EVAL)]
    found = [known[sha256] for split in splits for sha256 in split.sha256s]
    values = np.concatenate([split.values for split in splits])
    usable = np.isfinite(values).all(axis=1)
    return _Described([found[place] for place in np.flatnonzero(usable)], values[usable])


def _out_of_fold(described: _Described, classes: int, seed: int) -> list[tuple[Picture, LabelIssue]]:
    """Label issues of train and eval, by heads that did not see the picture."""
    given = np.array([picture.example.label for picture in described.pictures], np.int64)
    issues = label_issues.find(label_issues.out_of_fold(described.values, given, classes, seed), given)
    return [(described.pictures[issue.place], issue) for issue in issues]


def _tested(evaluation: str, known: Mapping[str, Picture]) -> list[tuple[Picture, LabelIssue]]:
    """Label issues of test, by the candidate, which did not see it either."""
    predictions = probabilities.read(evaluation)
    issues = label_issues.find(predictions.probabilities, predictions.labels)
    return [(known[predictions.sha256s[issue.place]], issue) for issue in issues]
