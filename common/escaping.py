"""File and class names as printable text.

A file name may hold anything but a slash: line breaks, control characters, bytes that are no UTF-8 (which
Python holds as lone surrogates). Escaped, any name fits on one line of a UTF-8 file, and `unescape` gives it
back.
"""

import re
from collections.abc import Sequence

_SPECIAL = re.compile("[\\\\\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_FORMULA = re.compile("\\s*[-=+@\uff0d\uff1d\uff0b\uff20]|[\t\r]")
_ESCAPED = re.compile(r"\\u([0-9a-f]{4})")


def escape(name: str) -> str:
    r"""Writes as `\u` and four hexadecimal digits what may not be shown as it is.

    That is backslashes, control characters, overrides of the writing direction, with which a name looks like another,
    and undecodable bytes.
    """
    return _SPECIAL.sub(lambda match: f"\\u{ord(match[0]):04x}", name)


def first_few(names: Sequence[str], most: int = 5) -> str:
    """Some names, escaped, in one line: "a, b, c" or, of more, "a, b, c, d, e and 7 more"."""
    few = ", ".join(map(escape, names[:most]))
    return f"{few} and {len(names) - most} more" if len(names) > most else few


def unescape(text: str) -> str:
    """The name that `escape` made the text from."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)


def csv_cell(text: str) -> str:
    """The text for a cell of a CSV file: a spreadsheet would run one that begins like a formula, full width or not."""
    return f"'{text}" if _FORMULA.match(text) else text
