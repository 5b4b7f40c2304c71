"""The typed configuration: YAML and command-line overrides in, one frozen `Config` or one-line errors out.

Imports nothing heavy: a mistake in a configuration is told before TensorFlow is loaded.
"""

import difflib
import functools
import os
import re
import reprlib
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, NoReturn

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from common.errors import UserError
from modeling.backbone_names import BACKBONES

DEFAULT_FILE = Path(__file__).resolve().parent.parent / "configs" / "default.yaml"

_MAX_BYTES = 100_000  # a file beyond this is no configuration
_MAX_LINES = 20  # of an error
_MAX_HELD_OUT = 0.6  # of the pictures; the rest must be enough to train on
_WEIGHTS_SUFFIXES = (".weights.h5", ".keras")
_ACROSS_KEYS = "across_keys"  # type of an error that says itself what is allowed


def _known_backbone(value: str) -> str:
    if value not in BACKBONES:
        raise ValueError("no backbone")
    return value


def _existing_weights(value: str, info: ValidationInfo) -> str:
    if value in ("imagenet", "random"):
        return value
    path = _expanded(value, info)
    if not (path.endswith(_WEIGHTS_SUFFIXES) and (_is_for_elsewhere(info) or os.path.isfile(path))):
        raise ValueError("no weights")
    return path


def _expanded(path: str, info: ValidationInfo) -> str:
    return path if _is_for_elsewhere(info) else os.path.expanduser(path)


def _is_for_elsewhere(info: ValidationInfo) -> bool:
    return bool(info.context)


# An error says what is allowed from the limits given here; a description takes their place where they cannot.
Folder = Annotated[str, Field(pattern=r"^[^\x00]+$", description="a folder's path"), AfterValidator(_expanded)]
BackboneName = Annotated[str, Field(description=f"one of {', '.join(BACKBONES)}"), AfterValidator(_known_backbone)]
Weights = Annotated[
    str,
    Field(description=f"imagenet, random, or an existing file ending in {' or '.join(_WEIGHTS_SUFFIXES)}"),
    AfterValidator(_existing_weights),
]
Proportion = Annotated[float, Field(ge=0, le=1)]
HeldOutFraction = Annotated[float, Field(gt=0, lt=0.5)]
Epochs = Annotated[int, Field(ge=1, le=1000)]
BatchSize = Annotated[int, Field(ge=1, le=1024)]
LearningRate = Annotated[float, Field(gt=0, le=1)]


def _across_keys(message: str, *key: str) -> PydanticCustomError:
    """What a check of several keys raises, with the path from there to the one that is wrong."""
    return PydanticCustomError(_ACROSS_KEYS, "{message}", {"message": message, "key": key})


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _empty_means_defaults(cls, value: Any) -> Any:
        # In YAML a section whose keys are all commented out is null.
        return {} if value is None else value


class BackboneConfig(_Section):
    """The pretrained network.

    Attributes:
      name: a class of `keras.applications`.
      weights: "imagenet", "random", or the path of a weights file.
      image_size: side in pixels of the square that each picture is resized to.
    """

    name: BackboneName = "VGG16"
    weights: Weights = "imagenet"
    image_size: Annotated[int, Field(ge=32, le=1024)] = 224


class IngestConfig(_Section):
    """How files become examples.

    Attributes:
      eval_fraction: part of the training pictures held out for evaluation where no eval folder exists.
      test_fraction: part of the training pictures held out for testing where no test folder exists.
      max_quarantined_fraction: largest part of the files that may be unusable before the run stops.
      max_pixels: a picture with more (height times width) is quarantined.
    """

    eval_fraction: HeldOutFraction = 0.15
    test_fraction: HeldOutFraction = 0.15
    max_quarantined_fraction: Proportion = 0.05
    max_pixels: Annotated[int, Field(ge=1024)] = 50_000_000

    @model_validator(mode="after")
    def _leaves_enough_to_train_on(self) -> "IngestConfig":
        held_out = round(self.eval_fraction + self.test_fraction, 9)  # 0.4 + 0.2 is a little above 0.6
        if held_out > _MAX_HELD_OUT:
            raise _across_keys(f"got eval_fraction + test_fraction = {held_out}, expected at most {_MAX_HELD_OUT}")
        return self


