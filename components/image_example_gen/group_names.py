"""How pictures are put into groups that no split that is cut divides: by the folder, by the path, or by their looks."""

import os
import re
from collections.abc import Callable

FOLDER, LIKENESS = "folder", "likeness"


def by_path(group: str) -> Callable[[str], str] | None:
    """How a file's path gives the name of its group; empty where it has none.

    Args:
      group: `FOLDER` for the folder that the file is in; `LIKENESS` or empty, for which the path says nothing; or a
        regular expression whose only group matches the name, anywhere in the path.

    Returns:
      None where the path says nothing.

    Raises:
      ValueError: it is none of these.
    """
    if group in ("", LIKENESS):
        return None
    if group == FOLDER:
        return os.path.dirname
    try:
        pattern = re.compile(group)
    except re.error as error:
        raise ValueError(f"no regular expression: {error}") from error
    if pattern.groups != 1:
        raise ValueError(f"it has {pattern.groups} groups in parentheses")

    def search(path: str) -> str:
        found = pattern.search(path)
        return (found and found[1]) or ""

    return search
