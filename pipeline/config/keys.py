"""The keys by their names, such as "trainer.epochs", and the JSON schema of each."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pipeline.config.sections import Config

_TYPES: Mapping[str, Any] = {"boolean": bool, "integer": int, "number": float, "string": str}


class Key(NamedTuple):
    """A key of the configuration that holds a value, not a section.

    Attributes:
      name: the path to it with dots, such as "trainer.epochs".
      type: bool, int, float or str (also of a text that may be null); None for all others, such as a number that may
        be null.
      nullable: whether it may be null.
    """

    name: str
    type: type[bool] | type[int] | type[float] | type[str] | None
    nullable: bool


def leaf_keys() -> list[Key]:
    """Every key that holds a value, in the order of `Config`."""
    schemas = {name: schema_at(name.split(".")) for name in all_names()}
    return [_key(name, schema) for name, schema in schemas.items() if "properties" not in schema]


def _key(name: str, schema: Mapping[str, Any]) -> Key:
    types = [one.get("type", "") for one in schema.get("anyOf", [schema])]
    nullable = "null" in types
    return Key(name, str if types == ["string", "null"] else None if nullable else _TYPES.get(types[0]), nullable)


def get(config: Config, key: str) -> Any:
    """The value of a key, such as "trainer.epochs"."""
    return functools.reduce(getattr, key.split("."), config)


def all_names(section: Sequence[str] = ()) -> Iterator[str]:
    """The names of a section's keys at any depth, sections included."""
    for key in schema_at(section).get("properties", ()):
        yield ".".join((*section, key))
        yield from all_names((*section, key))


def schema_at(path: Sequence[str]) -> Mapping[str, Any]:
    """JSON schema of the key at a path from the top level down, with sections resolved."""
    whole = _whole_schema()
    schema = whole
    for part in path:
        properties = schema.get("properties")
        schema = properties[part] if properties else schema.get("items") or schema["additionalProperties"]
        if "$ref" in schema:
            schema = whole["$defs"][schema["$ref"].rpartition("/")[2]]
    return schema


@functools.cache
def _whole_schema() -> Mapping[str, Any]:
    return Config.model_json_schema()
