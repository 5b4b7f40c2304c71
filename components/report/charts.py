"""The report's charts: SVG that takes the page's colours, light or dark, and whose text is text."""

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, PercentFormatter

from components.report.numbers import Bools, Calibration, Curve, Floats, Ints
from modeling.training_results import Trial

# Stand-ins for colours that the page decides; matplotlib knows no variables.
_THEME = {"#010203": "var(--ink)", "#040506": "var(--faint)", "#070809": "var(--line)"}
_INK, _FAINT, _LINE = _THEME
# Okabe and Ito's palette, which colour-blind people can tell apart, in shades that show on white and on black.
_COLOURS = ("#3a86d8", "#e07b00", "#0a9c74", "#c2569b", "#b3931a", "#7a7f87")
_RIGHT, _WRONG = _COLOURS[:2]
_MAX_NAME = 16  # characters
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "report",
    "text.parse_math": False,
    "font.size": 10,
    "text.color": _INK,
    "axes.edgecolor": _LINE,
    "axes.labelcolor": _FAINT,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _LINE,
    "grid.linewidth": 0.6,
    "xtick.color": _FAINT,
    "ytick.color": _FAINT,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}


class Epoch(NamedTuple):
    """A row of history.csv; losses 0 or more, accuracies 0 to 1. Epoch 0 is a stage that has no epochs."""

    stage: int
    epoch: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float


class Bars(NamedTuple):
    """Stacked bars: a name and so many values a bar, and a name a value."""

    names: list[str]
    values: list[list[float]]
    parts: list[str]


class TrialPoint(NamedTuple):
    """A trial of a search: where it stands on the horizontal axis, its loss with its standard error, and its kind."""

    place: Any
    loss: float
    error: float
    kind: str


class LearningCurves(NamedTuple):
    """Charts of both stages' epochs, each of the train and eval splits."""

    loss: Markup
    accuracy: Markup


def penalties(trials: Sequence[Trial]) -> Markup:
    """Loss of the train and eval splits by the penalty of stage 1, on a log scale, the chosen penalty marked."""
    with _figure("Loss by penalty") as (axes, done):
        tried = [trial.penalty for trial in trials]
        for key, name, colour in (("loss", "train", _COLOURS[0]), ("val_loss", "eval", _COLOURS[1])):
            axes.plot(tried, [getattr(one, key) for one in trials], marker="o", markersize=4, color=colour, label=name)
        (chosen,) = (trial.penalty for trial in trials if trial.chosen)
        axes.axvline(chosen, color=_FAINT, linewidth=1, linestyle="--", label="chosen")
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")  # matplotlib's own for such a scale writes TeX
        axes.set_xlabel("L2 penalty (log scale)")
        _legend_above(axes)
        return done()


def learning_curves(history: Sequence[Epoch]) -> LearningCurves | None:
    """Draws them; None where no stage has epochs."""
    if not any(row.epoch for row in history):
        return None
    return LearningCurves(
        loss=_curves(history, "loss", "val_loss"), accuracy=_curves(history, "accuracy", "val_accuracy")
    )


def _curves(history: Sequence[Epoch], train: str, held_out: str) -> Markup:
    with _figure(train.capitalize()) as (axes, done):
        # A first stage without epochs is the point that the second starts from.
        first = min(1, history[0].epoch)
        epochs = np.arange(first, first + len(history))
        for key, name, colour in ((train, "train", _COLOURS[0]), (held_out, "eval", _COLOURS[1])):
            values = [getattr(row, key) for row in history]
            axes.plot(epochs, values, marker="o", markersize=4, color=colour, label=name)
        stage_1 = sum(row.stage == 1 for row in history)
        if 0 < stage_1 < len(history):
            border = first + stage_1 - 0.5
            axes.axvline(border, color=_FAINT, linewidth=1, linestyle="--")
            axes.annotate(
                "stage 2", (border, 1), (4, 2), xycoords=("data", "axes fraction"),
                textcoords="offset points", fontsize=9, color=_FAINT,
            )  # fmt: skip
        axes.set_xlim(first - 0.5, first + len(history) - 0.5)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        if train == "accuracy":
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=None))
        _legend_above(axes)
        return done()


def reliability(found: Calibration) -> Markup:
    """Accuracy against score, a point a bin, its size by the bin's pictures; on the diagonal scores are right."""
    with _figure("Reliability") as (axes, done):
        axes.plot([0, 1], [0, 1], color=_FAINT, linewidth=1, linestyle="--", label="scores that are right")
        axes.plot(found.scores, found.accuracies, color=_COLOURS[0], linewidth=1)
        sizes = 20 + 180 * found.counts / found.counts.max()
        axes.scatter(
            found.scores, found.accuracies, sizes, color=_COLOURS[0], alpha=0.75, clip_on=False, label="this model"
        )
        _shares(axes, "score of the predicted class", "share that is right")
        return done()


