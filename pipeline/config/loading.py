"""A file and changes to it in, one frozen `Config` or one-line errors out."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from common.errors import UserError
from pipeline.config import dialect
from pipeline.config.keys import Key, leaf_keys
from pipeline.config.messages import dotted, explain, path_of, printable, show
from pipeline.config.sections import Config

# A link to the repository's folder; where the package is installed, a folder of its own.
_RECIPES = Path(__file__).resolve().parents[1] / "configs"
DEFAULT_FILE = _RECIPES / "default.yaml"

FILE_HELP = "YAML configuration, or the name of one in configs/, such as cats_and_dogs; default: default"

_MAX_BYTES = 100_000  # a file beyond this is no configuration
_MAX_LINES = 20  # of an error


class _Change(NamedTuple):
    option: str
    path: tuple[str, ...]  # the keys from the top level down
    value: Any

    def touches(self, path: Sequence[str]) -> bool:
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
      path: YAML file, or the name of one in `configs/`, such as "cats_and_dogs"; None for "default". Keys that it lacks
        take their defaults.
      overrides: texts such as "trainer.dropout=0.2", their values in YAML but for keys that hold a text, which is taken
        as it is; the last one for a key wins.
      data: takes the place of the key `data` where given.
      output: takes the place of the key `output` where given.
      elsewhere: whether the configuration is for another machine; its paths are then left as they are.

    Raises:
      UserError: the file cannot be read, or a key or value is not allowed; one line per problem.
    """
    file = DEFAULT_FILE if path is None else _file(Path(path))
    changes = [_parse_override(text) for text in overrides]
    if data is not None:
        changes.append(_Change("--data", ("data",), data))
    if output is not None:
        changes.append(_Change("--output", ("output",), output))
    return _validate(_read(file), str(file), changes, elsewhere)


def of_values(values: Mapping[str, Any], overrides: Sequence[str] = (), *, elsewhere: bool = False) -> Config:
    """A configuration from values by key, such as "trainer.epochs"; keys that are not there take their defaults.

    Args:
      values: as Python has them, but for keys without a type (see `Key`), which are read from a text as YAML, and texts
        that may be null: "null" or nothing stands for it.
      overrides: as in `load`, like the next.
      elsewhere: as in `load`.

    Raises:
      UserError: a key or a value is not allowed; one line per problem.
    """
    keys = {key.name: key for key in leaf_keys()}
    changes = []
    for name, value in values.items():
        if name in keys and keys[name].type is None:
            value = dialect.parse(value, name)
        elif name in keys and keys[name].type is str:
            value = _text(keys[name], value)
        changes.append(_Change(name, tuple(name.split(".")), value))
    return _validate({}, "", [*changes, *map(_parse_override, overrides)], elsewhere)


def to_yaml(config: Config, without: Collection[str] = ()) -> str:
    """Every key with its value, as YAML in ASCII that `load` reads back to an equal configuration.

    Args:
      config: what to write.
      without: top-level keys that are left out.
    """
    return dialect.to_lines(config.model_dump(exclude=set(without)))


def _file(path: Path) -> Path:
    """The file itself, or that of a recipe: a name without folder or suffix."""
    if path.is_file() or path.suffix or str(path) != path.name:
        return path
    recipes = {recipe.stem: recipe for recipe in sorted(_RECIPES.glob("*.yaml"))}
    if path.name not in recipes:
        raise UserError(f"{printable(path.name)}: no such file, expected a YAML file or one of {', '.join(recipes)}")
    return recipes[path.name]


def _read(file: Path) -> dict[str, Any]:
    source = printable(str(file))
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
    tree = dialect.parse(text, source)
    if tree is None:  # nothing but comments
        return {}
    if not isinstance(tree, dict):
        raise UserError(f"{source}: got {show(tree)}, expected lines of 'key: value'")
    return tree


def _parse_override(text: str) -> _Change:
    dotted_key, equals, value = text.partition("=")
    path = tuple(part.strip() for part in dotted_key.split("."))
    if not (equals and all(path)):
        raise UserError(f"--set: got {show(text)}, expected key=value such as trainer.dropout=0.2")
    texts = {key.name: key for key in leaf_keys() if key.type is str}
    if key := texts.get(".".join(path)):
        return _Change("--set", path, _text(key, value))
    return _Change("--set", path, dialect.parse(value, f"--set: {dotted(path)}"))


def _text(key: Key, value: Any) -> Any:
    return None if key.nullable and value in ("", "null") else value


def _assign(tree: dict[str, Any], change: _Change) -> None:
    *parents, key = change.path
    for parent in parents:
        if not isinstance(tree.get(parent), dict):
            tree[parent] = {}
        tree = tree[parent]
    tree[key] = change.value


def _validate(tree: dict[str, Any], source: str, changes: Sequence[_Change], elsewhere: bool = False) -> Config:
    for change in changes:
        _assign(tree, change)
    try:
        return Config.model_validate(tree, context={"elsewhere": True} if elsewhere else None)
    except ValidationError as error:
        problems = error.errors()
    lines = []
    for problem in problems[:_MAX_LINES]:
        path = path_of(problem)
        option = next((change.option for change in reversed(changes) if change.touches(path)), None)
        lines.append(explain(problem, option or printable(source)))
    if len(problems) > _MAX_LINES:
        lines.append(f"... and {len(problems) - _MAX_LINES} more problems")
    raise UserError("\n".join(lines))