class AugmentationConfig(_Section):
    """How far a view may stray from its picture.

    Attributes:
      flip: whether half of the views are mirrored left to right.
      rotation: largest angle to either side, as a fraction of a full turn.
      zoom: largest relative change of size, in and out.
    """

    flip: bool = True
    rotation: Annotated[float, Field(ge=0, le=0.5)] = 0.05
    zoom: Annotated[float, Field(ge=0, le=0.5)] = 0.1


class FeaturesConfig(_Section):
    """What goes through the frozen layers.

    Attributes:
      augmentation_views: 0 stores each picture once as it is; n stores n randomly augmented views of it, and
        epoch e trains on view e mod n.
      augmentation: the limits of the views.
      precision: arithmetic of the frozen layers; "auto" is bfloat16 where the processor has it.
      batch_size: pictures at a time through the frozen layers.
    """

    augmentation_views: Annotated[int, Field(ge=0, le=100)] = 0
    augmentation: AugmentationConfig = AugmentationConfig()
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    batch_size: BatchSize = 32


class TrainerConfig(_Section):
    """The two stages of training, both with Adam.

    Attributes:
      epochs: of stage 1, which trains the head alone.
      learning_rate: of stage 1.
      fine_tune: whether stage 2 follows.
      fine_tune_at: index of the first layer of the backbone that stage 2 trains; None for the backbone's own
        default, 15 for VGG16.
      fine_tune_epochs: of stage 2.
      fine_tune_learning_rate: of stage 2.
      batch_size: pictures a step, in both stages.
      dropout: part of the features that the head drops while training.
      early_stopping_patience: epochs without a lower loss on the eval split after which a stage ends.
      class_weights: whether rare classes weigh more in the loss.
    """

    epochs: Epochs = 5
    learning_rate: LearningRate = 1e-3
    fine_tune: bool = True
    fine_tune_at: Annotated[int, Field(ge=0)] | None = None
    fine_tune_epochs: Epochs = 4
    fine_tune_learning_rate: LearningRate = 1e-5
    batch_size: BatchSize = 32
    dropout: Annotated[float, Field(ge=0, le=0.9)] = 0.1
    early_stopping_patience: Annotated[int, Field(ge=1)] = 3
    class_weights: bool = False


class GateConfig(_Section):
    """What a model must reach on the test split to be published.

    Attributes:
      min_accuracy: smallest accuracy.
      max_accuracy_drop: how far the accuracy may lie below the last blessed model's.
      slices: class name -> smallest accuracy on the pictures of that class.
    """

    min_accuracy: Proportion = 0.8
    max_accuracy_drop: Proportion = 0.0
    slices: dict[str, Proportion] = Field(default_factory=dict)


class Config(_Section):
    """Everything that a run depends on. Paths may begin with ~; relative ones start at the working directory.

    Attributes:
      data: root folder of the pictures; None for the sample set.
      infer: folder of pictures without classes, which each run predicts; None for none.
      output: folder of the run's artifacts, metadata, published models and logs.
      seed: of all that is random.
    """

    data: Folder | None = None
    infer: Folder | None = None
    output: Folder = "output"
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    backbone: BackboneConfig = BackboneConfig()
    ingest: IngestConfig = IngestConfig()
    features: FeaturesConfig = FeaturesConfig()
    trainer: TrainerConfig = TrainerConfig()
    gate: GateConfig = GateConfig()

    @field_validator("trainer")
    @classmethod
    def _fine_tunes_a_layer_that_exists(cls, trainer: TrainerConfig, info: ValidationInfo) -> TrainerConfig:
        at, backbone = trainer.fine_tune_at, info.data.get("backbone")
        if at is not None and backbone is not None and at >= (layers := BACKBONES[backbone.name].layers):
            raise _across_keys(
                f"got {at}, expected a whole number from 0 to {layers - 1} for {backbone.name}", "fine_tune_at"
            )
        return trainer


