"""The YAML of configurations: YAML 1.1 as PyYAML reads it, less its surprises.

`1e-3` is a number, dates and base-60 numbers are texts, keys are texts and come once, and there are no aliases or tags.
"""

import re
from collections.abc import Hashable, Mapping
from typing import Any, NoReturn

import yaml

from common.errors import UserError
from pipeline.config.messages import printable, show


def parse(text: str, source: str) -> Any:
    """What a text in YAML stands for; None for nothing.

    Args:
      text: one document.
      source: of the text, for messages; printable.

    Raises:
      UserError: the text is not in this dialect.
    """
    try:
        return yaml.load(text, Loader=_Loader)  # a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        problem = ", ".join(filter(None, (error.context, error.problem)))
        raise UserError(f"{source}: {where}{printable(problem)}") from error
    except yaml.reader.ReaderError as error:
        before = text[: error.position].split("\n")
        where = f"line {len(before)}, column {len(before[-1]) + 1}"
        raise UserError(f"{source}: {where}: the control character {text[error.position]!r}") from error
    except RecursionError as error:
        raise UserError(f"{source}: nested too deeply, expected sections of 'key: value'") from error


def to_text(value: Any) -> str:
    """A value on one line of YAML, as `--set` takes it."""
    text: str = yaml.dump(value, Dumper=_Dumper, default_flow_style=True, width=10**9, sort_keys=False)
    return text.removesuffix("...\n").rstrip("\n")


def to_lines(tree: Mapping[str, Any]) -> str:
    """Sections of values as a document in ASCII."""
    return yaml.dump(tree, Dumper=_Dumper, sort_keys=False)


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
                _refuse(f"duplicate key {show(key.value)}", key.start_mark)
            # As it is written, whatever it looks like: a class may be called 0, no or 1e3.
            mapping[key.value] = self.construct_object(value, deep=True)
        return mapping


def _refuse(problem: str, mark: Any) -> NoReturn:
    raise yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


_Loader.add_constructor("tag:yaml.org,2002:int", lambda _, node: int(node.value))
_Loader.add_constructor("tag:yaml.org,2002:float", lambda _, node: float(node.value))


class _Dumper(_Scalars, yaml.SafeDumper):
    """Quotes the texts that `_Loader` would take for something else."""
