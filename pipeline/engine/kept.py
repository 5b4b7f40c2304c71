"""What is made once for all processes that share a pipeline root, where to make it takes slow imports."""

import json
import os
import uuid
from collections.abc import Callable
from pathlib import Path

from common import hashing

FOLDER = os.path.join(".cache", "steps")  # in the pipeline root


def get(folder: str | None, depends: object, make: Callable[[], bytes]) -> bytes:
    """What was made before from the same, or is made now.

    Args:
      folder: local, where it is kept; None to make it each time.
      depends: all that it depends on; JSON.
      make: makes it.
    """
    if folder is None:
        return make()
    path = Path(folder, hashing.sha256_of_bytes(json.dumps(depends, sort_keys=True).encode()))
    if path.exists():
        return path.read_bytes()
    made = make()
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{uuid.uuid4().hex}")
    partial.write_bytes(made)
    partial.replace(path)
    return made