_Path = tuple[str, ...]  # the keys from the top level down


class _Change(NamedTuple):
    option: str
    path: _Path
    value: Any

    def touches(self, path: _Path) -> bool:
        return all(mine == other for mine, other in zip(self.path, path, strict=False))


def load(
    path: str | Path | None,
    overrides: Sequence[str] = (),
    data: str | None = None,
    output: str | None = None,
    *,
    elsewhere: bool = False,
) -> Config:
    """Reads a configuration file and changes what the command line says.

    Args:
      path: YAML file; None for `configs/default.yaml`. Keys that it lacks take their defaults.
      overrides: texts such as "trainer.epochs=3", their values in YAML; the last one for a key wins.
      data: takes the place of the key `data` where given.
      output: takes the place of the key `output` where given.
      elsewhere: whether the configuration is for another machine; its paths are then left as they are.

    Raises:
      UserError: the file cannot be read, or a key or value is not allowed; one line a problem.
    """
    file = DEFAULT_FILE if path is None else Path(path)
    changes = [_parse_override(text) for text in overrides]
    if data is not None:
        changes.append(_Change("--data", ("data",), data))
    if output is not None:
        changes.append(_Change("--output", ("output",), output))
    return _validate(_read(file), str(file), changes, elsewhere)


class Key(NamedTuple):
    """A key of the configuration that holds a value, not a section.

    Attributes:
      name: the path to it with dots, such as "trainer.epochs".
      type: bool, int, float or str; None for all others, such as a number that may be null.
    """

    name: str
    type: type[bool] | type[int] | type[float] | type[str] | None


def leaf_keys() -> list[Key]:
    """Every key that holds a value, in the order of `Config`."""
    schemas = {name: _schema(name.split(".")) for name in _all_keys()}
    return [
        Key(name, _TYPES.get(schema.get("type", ""))) for name, schema in schemas.items() if not _is_section(schema)
    ]


def get(config: Config, key: str) -> Any:
    """The value of a key, such as "trainer.epochs"."""
    return functools.reduce(getattr, key.split("."), config)


def of_values(values: Mapping[str, Any]) -> Config:
    """A configuration from values by key, such as "trainer.epochs"; keys that are not there take their defaults.

    Args:
      values: as Python has them, but for keys without a type (see `Key`): these are read from a text as YAML.

    Raises:
      UserError: a key or a value is not allowed; one line a problem.
    """
    types = {key.name: key.type for key in leaf_keys()}
    changes = []
    for name, value in values.items():
        if name in types and types[name] is None:
            value = _parse(value, name)
        changes.append(_Change(name, tuple(name.split(".")), value))
    return _validate({}, "", changes)


def to_text(value: Any) -> str:
    """A value on one line of YAML, as `--set` takes it."""
    text: str = yaml.dump(value, Dumper=_Dumper, default_flow_style=True, width=10**9, sort_keys=False)
    return text.removesuffix("...\n").rstrip("\n")


def _validate(tree: dict[str, Any], source: str, changes: Sequence[_Change], elsewhere: bool = False) -> Config:
    for change in changes:
        _assign(tree, change)
    try:
        return Config.model_validate(tree, context={"elsewhere": True} if elsewhere else None)
    except ValidationError as error:
        problems = error.errors()
        lines = [_explain(problem, source, changes) for problem in problems[:_MAX_LINES]]
        if len(problems) > _MAX_LINES:
            lines.append(f"... and {len(problems) - _MAX_LINES} more problems")
        raise UserError("\n".join(lines)) from None