def scores(values: Floats, is_right: Bools) -> Markup:
    """How scores of the predicted class are distributed, right and wrong ones; the counts on a log scale."""
    with _figure("Scores") as (axes, done):
        edges = np.linspace(0, 1, 21)
        axes.hist(
            [values[is_right].tolist(), values[~is_right].tolist()],
            [float(edge) for edge in edges],
            stacked=True,
            color=[_RIGHT, _WRONG],
            label=["right", "wrong"],
        )
        axes.set_yscale("symlog", linthresh=1)
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter("{x:.0f}")
        axes.set_xlim(0, 1)
        axes.set_xlabel("score of the predicted class")
        axes.set_ylabel("pictures (log scale)")
        _legend_above(axes)
        return done()


def precision_recall(curves: Sequence[Curve], names: Sequence[str]) -> Markup:
    """A line a class."""
    with _figure("Precision and recall") as (axes, done):
        for place, curve in enumerate(curves):
            axes.plot(
                curve.recall,
                curve.precision,
                color=_COLOURS[place % len(_COLOURS)],
                linestyle=("-", "--", ":")[place // len(_COLOURS) % 3],
                label=_short(names[curve.class_id]),
            )
        _shares(axes, "recall", "precision")
        return done()


def bars(found: Bars, title: str, unit: str) -> Markup:
    """Horizontal stacked bars, from top to bottom in the order given."""
    rows = len(found.names)
    with _figure(title, height=0.9 + 0.26 * rows) as (axes, done):
        values = np.array(found.values, float).reshape(rows, len(found.parts))
        left = np.zeros(rows)
        for place, part in enumerate(found.parts):
            axes.barh(range(rows), values[:, place], left=left, height=0.7, color=_COLOURS[place], label=part)
            left += values[:, place]
        axes.set_yticks(range(rows), [_short(name) for name in found.names])
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(unit)
        axes.margins(y=0.02)
        if len(found.parts) > 1:
            _legend_above(axes)
        return done()


def heat_map(matrix: Ints) -> Markup:
    """A confusion matrix that is too large for a table: share of each true class (row) by predicted class."""
    with _figure("Confusion matrix", height=4.4) as (axes, done):
        shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        axes.imshow(shares, cmap="viridis", vmin=0, vmax=1, interpolation="nearest")
        axes.grid(visible=False)
        axes.set_xlabel("predicted class id")
        axes.set_ylabel("true class id")
        return done()


def trials(points: Sequence[TrialPoint], label: str, kinds: Sequence[str]) -> Markup:
    """Losses with their standard errors, by whatever the label names; places in ascending order, evenly spaced.

    A kind has the same colour in each chart of the same kinds.
    """
    places = sorted({point.place for point in points})
    with _figure(f"Loss on eval by {label}") as (axes, done):
        for kind, colour in zip(kinds, _COLOURS, strict=False):
            of_kind = [point for point in points if point.kind == kind]
            if not of_kind:
                continue
            axes.errorbar(
                [places.index(point.place) for point in of_kind],
                [point.loss for point in of_kind],
                [point.error for point in of_kind],
                fmt="o", markersize=4, linewidth=1, alpha=0.85, color=colour, label=kind,
            )  # fmt: skip
        axes.set_yscale("log")
        losses = [point.loss for point in points]
        is_wide = max(losses) > 10 * min(losses)
        axes.yaxis.set_major_locator(LogLocator(subs=(1,) if is_wide else (1, 1.5, 2, 3, 4, 5, 6, 8)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
        if len(places) <= 10:
            axes.set_xticks(
                range(len(places)), [f"{place:g}" if isinstance(place, float) else str(place) for place in places]
            )
        axes.set_xlabel(label)
        axes.set_ylabel("loss on eval (log scale)")
        _legend_above(axes)
        return done()


def _shares(axes: Axes, horizontal: str, vertical: str) -> None:
    """Both axes run from 0 to 1, with room for what lies on their ends."""
    axes.set_xlim(0, 1.04)
    axes.set_ylim(0, 1.04)
    axes.set_xlabel(horizontal)
    axes.set_ylabel(vertical)
    _legend_above(axes)


def _legend_above(axes: Axes) -> None:
    """Where no data can be under it."""
    names = axes.get_legend_handles_labels()[1]
    columns = min(len(names), 3 if max(map(len, names)) <= 10 else 2)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.02), ncols=columns, borderaxespad=0, handlelength=1.4)


def _short(name: str) -> str:
    return name if len(name) <= _MAX_NAME else f"{name[: _MAX_NAME - 1]}\N{HORIZONTAL ELLIPSIS}"


@contextmanager
def _figure(title: str, height: float = 3.0) -> Iterator[tuple[Axes, Any]]:
    """Axes to draw on, and what makes SVG of them."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(4.6, height), layout="constrained")

        def done() -> Markup:
            svg = io.StringIO()
            figure.savefig(svg, format="svg", metadata={"Date": None})
            return _themed(svg.getvalue(), title)

        yield figure.add_subplot(), done


def _themed(svg: str, title: str) -> Markup:
    """An SVG file as a part of a page."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'^<svg [^>]*?viewBox="([^"]*)"[^>]*>', rf'<svg viewBox="\1" role="img" aria-label="{title}">', svg)
    # Each of matplotlib's files counts its parts from 1; titles tell the charts of a page apart.
    own = re.sub(r"\W+", "-", title.lower())
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{own}-", svg)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    for stand_in, variable in _THEME.items():
        svg = svg.replace(stand_in, variable)
    return Markup(svg)
