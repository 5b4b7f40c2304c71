"""The trials of a search on one page, as a plot and a table."""

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from components.report import charts, templates
from components.trainer import trials
from components.trainer.trials import Trial, Verdict


def render(found: Sequence[Trial], verdict: Verdict, configuration: str) -> str:
    """The page as HTML, without scripts; every text is escaped.

    Args:
      found: the trials, in their order.
      verdict: on them.
      configuration: the chosen one, as YAML.
    """
    environment = templates.environment("pipeline")
    environment.filters.update(values=trials.name)
    return environment.get_template("tuning.html.j2").render(
        found=sorted(found, key=lambda trial: trial.loss),
        verdict=verdict,
        p_value=trials.p_value(verdict),
        in_order=_chart(found, "trial", [trial.number for trial in found]),
        by_key=[_chart(*_by_key(found, key)) for key in _keys(found)],
        configuration=configuration,
    )


def _keys(found: Sequence[Trial]) -> list[str]:
    """Those of which more than one value was tried."""
    keys = dict.fromkeys(key for trial in found for key in trial.values if key not in ("fine_tune", "penalty"))
    return [key for key in keys if len({trial.values[key] for trial in found if key in trial.values}) > 1]


def _by_key(found: Sequence[Trial], key: str) -> tuple[list[Trial], str, list[Any]]:
    tried = [trial for trial in found if key in trial.values]
    return tried, key, [trial.values[key] for trial in tried]


def _chart(found: Sequence[Trial], label: str, places: Sequence[Any]) -> Markup:
    kinds = [trials.kind(trial) for trial in found]
    rows = zip(places, [trial.loss for trial in found], [trial.standard_error for trial in found], kinds, strict=True)
    return charts.trials([charts.TrialPoint(*row) for row in rows], label, trials.KINDS)