def to_yaml(config: Config, without: Collection[str] = ()) -> str:
    """Every key with its value, as YAML in ASCII that `load` reads back to an equal configuration.

    Args:
      config: what to write.
      without: top-level keys that are left out.
    """
    return yaml.dump(config.model_dump(exclude=set(without)), Dumper=_Dumper, sort_keys=False)


# --- Reading ---


def _read(file: Path) -> dict[str, Any]:
    source = _printable(str(file))
    try:
        with file.open("rb") as stream:
            content = stream.read(_MAX_BYTES + 1)
    except OSError as error:
        raise UserError(f"{source}: cannot be read ({error.strerror}), expected a YAML file") from error
    if len(content) > _MAX_BYTES:
        raise UserError(f"{source}: more than {_MAX_BYTES} bytes, expected a configuration of a few lines")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise UserError(f"{source}: not UTF-8 from byte {error.start + 1} on, expected YAML") from error
    tree = _parse(text, source)
    if tree is None:  # nothing but comments
        return {}
    if not isinstance(tree, dict):
        raise UserError(f"{source}: got {_show(tree)}, expected lines of 'key: value'")
    return tree


def _parse_override(text: str) -> _Change:
    key, equals, value = text.partition("=")
    path = tuple(part.strip() for part in key.split("."))
    if not (equals and all(path)):
        raise UserError(f"--set: got {_show(text)}, expected key=value such as trainer.epochs=3")
    return _Change("--set", path, _parse(value, f"--set: {_dotted(path)}"))


def _assign(tree: dict[str, Any], change: _Change) -> None:
    *parents, key = change.path
    for parent in parents:
        if not isinstance(tree.get(parent), dict):
            tree[parent] = {}
        tree = tree[parent]
    tree[key] = change.value


def _parse(text: str, source: str) -> Any:
    try:
        return yaml.load(text, Loader=_Loader)  # a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        problem = ", ".join(filter(None, (error.context, error.problem)))
        raise UserError(f"{source}: {where}{_printable(problem)}") from error
    except yaml.reader.ReaderError as error:
        before = text[: error.position].split("\n")
        where = f"line {len(before)}, column {len(before[-1]) + 1}"
        raise UserError(f"{source}: {where}: the control character {text[error.position]!r}") from error
    except RecursionError as error:
        raise UserError(f"{source}: nested too deeply, expected sections of 'key: value'") from error


class _Scalars(yaml.resolver.BaseResolver):
    """What a text without quotes stands for; without YAML 1.1's dates, octal and base-60 numbers."""


for _tag, _pattern, _first_characters in (
    ("null", r"(~|null|Null|NULL|)\Z", ["~", "n", "N", ""]),
    ("bool", r"(?i:yes|no|true|false|on|off)\Z", list("yYnNtTfFoO")),
    # More digits than any key allows make a float, which is quicker to read.
    ("int", r"[-+]?[0-9](_?[0-9]){0,99}\Z", list("-+0123456789")),
    # YAML 1.1 reads 1e-3 as a text, for want of a dot. Infinity and NaN stay texts: no key allows them.
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z", list("-+.0123456789")),
):
    _Scalars.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), _first_characters)


