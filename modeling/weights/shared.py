"""Files of weights that all users of a machine share: a container image brings some."""

import os
from collections.abc import Iterator
from pathlib import Path

PROJECT = "image-classification-pipeline"  # names this project's folder, among shared files as in a user's cache
_DEFAULT_FOLDERS = "/usr/local/share:/usr/share"


def places(own: Path, shared: str) -> Iterator[Path]:
    """Where to look for a file.

    Args:
      own: its place in the user's cache, which comes first.
      shared: its path in this project's folder of shared files, in each of the folders of XDG_DATA_DIRS.
    """
    yield own
    for folder in (os.environ.get("XDG_DATA_DIRS") or _DEFAULT_FOLDERS).split(":"):
        if os.path.isabs(folder):
            yield Path(folder, PROJECT, shared)
