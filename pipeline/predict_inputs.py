"""What the command line of `pipeline.predict` names: the files of pictures, and the model's folder.

Imports nothing heavy: a mistake is told before TensorFlow is loaded.
"""

import glob
import os
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from common import versions
from common.errors import UserError
from modeling.prediction_formats import File

STDIN = "-"
_SAVED_MODEL = "saved_model.pb"


def find_files(paths: Iterable[str], stdin: BinaryIO) -> list[File]:
    """Finds the files, in the order in which they are named and, within a folder or pattern, by name.

    Args:
      paths: files; folders, of which every file at any depth counts, but for names that begin with a dot and what is
        behind links to folders; patterns with `*`, `?`, `[...]` and `**`; `-` for paths of files read from `stdin`.
      stdin: paths that end in a NUL each or, where there is no NUL, in a line break.

    Raises:
      UserError: nothing that is named is there.
    """
    files = [file for path in paths for file in (_listed(stdin) if path == STDIN else _named(path))]
    if not files:
        raise UserError("standard input: got no path, expected one a line")
    if all(file.problem for file in files):
        raise UserError(f"{files[0].path!r}: {files[0].problem}; expected pictures or folders of them")
    return files


def find_model(folder: str) -> str:
    """Finds the folder of a SavedModel.

    Args:
      folder: a version's folder, a folder of versions, or a run's output folder. The newest version is the one with
        the highest number.

    Raises:
      UserError: there is no version, or the newest is not whole.
    """
    if _holds_model(folder):
        return folder
    for serving in (folder, os.path.join(folder, "serving")):
        if version := versions.newest(serving):
            newest = os.path.join(serving, version)
            if not _holds_model(newest):
                raise UserError(f"model: {newest!r} holds no {_SAVED_MODEL}: expected a whole version")
            return newest
    raise UserError(
        f"model: no published version in {folder!r}; expected the folder of a version, of versions, or of a run"
    )


def _listed(stdin: BinaryIO) -> list[File]:
    data = stdin.read()
    paths = data.split(b"\0" if b"\0" in data else b"\n")
    return [File(os.fsdecode(path)) for path in paths if path]


def _named(argument: str) -> Iterator[File]:
    path = os.path.expanduser(argument)
    # A name may look like a pattern.
    starts = [path] if os.path.lexists(path) else sorted(glob.glob(path, recursive=True))
    if not starts:
        yield File(argument, "no such file")
    for start in starts:
        yield from list(_below(start)) or [File(start, "a folder without a file")]


def _below(start: str) -> Iterator[File]:
    """The file itself, or those in a folder."""
    todo = [start]
    while todo:
        path = todo.pop()
        if not os.path.isdir(path) or (os.path.islink(path) and path != start):
            yield File(path)
            continue
        try:
            names = sorted(os.listdir(path), reverse=True)
        except OSError as error:
            yield File(path, f"cannot be listed: {error.strerror}")
            continue
        todo += [os.path.join(path, name) for name in names if not name.startswith(".")]


def _holds_model(folder: str) -> bool:
    return os.path.isfile(os.path.join(folder, _SAVED_MODEL))
