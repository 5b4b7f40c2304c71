"""The page: one HTML file without a script, whose policy lets a browser load nothing but what is in it."""

import math
from typing import Any

import jinja2
import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from common import escaping
from common.examples import BRIGHTNESS_RANGE, CLASS_NAME, SIZE_RANGE
from components.report import charts
from components.report.numbers import Share

_MAX_MATRIX = 12  # classes; a larger confusion matrix is a picture
_MAX_CONFUSIONS = 10
_METRICS = {
    "accuracy_change": "accuracy, change since the last blessed model",
    "served": "answers as in TensorFlow Serving",
}
_SLICES = {CLASS_NAME: "class", SIZE_RANGE: "shorter side", BRIGHTNESS_RANGE: "brightness"}


def render(**facts: Any) -> str:
    """The page as HTML.

    Every text is escaped, both as HTML and as `common.escaping` does for what cannot be shown.

    Args:
      **facts: what `report.html.j2` names.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("components.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(name=escaping.escape, percent=_percent, points=_points, interval=_interval, p=_p_value)
    environment.globals.update(
        heat=_heat,
        confusions=_confusions,
        heat_map=charts.heat_map,
        max_matrix=_MAX_MATRIX,
        metric_names=_METRICS,
        slice_names=_SLICES,
    )
    return environment.get_template("report.html.j2").render(facts)


def _percent(value: float) -> str:
    return "\N{EN DASH}" if math.isnan(value) else f"{100 * value:.1f}%"


def _points(value: float) -> str:
    """A difference of shares, in percentage points, with its sign."""
    return f"{100 * value:+.1f}".replace("-", "\N{MINUS SIGN}") + " points"


def _interval(found: Share) -> Markup:
    """A share, its interval as text and as a bar, and what it is of."""
    if not found.whole:
        return Markup('<span class="faint">no pictures</span>')
    return Markup(
        '<span class="share"><b>{}</b> <span class="faint">{}\N{EN DASH}{}% of {}</span>'
        '<span class="track"><span class="range" style="left:{:.2f}%;width:{:.2f}%"></span>'
        '<span class="dot" style="left:{:.2f}%"></span></span></span>'
    ).format(
        _percent(found.value),
        f"{100 * found.low:.1f}",
        f"{100 * found.high:.1f}",
        found.whole,
        100 * found.low,
        100 * (found.high - found.low),
        100 * found.value,
    )


def _p_value(value: float) -> str:
    return "below 0.001" if value < 0.001 else f"{value:.3f}"


def _heat(count: int, row: npt.NDArray[np.int64]) -> int:
    """How strongly a cell of the confusion matrix is coloured: its share of the row, in percent."""
    return round(100 * count / max(1, row.sum()))


def _confusions(matrix: npt.NDArray[np.int64]) -> list[tuple[int, int, int]]:
    """True class id, predicted class id and count of the commonest mistakes."""
    wrong = matrix - np.diag(np.diag(matrix))
    found = [(int(a), int(b), int(wrong[a, b])) for a, b in np.argwhere(wrong)]
    return sorted(found, key=lambda one: -one[2])[:_MAX_CONFUSIONS]
