"""File and class names as printable text.

A file name may hold anything but a slash: line breaks, control characters, bytes that are no UTF-8 (which
Python holds as lone surrogates). Escaped, any name fits on one line of a UTF-8 file, and `unescape` gives it
back.
"""

import re

_SPECIAL = re.compile("[\\\\\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_ESCAPED = re.compile(r"\\u([0-9a-f]{4})")


def escape(name: str) -> str:
    r"""Writes backslashes, control characters and undecodable bytes as `\u` and four hexadecimal digits."""
    return _SPECIAL.sub(lambda match: f"\\u{ord(match[0]):04x}", name)


def unescape(text: str) -> str:
    """The name that `escape` made the text from."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)
