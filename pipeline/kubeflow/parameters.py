"""The settings as parameters of a Kubeflow pipeline, which shows them, lets a person edit them, and hands them back.

`trainer.epochs` is the parameter `trainer_epochs`, of the type that the setting has. Kubeflow has no type for a
setting that may be null or holds names: such a parameter is a text, read as YAML, or as it is where the setting is a
text itself.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from common.errors import UserError
from pipeline import config as configuration

# Kubeflow's own id of the run is handed to each step beside the settings.
RUN_ID = "run_id"
# On Kubeflow, the pipeline root takes its place.
_OUTPUT = "output"
# What can name code, and is therefore decided when the pipeline is compiled.
_BEAM = "beam."


class Parameter(NamedTuple):
    """One parameter.

    Attributes:
      name: such as "trainer_epochs".
      key: the setting, such as "trainer.epochs".
      type: bool, int, float or str.
      default: of that type.
    """

    name: str
    key: str
    type: type
    default: Any


def of_config(config: configuration.Config) -> list[Parameter]:
    """Every setting, with its value in a configuration as the default."""
    found = []
    for key in configuration.leaf_keys():
        if key.name == _OUTPUT or key.name.startswith(_BEAM):
            continue
        value = configuration.get(config, key.name)
        default = configuration.to_text(value) if key.type is None or value is None else value
        found.append(Parameter(key.name.replace(".", "_"), key.name, key.type or str, default))
    return found


def check_overrides(overrides: Sequence[str]) -> None:
    """Tells of a setting that a run on Kubeflow does not have.

    Args:
      overrides: texts such as "trainer.dropout=0.2".

    Raises:
      UserError: one of them is of the output folder.
    """
    if any(text.partition("=")[0].strip() == _OUTPUT for text in overrides):
        raise UserError(f"--set: {_OUTPUT}: on Kubeflow there is none; `compile` has --pipeline-root and --serving")


def fixed(config: configuration.Config, step: str) -> list[str]:
    """The settings that a step has from the compiled pipeline, as texts such as "beam.runner=flink"."""
    if step not in config.beam.steps:
        return []
    keys = [key.name for key in configuration.leaf_keys() if key.name.startswith(_BEAM)]
    default = configuration.Config()
    return [
        f"{key}={configuration.to_text(value)}"
        for key in keys
        if (value := configuration.get(config, key)) != configuration.get(default, key)
    ]


def to_config(values: Mapping[str, Any], overrides: Sequence[str] = ()) -> configuration.Config:
    """The configuration that a run's parameters make.

    Args:
      values: by the name of the parameter; JSON values, in which every number may be a float.
      overrides: what `fixed` gave.

    Raises:
      UserError: a parameter is unknown, missing, or has a value that is not allowed.
    """
    known = {parameter.name: parameter for parameter in of_config(configuration.Config())}
    if unlike := sorted(known.keys() ^ values.keys()):
        raise UserError(
            f"parameter {unlike[0]!r}: {'missing' if unlike[0] in known else 'unknown'}; "
            f"the pipeline was compiled from other code than this image holds: compile it and build the image again"
        )
    typed = {known[name].key: _typed(value, known[name].type) for name, value in values.items()}
    return configuration.of_values(typed, overrides)


def to_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that the parameters of a compiled pipeline stand for.

    Args:
      values: by the name of the parameter, as in the compiled file.

    Returns:
      Values by key, as `configuration.of_values` takes them; those that this code knows.
    """
    known = of_config(configuration.Config())
    return {one.key: _typed(values[one.name], one.type) for one in known if one.name in values}


def changes(defaults: Mapping[str, Any], config: configuration.Config) -> dict[str, Any]:
    """The parameters of a run in which it differs from its pipeline's defaults, by name.

    Args:
      defaults: as `to_settings` returns them.
      config: the settings of the run.

    Raises:
      UserError: a setting that differs is no parameter of the pipeline, or would need another step.
    """
    before = configuration.of_values(defaults, elsewhere=True)
    if (before.infer is None) != (config.infer is None):
        raise UserError("infer: whether a step predicts is decided by `compile`, expected --set infer=... there")
    names = [key.name for key in configuration.leaf_keys()]
    changed = [name for name in names if configuration.get(config, name) != configuration.get(before, name)]
    for name in changed:
        if name.startswith(_BEAM):
            raise UserError(f"{name}: where a step runs is decided by `compile`, expected --set {name}=... there")
        if name not in defaults:
            raise UserError(
                f"{name}: no parameter of the compiled pipeline, whose runs can differ in {', '.join(defaults)}"
            )
    return {one.name: one.default for one in of_config(config) if one.key in changed}


def _typed(value: Any, kind: type) -> Any:
    return int(value) if kind is int and isinstance(value, float) and value.is_integer() else value
