"""What the project's pages have in common: how a template is filled, and how numbers and names are written.

A template includes "report.css" for the look.
"""

import math

import jinja2
from markupsafe import Markup

from common import escaping
from components.report.numbers import Share

_HERE = "components.report"


def environment(package: str) -> jinja2.Environment:
    """Where templates come from, and the filters `name`, `percent`, `points`, `interval` and `p`.

    Every text is escaped as HTML; one that went through `name` also as `common.escaping` does for what cannot be shown.

    Args:
      package: dotted name of the package with the templates.
    """
    packages = dict.fromkeys([package, _HERE])
    made = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(one, ".") for one in packages]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(name=escaping.escape, percent=_percent, points=_points, interval=_interval, p=_p_value)
    return made


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
