"""What is said of a wrong key or value: one line, with what was got and what would be right."""

import difflib
import re
import reprlib
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import ErrorDetails

from pipeline.config.keys import all_names, schema_at
from pipeline.config.sections import ACROSS_KEYS

_repr = reprlib.Repr()
_repr.maxstring = _repr.maxother = 80


def path_of(problem: ErrorDetails) -> tuple[str, ...]:
    """The keys from the top level down to the one that pydantic finds wrong."""
    return tuple(str(part) for part in (*problem["loc"], *problem.get("ctx", {}).get("key", ())))


def explain(problem: ErrorDetails, source: str) -> str:
    """One line about what pydantic finds wrong.

    Args:
      problem: of a `Config`.
      source: where the value comes from: a file, an option, or a key above it.
    """
    path = path_of(problem)
    key = dotted(path)
    where = source if source == f"--{key}" else key if f"{key}.".startswith(f"{source}.") else f"{source}: {key}"
    if problem["type"] == "extra_forbidden":
        return f"{where}: {_unknown_key(path)}"
    if problem["type"] == ACROSS_KEYS:
        return f"{where}: {problem['msg']}"
    hint = problem.get("ctx", {}).get("hint", "")
    return f"{where}: got {show(problem['input'])}, expected {expected(schema_at(path))}{hint}"


def _unknown_key(path: Sequence[str]) -> str:
    *section, key = path
    allowed = list(schema_at(section)["properties"])
    elsewhere = [other for other in all_names() if other.endswith(f".{key}")]
    near = difflib.get_close_matches(key, allowed, n=1) or elsewhere
    hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else "."
    return f"unknown key{hint} Allowed here: {', '.join(allowed)}"


def expected(schema: Mapping[str, Any]) -> str:
    """What a JSON schema allows, in words."""
    if "properties" in schema:
        return f"a section with the keys {', '.join(schema['properties'])}"
    if "anyOf" in schema:
        return ", or ".join(expected(option) for option in schema["anyOf"])
    if "description" in schema:
        return str(schema["description"])
    if "enum" in schema:
        return f"one of {', '.join(schema['enum'])}"
    match schema["type"]:
        case "object":
            return f"a section of names, each with {expected(schema['additionalProperties'])}"
        case "array":
            return f"a list, each item {expected(schema['items'])}"
        case "integer":
            return f"a whole number{_range(schema)}"
        case "number":
            return f"a number{_range(schema)}"
        case "boolean":
            return "true or false"
        case kind:
            return str(kind)


def _range(schema: Mapping[str, Any]) -> str:
    match schema:
        case {"minimum": low, "maximum": high}:
            return f" from {low} to {high}"
        case {"minimum": low, "exclusiveMaximum": high}:
            return f" of {low} or more and below {high}"
        case {"exclusiveMinimum": low, "maximum": high}:
            return f" above {low}, up to {high}"
        case {"exclusiveMinimum": low, "exclusiveMaximum": high}:
            return f" above {low} and below {high}"
        case {"minimum": low}:
            return f" of {low} or more"
        case {"maximum": high}:
            return f" of {high} or less"
        case {"exclusiveMinimum": low}:
            return f" above {low}"
        case {"exclusiveMaximum": high}:
            return f" below {high}"
    return ""


def show(value: Any) -> str:
    """A value on one line, shortened, as YAML would have it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return _repr.repr(value)


def dotted(path: Sequence[str]) -> str:
    """The name of a key, fit to print whatever is in it."""
    return ".".join(part if re.fullmatch(r"[\w-]{1,80}", part) else show(part) for part in path)


def printable(text: str) -> str:
    """A text of strangers on one line."""
    return text if text.isprintable() else repr(text)
