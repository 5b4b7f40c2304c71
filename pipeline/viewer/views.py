"""What TFMA's components show of an evaluation, prepared by TFMA's own helpers."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow_model_analysis as tfma
from tensorflow_model_analysis import constants
from tensorflow_model_analysis.slicer import slicer_lib
from tensorflow_model_analysis.view import util

from common import escaping, labels
from pipeline.engine.faults import FaultError
from pipeline.viewer import stored_evaluations

_SUB_KEYS = {"classId": "class_id", "topK": "top_k", "k": "k"}
_Slice = tuple[tuple[str, Any], ...]


class View(NamedTuple):
    """What one component shows. Names in it are escaped as `common.escaping` does; they are text, not HTML.

    Attributes:
      title: which slices.
      data: as the component takes it, like `config`.
      config: goes with `data`.
    """

    title: str
    data: Any
    config: dict[str, Any]


class Views(NamedTuple):
    """All that is shown of an evaluation.

    Attributes:
      classes: class names by class id, escaped; none where the model is gone.
      slicing: metrics, a view a slicing spec, for tfma-nb-slicing-metrics.
      comparisons: candidate and baseline, one view per slice, for tfma-nb-time-series; none without a baseline.
      plots: such as the confusion matrix, one view per slice and plot, for tfma-nb-plot.
    """

    classes: list[str]
    slicing: list[View]
    comparisons: list[View]
    plots: list[View]


def make_views(evaluation: Path, slice_key: str | None = None) -> Views:
    """Prepares an evaluation.

    Args:
      evaluation: its folder.
      slice_key: one of `evaluations.slice_keys`; None for all of them. The whole test split always takes part.

    Raises:
      FaultError: it holds no metrics.
    """
    candidate, baseline = load(evaluation)
    if not candidate.slicing_metrics:  # TFMA takes a damaged file for an empty one
        raise FaultError(f"the evaluation {str(evaluation)!r} cannot be read (no metrics in it)")
    by_key = {
        stored_evaluations.key_of(spec.feature_keys, spec.feature_values): slicer_lib.SingleSliceSpec(spec=spec)
        for spec in candidate.config.slicing_specs
    }
    specs = [(key, spec) for key, spec in by_key.items() if slice_key is None or key in ("", slice_key)]
    found = [(key, spec, _slices(candidate, spec)) for key, spec in specs]
    slices = [where for _, _, matching in found for where in matching]
    return Views(
        classes=_classes(candidate),
        slicing=[_slicing(candidate, key, spec) for key, spec, matching in found if matching],
        comparisons=[_comparison(candidate, baseline, where) for where in slices] if baseline else [],
        plots=[plot for where in slices for plot in _plots(candidate, where)],
    )


def load(evaluation: Path) -> tuple[tfma.EvalResult, tfma.EvalResult | None]:
    """Loads the candidate's results and, if there is one, the baseline's, from an evaluation's folder."""
    candidate, baseline = stored_evaluations.model_names(evaluation)
    if baseline is None:
        return tfma.load_eval_result(str(evaluation)), None  # TFMA drops a model's name where there is only one
    return tuple(tfma.load_eval_result(str(evaluation), model_name=name) for name in (candidate, baseline))


def title(where: _Slice) -> str:
    """A slice's name as TFMA writes it, escaped."""
    return escaping.escape(slicer_lib.stringify_slice_key(where))


def _classes(result: tfma.EvalResult) -> list[str]:
    assets = Path(result.model_location) / labels.ASSETS
    found = labels.read_labels(str(assets)) if (assets / labels.FILE_NAME).is_file() else []
    return [escaping.escape(name) for name in found]


def _slices(result: tfma.EvalResult, spec: slicer_lib.SingleSliceSpec) -> list[_Slice]:
    return [where for where, _ in result.slicing_metrics if spec.is_slice_applicable(where)]


def _slicing(result: tfma.EvalResult, key: str, spec: slicer_lib.SingleSliceSpec) -> View:
    rows = util.get_slicing_metrics(result.slicing_metrics, slicing_spec=spec)
    return View(
        title=f"Slices by {escaping.escape(key)}" if key else "All test pictures",
        data=[{**row, "slice": escaping.escape(row["slice"])} for row in rows],
        config=util.get_slicing_config(result.config),
    )


def _comparison(candidate: tfma.EvalResult, baseline: tfma.EvalResult, where: _Slice) -> View:
    # TFMA would show the last part of each model's path, which is the same for both.
    named = [
        result._replace(model_location=name, data_location="test")
        for name, result in (("candidate", candidate), ("last blessed", baseline))
    ]
    results = tfma.make_eval_results(named, constants.MODEL_CENTRIC_MODE)
    data = util.get_time_series(results, _exactly(where), display_full_path=False)
    return View(title(where), data, {"isModelCentric": True})


def _plots(result: tfma.EvalResult, where: _Slice) -> Iterator[View]:
    found = [by_output for at, by_output in result.plots if at == where]
    for output, sub_key in ((name, sub_key) for one in found for name in one for sub_key in one[name]):
        kind, _, number = sub_key.partition(":")
        chosen = {_SUB_KEYS[kind]: int(number)} if number else {}
        with contextlib.suppress(ValueError):  # a plot that TFMA computes and does not show
            data, config = util.get_plot_data_and_config(result.plots, _exactly(where), output, **chosen)
            name = ", ".join(filter(None, (title(where), escaping.escape(output), sub_key)))
            yield View(name, data, {**config, "sliceName": name})


def _exactly(where: _Slice) -> slicer_lib.SingleSliceSpec:
    return slicer_lib.SingleSliceSpec(features=list(where))
