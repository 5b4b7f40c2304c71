"""What a page says where there is more to show than fits, and where there is nothing to show."""

import re

import numpy as np
import pytest
from markupsafe import Markup

from common.data_issues import IssueCounts
from common.examples import CLASS_NAME, FileCounts
from components.report import charts, numbers, page
from components.report.audit_section import Issues
from components.report.data_section import Files
from modeling.evaluations import Check, Slice
from modeling.features import FeaturesInfo

_NAMES = [f"class {class_id}" for class_id in range(13)]
_CHART = Markup("<svg></svg>")
_INFO = FeaturesInfo(
    backbone="VGG16",
    image_size=32,
    fine_tune_index=None,
    boundary=18,
    shapes={},
    views=1,
    pictures={},
    precision="float32",
    weights="random",
    weights_sha256="",
    identity="",
)


def _page() -> page.Page:
    """Of a first model that is right about each picture, where one class has none and stage 2 was undone."""
    truth = np.tile(np.arange(12), 2)
    probabilities = np.full((len(truth), len(_NAMES)), 0.01)
    probabilities[range(len(truth)), truth] = 0.88
    calibration = numbers.calibration(probabilities.max(axis=1), np.ones(24, bool))
    slices = [(Slice(CLASS_NAME, name, 3, 3), numbers.share(3, 3)) for name in map(str, range(45))]
    return page.Page(
        warnings=["the first <warning>", "another"],
        accuracy=numbers.share(24, 24),
        loss=0.13,
        gate=page.Gate(True, [Check("accuracy", "overall", 1.0, 0.9, True)], "", comparison=None),
        training=page.Training(_CHART, charts.LearningCurves(_CHART, _CHART), why_undone="its loss <rose>"),
        classes=page.Classes(
            names=_NAMES,
            matrix=np.diag(np.bincount(truth, minlength=len(_NAMES))),
            rows=numbers.class_rows(truth, probabilities),
            counts={name: [4, 1, 1] for name in _NAMES},
        ),
        scores=page.Scores(calibration, _CHART, _CHART, _CHART),
        slices=slices,
        pictures={"mistakes": [], "right": []},
        data=page.Data(Files(FileCounts(78, 78, 0, 0, 0, 0, 0), [], [], [], []), _CHART, _CHART, _CHART),
        issues=Issues(IssueCounts(0, 0, 0, 0), [], [], [], [], ["nobody looked"]),
        run=page.Run(_CHART, _INFO, "", {}, ""),
    )


@pytest.fixture(scope="module")
def text() -> str:
    """What a person reads, in one line."""
    html = page.render(_page())
    return re.sub(r"\s+", " ", re.sub(r"<svg.*?</svg>|<[^>]*>", " ", html, flags=re.DOTALL))


def test_it_says_what_there_is_nothing_of(text: str) -> None:
    for sentence in (
        "There is none to compare with.",
        "No test picture was wrong.",
        "No file was set aside.",
        "No picture came twice.",
        "None does.",
        "Each has others like it.",
        "No two are.",
        "None is blank",
        "Nobody looked.",
        "no pictures",  # of the class that no test picture is of
    ):
        assert sentence in text
    assert "Commonest mistakes" not in text


def test_a_run_of_an_earlier_release_has_no_audit_to_show() -> None:
    html = page.render(_page()._replace(issues=None))
    assert "What may be wrong with the data" not in html
    assert "#issues" not in html


def test_it_says_what_is_left_out(text: str) -> None:
    assert "the 8 classes with the least average precision" in text
    assert "and 5 better ones" in text
    assert "is \\ predicted" not in text, "a matrix of so many classes is a chart"


def test_of_many_classes_the_worst_are_shown_and_the_others_unfold() -> None:
    made = _page()
    rows = [row._replace(class_id=place % 13) for place, row in enumerate([*made.classes.rows] * 10)]
    html = page.render(made._replace(classes=made.classes._replace(rows=rows)))
    shown, unfolded = html.split("<summary>and 30 better ones</summary>")
    assert shown.split("Each class, the least recall first")[1].count("<tr>") == 101
    assert unfolded.split("</details>")[0].count("<tr>") == 31


def test_it_says_that_stage_2_was_undone_and_why(text: str) -> None:
    assert "Stage 2 was undone, as its loss &lt;rose&gt;: the model is that of stage 1." in text


def test_warnings_come_first(text: str) -> None:
    assert "the first &lt;warning&gt; another Gate Training" in text
