"""DataAudit on made-up bottlenecks and predictions: what it lists of each split, and that odd data are no fault."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import steps
import tensorflow as tf
from pictures import TINTS, encode, make_pixels
from tfx.types.standard_artifacts import Examples, ModelEvaluation

from common import csv_tables, example_records, labels
from common.artifacts import DataIssues
from common.data_issues import (
    LABEL_ISSUES_FILE,
    NEAR_DUPLICATES_FILE,
    ODD_PICTURES_FILE,
    OUTLIERS_FILE,
    IssueCounts,
)
from common.examples import EVAL, LABEL, SHA256, TEST, TRAIN, Example, read_notes, split_folder, write_pictures
from components.data_audit import executor, label_issues
from imaging import thumbnails
from modeling import features, probabilities
from modeling.evaluations import CANDIDATE
from modeling.features import BOTTLENECKS, FeaturesInfo

_CHANNELS = 40
_CLASSES = ["apple", "=berry\n"]
_BERRY = "'=berry\\u000a"  # as a table has it


class _Picture(NamedTuple):
    """A picture of a split: the class that it is of, and the one that it is given, if that is another."""

    split: str
    name: str
    truth: int
    given: int

    @property
    def sha256(self) -> str:
        return self.name.encode().hex()


class _Data(NamedTuple):
    examples: Examples
    features: Examples
    evaluation: ModelEvaluation


def _pictures(counts: dict[str, int]) -> list[_Picture]:
    return [
        _Picture(split, f"{split}{index:03d}.png", index % 2, index % 2)
        for split, count in counts.items()
        for index in range(count)
    ]


def _write(
    root: Path, pictures: Sequence[_Picture], copies: dict[str, str] | None = None, not_numbers: int = 0
) -> _Data:
    """Artifacts as the steps before leave them.

    Copies have the features of other pictures, by their names; those of the first pictures are not numbers.
    """
    data = _Data(*(steps.artifact(kind, root / kind.__name__) for kind in (Examples, Examples, ModelEvaluation)))
    data.features.uri += "-features"
    rng = np.random.default_rng(0)
    values = {
        one.name: rng.gamma(2, size=_CHANNELS) * np.repeat([one.truth, 1 - one.truth], 20) + 0.1 for one in pictures
    }
    values |= {copy: values[name] * 1.2 for copy, name in (copies or {}).items()}
    values |= {one.name: np.full(_CHANNELS, np.nan) for one in pictures[:not_numbers]}
    predicted = Path(data.evaluation.uri, probabilities.FOLDER)
    predicted.mkdir()
    with tf.io.TFRecordWriter(str(predicted / "part-0")) as predictions:
        for split in (TRAIN, EVAL, TEST):
            for artifact in (data.examples, data.features):
                Path(split_folder(artifact.uri, split)).mkdir(parents=True, exist_ok=True)
            file = str(Path(split_folder(data.features.uri, split), features.file_name(BOTTLENECKS, 0, 1, 0)))
            with (
                tf.io.TFRecordWriter(f"{split_folder(data.examples.uri, split)}/examples") as examples,
                tf.io.TFRecordWriter(file) as stored,
            ):
                for one in (one for one in pictures if one.split == split):
                    image = encode(make_pixels(int(one.sha256, 16) % 1000, 24, 32, TINTS[one.truth]))
                    size = (24, 32, 0.5, 0.01, "", "")
                    example = Example(image, one.given, _CLASSES[one.given], one.sha256, one.name, *size)
                    examples.write(example_records.encode(example))
                    sha256 = one.sha256.encode()
                    stored.write(features.encode(values[one.name].astype(np.float32), one.given, sha256))
                    if split == TEST:
                        predictions.write(_prediction(one))
    counts = {split: sum(one.split == split for one in pictures) for split in (TRAIN, EVAL, TEST)}
    write_pictures(data.examples, counts)
    labels.write_labels(data.examples.uri, _CLASSES)
    shapes = {BOTTLENECKS: [_CHANNELS]}
    FeaturesInfo("VGG16", 32, None, 18, shapes, 1, counts, "float32", "random", "", "").write(data.features.uri)
    return data


def _prediction(picture: _Picture) -> bytes:
    """Of a model that is mostly right."""
    record = tf.train.Example()
    feature = record.features.feature
    feature[SHA256].bytes_list.value.append(picture.sha256.encode())
    feature[LABEL].int64_list.value.append(picture.given)
    feature[CANDIDATE].float_list.value.extend([0.02, 0.98] if picture.truth else [0.98, 0.02])
    return record.SerializeToString()


def _table(issues: DataIssues, name: str) -> list[list[str]]:
    return csv_tables.read(str(Path(issues.uri, name)))


def test_labels_of_all_splits_and_pairs_across_splits_and_classes_are_listed(tmp_path: Path) -> None:
    wrong = ("train004.png", "eval005.png", "test007.png")
    pictures = [
        one._replace(given=1 - one.truth) if one.name in wrong else one
        for one in _pictures({TRAIN: 60, EVAL: 20, TEST: 20})
    ]
    pairs = {"eval010.png": "train010.png", "train030.png": "train020.png", "train004.png": "train008.png"}
    data = _write(tmp_path, pictures, pairs)
    issues = steps.audit(*data, tmp_path / "issues")
    listed = {row[0]: row[1:4] for row in _table(issues, LABEL_ISSUES_FILE)}
    assert listed == {
        "train004.png": ["train", _BERRY, "apple"],
        "eval005.png": ["eval", "apple", _BERRY],
        "test007.png": ["test", "apple", _BERRY],
    }
    found = [(row[0], row[3]) for row in _table(issues, NEAR_DUPLICATES_FILE)]
    two_classes, two_splits = ("train004.png", "train008.png"), ("train010.png", "eval010.png")
    assert found == [two_classes, two_splits, ("train020.png", "train030.png")]
    for row, _ in enumerate(found):
        for column in (0, 1):
            assert (
                Path(issues.uri, thumbnails.issue_file(NEAR_DUPLICATES_FILE, row, column)).read_bytes()[:2]
                == b"\xff\xd8"
            )
    counts = IssueCounts.read(issues)
    assert (counts.label_issues, counts.near_duplicates) == (3, 3)
    again = steps.audit(*data, tmp_path / "again")
    for name in (LABEL_ISSUES_FILE, OUTLIERS_FILE, NEAR_DUPLICATES_FILE, ODD_PICTURES_FILE):
        assert _table(again, name) == _table(issues, name)


@pytest.mark.parametrize("counts", [{TRAIN: 2, EVAL: 1, TEST: 1}, {TRAIN: 3, EVAL: 2, TEST: 2}])
def test_a_handful_of_pictures_is_no_fault(tmp_path: Path, counts: dict[str, int]) -> None:
    issues = steps.audit(*_write(tmp_path, _pictures(counts)), tmp_path / "issues")
    assert IssueCounts.read(issues).label_issues == 0


@pytest.mark.parametrize("broken", [1, 3])
def test_features_that_are_not_numbers_are_told_and_left_out(tmp_path: Path, broken: int) -> None:
    data = _write(tmp_path, _pictures({TRAIN: 2, EVAL: 1, TEST: 1}), not_numbers=broken)
    issues = steps.audit(*data, tmp_path / "issues")
    (note,) = read_notes(issues)
    assert note.startswith(f"{broken} pictures of train and eval were left out")


def test_too_many_pictures_or_classes_are_told_and_not_audited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = [
        one._replace(given=1 - one.truth) if one.name == "test000.png" else one
        for one in _pictures({TRAIN: 20, EVAL: 4, TEST: 9})
    ]
    data = _write(tmp_path, pictures)
    monkeypatch.setattr(label_issues, "MOST_WORK", 24 * _CHANNELS * 2 - 1)
    issues = steps.audit(*data, tmp_path / "classes")
    (note,) = read_notes(issues)
    assert note.startswith("label issues of train and eval were not looked for")
    assert [row[0] for row in _table(issues, LABEL_ISSUES_FILE)] == ["test000.png"]
    monkeypatch.setattr(executor, "_MOST_PICTURES", 32)
    issues = steps.audit(*data, tmp_path / "pictures")
    assert read_notes(issues) == ["the data were not audited: there are more than 32 pictures"]
    assert not any(IssueCounts.read(issues))
    assert _table(issues, OUTLIERS_FILE) == []
