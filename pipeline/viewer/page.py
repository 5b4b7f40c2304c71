"""One HTML page with TFMA's components and an evaluation's data in it; nothing is loaded from anywhere."""

import base64
import hashlib
import importlib.resources
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import markupsafe
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.slicer import slicer_lib
from tensorflow_model_analysis.view import util

from components import labels, names
from pipeline.viewer import evaluations

_HERE = Path(__file__).parent
_SUB_KEYS = {"classId": "class_id", "topK": "top_k", "k": "k"}
_Slice = tuple[tuple[str, Any], ...]


class View(NamedTuple):
    """What one of TFMA's elements shows.

    Attributes:
      title: which slices; text, not HTML.
      data: as `tensorflow_model_analysis.view.util` prepares it.
      config: goes with `data`.
    """

    title: str
    data: Any
    config: Any


class Page(NamedTuple):
    """A page and what it may do.

    Attributes:
      html: the whole page.
      policy: its Content-Security-Policy, which it also states itself: no network, no script but those in the page.
    """

    html: str
    policy: str


def make_page(evaluation: Path, slice_key: str | None = None) -> Page:
    """Makes the page of an evaluation.

    Args:
      evaluation: its folder.
      slice_key: one of `evaluations.slice_keys`; None for all of them. The whole test split is always shown.
    """
    candidate, baseline = _load(evaluation)
    specs = {
        key: slicer_lib.SingleSliceSpec(spec=spec)
        for spec in candidate.config.slicing_specs or [tfma.SlicingSpec()]
        if (key := evaluations.key_of(spec.feature_keys, spec.feature_values)) in ("", slice_key) or slice_key is None
    }
    slices = [where for spec in specs.values() for where in _slices(candidate, spec)]
    classes = _classes(candidate.model_location)
    data = {
        "slicing": [_slicing(candidate, key, spec) for key, spec in specs.items() if _slices(candidate, spec)],
        "plots": [plot for where in slices for plot in _plots(candidate, where, classes)],
        "comparisons": [_comparison(candidate, baseline, where) for where in slices] if baseline else [],
    }
    return _render(evaluation, classes, data)


# --- Data, by TFMA's own helpers ---


def _load(evaluation: Path) -> tuple[tfma.EvalResult, tfma.EvalResult | None]:
    """The candidate's results and the baseline's, if there is one."""
    models = tfma.load_eval_result(str(evaluation)).config.model_specs
    if len(models) < 2:
        return tfma.load_eval_result(str(evaluation)), None
    candidate, baseline = sorted(models, key=lambda model: model.is_baseline)
    return tuple(tfma.load_eval_result(str(evaluation), model_name=model.name) for model in (candidate, baseline))


def _slices(result: tfma.EvalResult, spec: slicer_lib.SingleSliceSpec) -> list[_Slice]:
    return [where for where, _ in result.slicing_metrics if spec.is_slice_applicable(where)]


def _slicing(result: tfma.EvalResult, key: str, spec: slicer_lib.SingleSliceSpec) -> View:
    rows = util.get_slicing_metrics(result.slicing_metrics, slicing_spec=spec)
    rows = [{**row, "slice": names.escape(row["slice"])} for row in rows]
    return View(
        f"Slices by {names.escape(key)}" if key else "All test pictures", rows, util.get_slicing_config(result.config)
    )


def _plots(result: tfma.EvalResult, where: _Slice, classes: list[str]) -> Iterator[View]:
    for at, by_output in result.plots:
        for output, by_sub_key in by_output.items() if at == where else ():
            for sub_key in by_sub_key:
                kind, _, number = sub_key.partition(":")
                chosen = {_SUB_KEYS[kind]: int(number)} if number else {}
                data, config = util.get_plot_data_and_config(result.plots, _exactly(where), output, **chosen)
                title = ", ".join(filter(None, (_title(where), names.escape(output), sub_key)))
                yield View(title, data, {**config, "sliceName": title})


def _comparison(candidate: tfma.EvalResult, baseline: tfma.EvalResult, where: _Slice) -> View:
    # TFMA would name the models by the last part of their folders' paths, which is the same for both.
    named = [baseline._replace(model_location="baseline"), candidate._replace(model_location="candidate")]
    results = tfma.make_eval_results(named, tfma.constants.MODEL_CENTRIC_MODE)
    data = util.get_time_series(results, _exactly(where), display_full_path=False)
    return View(_title(where), data, {"isModelCentric": True})


def _exactly(where: _Slice) -> slicer_lib.SingleSliceSpec:
    return slicer_lib.SingleSliceSpec(features=list(where))


def _title(where: _Slice) -> str:
    return names.escape(slicer_lib.stringify_slice_key(where))


def _classes(model: str) -> list[str]:
    """Class names by class id; none where the model is gone."""
    assets = Path(model) / labels.ASSETS
    found = labels.read_labels(str(assets)) if (assets / labels.FILE_NAME).is_file() else []
    return [names.escape(name) for name in found]


# --- HTML ---


def _render(evaluation: Path, classes: list[str], data: dict[str, list[View]]) -> Page:
    bundle = importlib.resources.files(tfma) / "static" / "vulcanized_tfma.js"
    scripts = [
        _HERE.joinpath("charts.js").read_text(),
        # In a script, what would end its element may be written so as well.
        bundle.read_text(encoding="utf-8").replace("</script", r"<\/script").replace("<!--", r"<\!--"),
        _HERE.joinpath("page.js").read_text(),
    ]
    hashes = " ".join(f"'sha256-{_sha256(script)}'" for script in scripts)
    # TFMA's elements bring their styles with them.
    policy = f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE), autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined
    )
    html = templates.get_template("page.html").render(
        policy=policy,
        css=_trusted(_HERE.joinpath("page.css").read_text()),
        directory=names.escape(str(evaluation)),
        classes=classes,
        slicing=data["slicing"],
        choices=[
            ("comparison", "Against the last blessed model", data["comparisons"]),
            ("plots", "Plots", data["plots"]),
        ],
        data=_json({**{name: [view._asdict() for view in views] for name, views in data.items()}, "classes": classes}),
        scripts=map(_trusted, scripts),
    )
    return Page(html, policy)


_trusted = markupsafe.Markup


def _json(value: Any) -> Any:
    """JSON for a script element, which no text in it can end."""
    return _trusted(json.dumps(value, allow_nan=False).replace("<", r"\u003c"))


def _sha256(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
