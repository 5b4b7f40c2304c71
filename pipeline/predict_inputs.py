"""What the command line of `pipeline.predict` names: the files of pictures, and the model's folder.

Imports nothing heavy: a mistake is reported before TensorFlow is loaded.
"""

import codecs
import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import PurePath
from typing import BinaryIO

from common import folders, versions
from common.errors import UserError
from modeling.prediction_formats import File

STDIN = "-"
_ADDRESS = "an address; pictures are read from this machine, or from a file system that is mounted there"
_SAVED_MODEL = "saved_model.pb"


def find_files(paths: Iterable[str], stdin: BinaryIO) -> list[File]:
    """Finds the files, in the order in which they are named and, within a folder or pattern, by name.

    A file that several of the paths lead to comes once, where it is first found; a link to it is a file of its own.
    What `stdin` lists comes line for line, whatever else leads to it.

    Args:
      paths: files; folders, of which every file at any depth counts, but for those that `folders.is_hidden` and what is
        behind links to folders; patterns with `*`, `?`, `[...]` and `**`; `-` for paths of files read from `stdin`.
      stdin: paths that end in a NUL each or, where there is no NUL, in a line break, which may be Windows' own.

    Raises:
      UserError: nothing that is named is there.
    """
    files: list[File] = []
    seen: set[str] = set()
    for path in paths:
        files += _listed(stdin) if path == STDIN else _unseen(_named(path), seen)
    if not files:
        raise UserError("standard input: got no path, expected one per line")
    if all(file.problem for file in files):
        raise UserError(f"{files[0].path!r}: {files[0].problem}; expected pictures or folders of them")
    return files


def find_model(folder: str) -> str:
    """Finds the folder of a SavedModel.

    Args:
      folder: a version's folder, a folder of versions, or a run's output folder. The newest version is the one with
        the highest number.

    Raises:
      UserError: there is no version, or the newest is not whole, or TensorFlow would read the path as a pattern.
    """
    if folders.is_address(folder):
        raise UserError(
            f"model: {folder!r} is an address; expected a folder of this machine, or one that is mounted there"
        )
    folders.check_no_pattern("model", folder)
    if _holds_model(folder):
        return folder
    for serving in (folder, os.path.join(folder, "serving")):
        if version := versions.newest(serving):
            newest = os.path.join(serving, version)
            if not _holds_model(newest):
                raise UserError(f"model: {newest!r} holds no {_SAVED_MODEL}: expected a complete version")
            return newest
    raise UserError(
        f"model: no published version in {folder!r}; expected the folder of a version, of versions, or of a run"
    )


def _listed(stdin: BinaryIO) -> list[File]:
    data = stdin.read().removeprefix(codecs.BOM_UTF8)
    paths = data.split(b"\0") if b"\0" in data else [line.removesuffix(b"\r") for line in data.split(b"\n")]
    return [File(os.fsdecode(path)) for path in paths if path]


def _unseen(files: Iterable[File], seen: set[str]) -> Iterator[File]:
    """Those whose place in the file system, with links to their folder followed, is not among the seen; adds it."""
    for file in files:
        folder, name = os.path.split(file.path)
        place = os.path.join(os.path.realpath(folder), name)
        if place not in seen:
            seen.add(place)
            yield file


def _named(argument: str) -> Iterator[File]:
    path = os.path.expanduser(argument)
    # A name may look like a pattern.
    starts = [path] if os.path.lexists(path) else _matches(path)
    if not starts:
        yield File(argument, _ADDRESS if folders.is_address(argument) else "no such file")
    for start in starts:
        yield from list(_below(start)) or [File(start, "a folder without a file")]


def _matches(pattern: str) -> list[str]:
    """What a pattern finds, but for files of the system that it does not name; `glob` itself leaves out hidden ones."""
    named = PurePath(pattern).parts
    return [
        path
        for path in sorted(glob.glob(pattern, recursive=True))
        if not any(folders.is_system(part) and part not in named for part in PurePath(path).parts)
    ]


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
        todo += [os.path.join(path, name) for name in names if not folders.is_hidden(name)]


def _holds_model(folder: str) -> bool:
    return os.path.isfile(os.path.join(folder, _SAVED_MODEL))
