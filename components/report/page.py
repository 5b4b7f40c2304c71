"""The page: one HTML file without a script, whose policy lets a browser load nothing but what is in it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from common.examples import BRIGHTNESS_RANGE, CLASS_NAME, SIZE_RANGE
from components.report import charts, templates
from components.report.audit_section import Issues
from components.report.data_section import Counts, Files
from components.report.gallery import Frame
from components.report.numbers import Calibration, ClassRow, Comparison, Ints, Share
from modeling.evaluations import Check, Slice
from modeling.features import FeaturesInfo

MAX_CURVES = 8  # classes; of more, those with the least average precision have a curve of precision and recall
_MAX_MATRIX = 12  # classes; a larger confusion matrix is a picture
_MAX_CONFUSIONS = 20
_MAX_ROWS = 100  # classes that are shown at once; the others unfold
_METRICS = {
    "accuracy_change": "accuracy, change since the last blessed model",
    "balanced_accuracy": "balanced accuracy, the mean over the classes",
    "class_accuracy": "accuracy of the worst class",
    "served": "answers as in TensorFlow Serving",
}
_SLICES = {CLASS_NAME: "class", SIZE_RANGE: "shorter side", BRIGHTNESS_RANGE: "brightness"}


class Gate(NamedTuple):
    """The verdict.

    Attributes:
      blessed: whether the gate let the model pass.
      checks: each threshold, with what was measured.
      baseline_note: why the last blessed model was not compared with; empty where it was or there is none.
      comparison: with the last blessed model; None where it was not compared with.
    """

    blessed: bool
    checks: Sequence[Check]
    baseline_note: str
    comparison: Comparison | None


class Training(NamedTuple):
    """How training went.

    Attributes:
      penalties: loss by the penalty of stage 1; None where it trained for some epochs.
      curves: of each epoch; None where no stage has any.
      why_undone: why stage 2 was undone, a part of a sentence; empty where it was not.
    """

    penalties: Markup | None
    curves: charts.LearningCurves | None
    why_undone: str


class Classes(NamedTuple):
    """What became of each class on the test split.

    Attributes:
      names: by class id.
      matrix: int64 [classes, classes], pictures by true class (rows) and predicted class (columns).
      rows: in the order to show them.
      counts: pictures of each split by class name.
    """

    names: Sequence[str]
    matrix: Ints
    rows: Sequence[ClassRow]
    counts: Counts


class Scores(NamedTuple):
    """How far scores can be trusted.

    Attributes:
      calibration: over the scores of the predicted classes.
      reliability: chart of it.
      distribution: chart of these scores, right and wrong ones.
      precision_recall: chart, of at most MAX_CURVES classes.
    """

    calibration: Calibration
    reliability: Markup
    distribution: Markup
    precision_recall: Markup


class Data(NamedTuple):
    """What the data hold.

    Attributes:
      files: what became of them.
      by_class: chart of the pictures of each split by class.
      by_size: the same by the range of their shorter side.
      by_brightness: the same by the range of their brightness.
    """

    files: Files
    by_class: Markup
    by_size: Markup
    by_brightness: Markup


class Run(NamedTuple):
    """What the model is made from.

    Attributes:
      seconds: chart of the time that each step took.
      info: of the features, the backbone and its weights.
      fingerprint: of the data, hexadecimal.
      versions: of Python and the libraries, by name.
      configuration: as YAML.
    """

    seconds: Markup
    info: FeaturesInfo
    fingerprint: str
    versions: Mapping[str, str]
    configuration: str


class Page(NamedTuple):
    """All that `report.html.j2` shows: the figures at the top, and a field a section.

    Attributes:
      warnings: what to be wary of, a line each.
      accuracy: on the test split.
      loss: the same, 0 or more.
      gate: the verdict.
      training: how it went.
      classes: each on the test split.
      scores: of the predictions.
      slices: of the test split with their accuracies, in the order to show them.
      pictures: of the test split, by the walls of `gallery`; the two of a comparison only where there is one.
      data: what there is.
      issues: what may be wrong with it; None where nobody looked.
      run: how to come to the same again.
    """

    warnings: Sequence[str]
    accuracy: Share
    loss: float
    gate: Gate
    training: Training
    classes: Classes
    scores: Scores
    slices: Sequence[tuple[Slice, Share]]
    pictures: Mapping[str, Sequence[Frame]]
    data: Data
    issues: Issues | None
    run: Run


def render(page: Page) -> str:
    """The page as HTML.

    Every text is escaped, both as HTML and as `common.escaping` does for what cannot be shown.
    """
    environment = templates.environment("components.report")
    environment.globals.update(
        heat=_heat,
        confusions=_confusions,
        heat_map=charts.heat_map,
        max_curves=MAX_CURVES,
        max_matrix=_MAX_MATRIX,
        max_rows=_MAX_ROWS,
        metric_names=_METRICS,
        slice_names=_SLICES,
    )
    return environment.get_template("report.html.j2").render(page._asdict())


def _heat(count: int, row: npt.NDArray[np.int64]) -> int:
    """How strongly a cell of the confusion matrix is coloured: its share of the row, in percent."""
    return round(100 * count / max(1, row.sum()))


def _confusions(matrix: npt.NDArray[np.int64]) -> list[tuple[int, int, int]]:
    """True class id, predicted class id and count of the commonest mistakes."""
    wrong = matrix - np.diag(np.diag(matrix))
    found = [(int(a), int(b), int(wrong[a, b])) for a, b in np.argwhere(wrong)]
    return sorted(found, key=lambda one: -one[2])[:_MAX_CONFUSIONS]