class _Loader(_Scalars, yaml.SafeLoader):
    """Keys are texts and come once; no aliases, no tags."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent):  # a few of them can stand for a billion values
            _refuse("aliases (*name) are not allowed", event.start_mark)
        if event.tag is not None:
            _refuse("tags (!name) are not allowed", event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        mapping: dict[Hashable, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                _refuse("a key must be a text", key.start_mark)
            if key.value in mapping:
                _refuse(f"duplicate key {_show(key.value)}", key.start_mark)
            # As it is written, whatever it looks like: a class may be called 0, no or 1e3.
            mapping[key.value] = self.construct_object(value, deep=True)
        return mapping


def _refuse(problem: str, mark: Any) -> NoReturn:
    raise yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


_Loader.add_constructor("tag:yaml.org,2002:int", lambda _, node: int(node.value))
_Loader.add_constructor("tag:yaml.org,2002:float", lambda _, node: float(node.value))


class _Dumper(_Scalars, yaml.SafeDumper):
    """Quotes the texts that `_Loader` would take for something else."""


# --- Explaining ---


def _explain(problem: ErrorDetails, file: str, changes: Sequence[_Change]) -> str:
    path = tuple(str(part) for part in (*problem["loc"], *problem.get("ctx", {}).get("key", ())))
    source = next((c.option for c in reversed(changes) if c.touches(path)), _printable(file))
    key = _dotted(path)
    where = source if source == f"--{key}" else key if f"{key}.".startswith(f"{source}.") else f"{source}: {key}"
    if problem["type"] == "extra_forbidden":
        return f"{where}: {_unknown_key(path)}"
    if problem["type"] == _ACROSS_KEYS:
        return f"{where}: {problem['msg']}"
    return f"{where}: got {_show(problem['input'])}, expected {_expected(_schema(path))}"


def _unknown_key(path: _Path) -> str:
    *section, key = path
    allowed = list(_schema(section)["properties"])
    elsewhere = [other for other in _all_keys() if other.endswith(f".{key}")]
    near = difflib.get_close_matches(key, allowed, n=1) or elsewhere
    hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else "."
    return f"unknown key{hint} Allowed here: {', '.join(allowed)}"


def _schema(path: Sequence[str]) -> Mapping[str, Any]:
    """JSON schema of the key at a path, with sections resolved."""
    whole = _whole_schema()
    schema = whole
    for part in path:
        properties = schema.get("properties")
        schema = properties[part] if properties else schema["additionalProperties"]
        if "$ref" in schema:
            schema = whole["$defs"][schema["$ref"].rpartition("/")[2]]
    return schema


@functools.cache
def _whole_schema() -> Mapping[str, Any]:
    return Config.model_json_schema()


_TYPES: Mapping[str, Any] = {"boolean": bool, "integer": int, "number": float, "string": str}


def _is_section(schema: Mapping[str, Any]) -> bool:
    return "properties" in schema


def _all_keys(section: _Path = ()) -> Iterator[str]:
    for key in _schema(section).get("properties", ()):
        yield ".".join((*section, key))
        yield from _all_keys((*section, key))


def _expected(schema: Mapping[str, Any]) -> str:
    """What a JSON schema allows, in words."""
    if "properties" in schema:
        return f"a section with the keys {', '.join(schema['properties'])}"
    if "anyOf" in schema:
        return ", or ".join(_expected(option) for option in schema["anyOf"])
    if "description" in schema:
        return str(schema["description"])
    if "enum" in schema:
        return f"one of {', '.join(schema['enum'])}"
    match schema["type"]:
        case "object":
            return f"a section of names, each with {_expected(schema['additionalProperties'])}"
        case "integer":
            return f"a whole number {_range(schema)}"
        case "number":
            return f"a number {_range(schema)}"
        case "boolean":
            return "true or false"
        case kind:
            return str(kind)


def _range(schema: Mapping[str, Any]) -> str:
    match schema:
        case {"minimum": low, "maximum": high}:
            return f"from {low} to {high}"
        case {"exclusiveMinimum": low, "maximum": high}:
            return f"above {low}, up to {high}"
        case {"exclusiveMinimum": low, "exclusiveMaximum": high}:
            return f"above {low} and below {high}"
        case _:
            return f"of {schema['minimum']} or more"


_repr = reprlib.Repr()
_repr.maxstring = _repr.maxother = 80


def _show(value: Any) -> str:
    """A value on one line, shortened, as YAML would have it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return _repr.repr(value)


def _dotted(path: Sequence[str]) -> str:
    return ".".join(part if re.fullmatch(r"[\w-]{1,80}", part) else _show(part) for part in path)


def _printable(text: str) -> str:
    return text if text.isprintable() else repr(text)
