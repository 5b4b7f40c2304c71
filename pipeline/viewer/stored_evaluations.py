"""Which evaluations an output folder holds, by its metadata store, which is only read."""

import datetime
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from common import escaping, folders
from common.errors import UserError
from pipeline.engine.faults import METADATA_FILE, FaultError, raise_if_known

_CONFIG = "eval_config.json"


class Evaluation(NamedTuple):
    """A finished evaluation.

    Attributes:
      directory: what TFMA wrote.
      finished: when, in local time.
      blessed: whether the gate let the model pass.
    """

    directory: Path
    finished: datetime.datetime
    blessed: bool


def latest(output: Path) -> Evaluation:
    """The evaluation of the latest run that has come as far; a run may have taken it from the cache.

    Args:
      output: a run's output folder.

    Raises:
      UserError: there is none.
      FaultError: the metadata store cannot be read.
    """
    found = _find(output)
    evaluation = found[max(found)]
    _check(evaluation.directory)
    return evaluation


def history(output: Path) -> list[Evaluation]:
    """All evaluations, in the order in which they were made; what was cleared away since is left out.

    Args:
      output: as for `latest`, like the errors.
    """
    made = sorted(dict.fromkeys(_find(output).values()), key=lambda one: one.finished)
    return [one for one in made if (one.directory / _CONFIG).is_file()]


def slice_keys(evaluation: Path) -> list[str]:
    """The keys by which an evaluation slices, each as `key_of` writes it.

    Args:
      evaluation: its folder.

    Raises:
      FaultError: it is damaged.
    """
    specs = _config(evaluation).get("slicingSpecs", [])
    return [key for spec in specs if (key := key_of(spec.get("featureKeys", ()), spec.get("featureValues", {})))]


def model_names(evaluation: Path) -> tuple[str, str | None]:
    """The candidate's name in an evaluation and the baseline's, if there is one.

    Args:
      evaluation: its folder.
    """
    by_role = {bool(spec.get("isBaseline")): spec.get("name", "") for spec in _config(evaluation)["modelSpecs"]}
    return by_role[False], by_role.get(True)


def key_of(feature_keys: Iterable[str], feature_values: Mapping[str, str]) -> str:
    """A slicing spec in a word, such as "class_name"; empty for the whole test split.

    Args:
      feature_keys: features of which each value makes a slice.
      feature_values: features of which one value alone counts.
    """
    return ",".join([*feature_keys, *(f"{key}={value}" for key, value in sorted(feature_values.items()))])


def check_slice_key(evaluation: Path, key: str) -> None:
    """Raises a UserError that names the allowed keys where this is none of them."""
    allowed = slice_keys(evaluation)
    if key not in allowed:
        expected = ", ".join(map(escaping.escape, allowed)) or "none: it has no slices"
        raise UserError(
            f"--slice: the evaluation has no slices by '{escaping.escape(key)}'; expected one of: {expected}"
        )


def _config(evaluation: Path) -> dict[str, Any]:
    """TFMA's EvalConfig as JSON: its own reader takes ten seconds to import, and unpickles older formats."""
    try:
        config: dict[str, Any] = json.loads((evaluation / _CONFIG).read_bytes())["evalConfig"]
    except (OSError, ValueError, KeyError) as error:
        raise FaultError(f"the evaluation {str(evaluation)!r} cannot be read ({_CONFIG}: {error})") from error
    return config


def _find(output: Path) -> dict[int, Evaluation]:
    """Evaluations by the id of each execution that gave them, of which there is at least one."""
    store_file = output / METADATA_FILE
    if not store_file.is_file():
        raise UserError(
            f"--output: {str(output)!r} holds no run (no {METADATA_FILE}); expected the output folder of local_run"
        )
    try:
        found = _read(output)
    except Exception as error:
        raise_if_known(error, output)
        raise UserError(f"the metadata store {str(store_file)!r} cannot be read ({error})") from error
    if not found:
        raise UserError(f"--output: no run in {str(output)!r} has evaluated a model yet; let local_run finish there")
    return found


def _read(output: Path) -> dict[int, Evaluation]:
    from common import lineage

    runs = lineage.open_for_reading(output / METADATA_FILE, output / "pipeline")
    found: dict[int, Evaluation] = {}
    made: dict[int, int] = {}  # evaluation -> when; a run that takes it from the cache does not make it anew
    for execution in runs.executions("Evaluator"):
        if execution.last_known_state in lineage.SUCCEEDED:
            outputs = runs.outputs(execution.id)
            (evaluation,), (blessing,) = outputs["evaluation"], outputs["blessing"]
            milliseconds = made.setdefault(evaluation.id, execution.last_update_time_since_epoch)
            found[execution.id] = Evaluation(
                Path(evaluation.uri),
                datetime.datetime.fromtimestamp(milliseconds / 1000),
                blessing.custom_properties["blessed"].int_value == 1,
            )
    return found


def _check(directory: Path) -> None:
    folders.check_no_pattern("--output", str(directory))
    if not (directory / _CONFIG).is_file():
        raise UserError(
            f"the latest evaluation is gone from {str(directory)!r}; the next run of local_run writes it again"
        )
