"""What a run says, at its start of the data and at its end of things that are not always there."""

from pathlib import Path
from typing import Any

import pytest

from common.data_issues import IssueCounts
from common.examples import FileCounts
from components.image_example_gen import layout
from pipeline.config import BackboneConfig, Config, IngestConfig, TrainerConfig
from pipeline.local_run import _show, _show_stage_2
from pipeline.local_steps import show_data, show_size, show_unused
from pipeline.screen import Screen
from pipeline.summary import Inference, Summary


def _lines(capfd: pytest.CaptureFixture[str], start: str, leakage: int = 0, **changes: Any) -> list[str]:
    """The lines of a summary that begin with a word."""
    summary = Summary(
        blessed=False,
        pushed_to=None,
        metrics={},
        gate=[],
        baseline_note="",
        files=FileCounts(found=9, used=9, duplicate=0, quarantined=0, leakage=leakage, not_pictures=0, hidden=0),
        notes=[],
        steps=[],
        classes=[],
        stage_1="converged",
        penalty=0.031623,
        fine_tuning="off",
        diverged=[],
        warnings=[],
        examples="/examples",
        issues=IssueCounts(label_issues=0, outliers=0, near_duplicates=0, odd_pictures=0),
        issue_notes=[],
        label_issues="/issues/label_issues.csv",
        model="",
        training="",
        report="",
    )
    _show(summary._replace(**changes), Path(), Screen())
    return [line for line in capfd.readouterr().out.splitlines() if line.startswith(start)]


def test_what_was_understood_of_the_data_is_told_at_the_start(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    names = ["Training/a\x1b[2J/1.png", "Training/b/1.png", "Training/.net/1.png", "Training/b/.DS_Store"]
    for name in [*names, "Testing/b/2.png", "single/1.png", "Training/b/1.json"]:
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    show_data(layout.find(str(tmp_path)), IngestConfig(), Screen())
    assert capfd.readouterr().out.splitlines() == [
        f"pictures   {tmp_path}",
        "train      2 files in Training",
        "eval       15% of train, cut by hash",
        "test       1 file in Testing",
        r"classes    2: a\u001b[2J (1), b (2)",
        r"missing    test has no file of a\u001b[2J",
        "left out   single: neither a split nor a class",
        "left out   Training/.net: hidden, as its name begins with a dot; rename it if it is a class",
        "left out   1 file that is not a picture: Training/b/1.json",
        "left out   1 hidden or of the system: Training/b/.DS_Store",
    ]


def test_twenty_classes_are_shown_and_the_others_counted(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for index in range(30):
        (tmp_path / f"c{index:02d}").mkdir()
        (tmp_path / f"c{index:02d}" / "1.png").touch()
    show_data(layout.find(str(tmp_path)), IngestConfig(test_fraction=0.2), Screen())
    shown = ", ".join(f"c{index:02d} (1)" for index in range(20))
    assert capfd.readouterr().out.splitlines() == [
        f"pictures   {tmp_path}",
        "train      30 files in the folder",
        "eval       15% of train, cut by hash",
        "test       20% of train, cut by hash",
        f"classes    30: {shown} and 10 more",
    ]


@pytest.mark.parametrize(
    ("backbone", "lines"),
    [
        ({"name": "EfficientNetB3", "image_size": 300}, []),
        ({"name": "EfficientNetB3"}, ["size       224x224; the weights of EfficientNetB3 were trained on 300x300"]),
        ({"name": "EfficientNetB3", "weights": "random"}, []),
        ({"name": "MobileNetV2", "image_size": 160}, []),  # has weights for several sizes
        ({"name": "MobileNetV2", "image_size": 96}, []),
        (
            {"name": "MobileNet", "image_size": 96},
            ["size       96x96; the weights of MobileNet were trained on 224x224"],
        ),
    ],
)
def test_pictures_of_another_size_than_the_weights_know_are_told(
    backbone: dict[str, Any], lines: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    show_size(BackboneConfig(**backbone), Screen())
    assert capfd.readouterr().out.splitlines() == lines


@pytest.mark.parametrize(
    ("name", "fine_tune", "lines"),
    [
        (
            "NASNetMobile",
            True,
            ["stage 2    passes each picture through all of NASNetMobile in every epoch: its cells cannot be cut"],
        ),
        ("NASNetMobile", False, []),
        ("ConvNeXtTiny", True, []),
    ],
)
def test_a_stage_2_that_has_to_run_the_whole_backbone_is_told(
    name: str, fine_tune: bool, lines: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    config = Config(backbone=BackboneConfig(name=name), trainer=TrainerConfig(fine_tune=fine_tune))
    _show_stage_2(config, Screen())
    assert capfd.readouterr().out.splitlines() == lines


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({}, []),
        ({"epochs": 3}, ["unused     trainer.epochs has no effect with trainer.solver: lbfgs"]),
        ({"solver": "adam", "penalty": 0.1}, ["unused     trainer.penalty has no effect with trainer.solver: adam"]),
        (
            {"fine_tune": False, "fine_tune_at": 3},
            ["unused     trainer.fine_tune_at has no effect with trainer.fine_tune: false"],
        ),
    ],
)
def test_a_key_without_effect_is_told(
    changes: dict[str, Any], lines: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    show_unused(TrainerConfig(**changes), Screen())
    assert capfd.readouterr().out.splitlines() == lines


@pytest.mark.parametrize(
    ("leakage", "lines"),
    [
        (0, []),
        (1, ["leakage    1 held-out picture looks like a training picture: /examples/leakage.csv"]),
        (3, ["leakage    3 held-out pictures look like a training picture: /examples/leakage.csv"]),
    ],
)
def test_leakage_is_told_where_there_is_any(leakage: int, lines: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert _lines(capfd, "leakage", leakage) == lines


def test_what_may_be_wrong_with_the_data_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    assert _lines(capfd, "issues") == []
    told = ["issues     3 label issues, 1 near duplicate: /issues", "issues     too much"]
    assert _lines(capfd, "issues", issues=IssueCounts(3, 0, 1, 0), issue_notes=["too much"]) == told


@pytest.mark.parametrize(
    ("fine_tuning", "diverged", "lines"),
    [
        ("off", [1], []),
        ("kept", [], ["stage 2    kept"]),
        (
            "undone",
            [1],
            [
                "stage 2    undone: it did not lower the loss on eval by more than chance, "
                "so the model is that of stage 1"
            ],
        ),
        (
            "undone",
            [2],
            ["stage 2    undone: its loss became infinite or not a number, so the model is that of stage 1"],
        ),
    ],
)
def test_what_became_of_stage_2_is_told(
    fine_tuning: str, diverged: list[int], lines: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert _lines(capfd, "stage 2", fine_tuning=fine_tuning, diverged=diverged) == lines


def test_warnings_are_told(capfd: pytest.CaptureFixture[str]) -> None:
    assert _lines(capfd, "warning") == []
    assert _lines(capfd, "warning", warnings=["one", "two"]) == ["warning    one", "warning    two"]


@pytest.mark.parametrize(
    ("inference", "lines"),
    [
        (None, []),
        (
            Inference(found=2, predicted=2, failed=0, model="/model", is_candidate=True, csv="/p.csv"),
            ["predicted  2 of 2 files: /p.csv"],
        ),
        (
            Inference(found=2, predicted=0, failed=0, model=None, is_candidate=False, csv=None),
            ["predicted  nothing: there is no blessed model"],
        ),
    ],
)
def test_predictions_are_told_where_there_are_any(
    inference: Inference | None, lines: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert _lines(capfd, "predicted", inference=inference) == lines
