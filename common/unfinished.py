"""Where a step keeps what its next attempt can go on from, should this one be killed.

TFX gives each attempt a folder of its own, which is dropped if the attempt fails. What is worth keeping lies in a
folder beside those instead. Its name is a hash of all that the work depends on, so that only an attempt at the same
work goes on from it; a finished step removes it.
"""

import contextlib
import hashlib
import json
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tfx import types
from tfx.dsl.io import fileio

if TYPE_CHECKING:
    import tensorflow as tf

PREFIX = ".unfinished-"
_PARTIAL = ".partial"


def identity(inputs: Mapping[str, Iterable[types.Artifact]], parameters: Mapping[str, Any]) -> str:
    """A hash that two attempts share only if they would come to the same result.

    Args:
      inputs: the step's input artifacts by key. They never change once they are published, and a metadata store that
        was made anew gives them other times, if not other ids.
      parameters: all else that the result depends on; JSON values.

    Returns:
      16 hexadecimal digits.
    """
    artifacts = {
        key: [(one.uri, one.id, one.mlmd_artifact.create_time_since_epoch) for one in inputs[key]] for key in inputs
    }
    text = json.dumps([artifacts, dict(parameters)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def make_folder(output: str, identity: str) -> str:
    """The folder for one piece of work, made if missing.

    Args:
      output: folder of one of the step's output artifacts.
      identity: as `identity` returns it.
    """
    folder = os.path.join(os.path.dirname(output.rstrip("/")), f"{PREFIX}{identity}")
    fileio.makedirs(folder)
    return folder


@contextlib.contextmanager
def named_when_complete(path: str) -> Iterator[str]:
    """Gives a file its name when it is complete: what is there need not be made again.

    Until then it has a name of its own, as an engine may let two workers try the same piece of work at once.

    Yields:
      The path to write to.
    """
    partial = f"{path}.{uuid.uuid4().hex}{_PARTIAL}"
    yield partial
    fileio.rename(partial, path, overwrite=True)


@contextlib.contextmanager
def record_writer(path: str) -> "Iterator[tf.io.TFRecordWriter]":
    """Writes a TFRecord file, as `named_when_complete` has it."""
    import tensorflow as tf  # what only looks for leftovers need not wait for it

    with named_when_complete(path) as partial, tf.io.TFRecordWriter(partial) as writer:
        yield writer


def move_files(source: str, target: str) -> None:
    """Moves the complete files of a folder, not its folders, into another, which is made if missing.

    Each keeps its name; one of that name that is there is replaced.
    """
    fileio.makedirs(target)
    for name in fileio.listdir(source):
        if not name.endswith(_PARTIAL):
            fileio.rename(os.path.join(source, name), os.path.join(target, name), overwrite=True)
