"""Compares what tables list with what lies in their folder.

Standard library only, so that a command line can refuse a wrong table before anything slow is imported.
"""

import itertools
import os
import unicodedata
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from typing import NamedTuple

from common import escaping, folders, not_pictures
from common.errors import UserError
from common.examples import EVAL, TEST, TRAIN
from components.image_example_gen import split_names
from components.image_example_gen.found_file import File
from components.image_example_gen.reading import alike
from components.image_example_gen.table import Row, Table

NO_FILE = "no such file"
_OUTSIDE = "not in the folder of the table; ingest.follow_links: true reads it"
_LEAVES = f"{folders.LEAVES}; ingest.follow_links: true follows it"
# The more held-out split keeps a picture that is listed in two.
_HELD_OUT = (TRAIN, EVAL, TEST)


class Listing(NamedTuple):
    """What tables list; paths are relative to the root.

    Attributes:
      files: every file that has a label, by path; those that cannot be used, or are not there, have a problem.
      splits: the table, or the folder, that gives each split.
      unlabelled: files without a label.
      unlisted: files in the folders of those listed, of which the tables say nothing.
      ignored: the hidden ones among these, as `folders.is_hidden` has it.
      others: those that are no pictures, as `not_pictures` has it.
    """

    files: list[File]
    splits: dict[str, str]
    unlabelled: list[str]
    unlisted: list[str]
    ignored: list[str]
    others: list[str]


def read(root: str, tables: Sequence[tuple[Table, str]], *, follow_links: bool, split_folders: bool) -> Listing:
    """Reads tables, and looks for the files that they list.

    Where a single table has no column of splits, the folders that its files lie in may be named as splits.

    Args:
      root: the data folder, absolute; holds the tables at any depth.
      tables: each with the split whose folder it lies in, or "". Paths in it are relative to its own folder.
      follow_links: whether files and links that leave the root are read.
      split_folders: whether folders may be splits.

    Raises:
      UserError: a table cannot be read, a row lacks the file name or has no split that is known, none of the files
        exists, some lie in split folders and others do not, or no file is in the train split.
    """
    disk = _Disk(root, follow_links)
    files: dict[str, File] = {}
    unlabelled: set[str] = set()
    splits: dict[str, str] = {}
    for table, split in tables:
        name = os.path.relpath(table.path, root)
        for file in _rows(disk, table, os.path.dirname(name), split):
            if file.class_name:
                files[file.path] = _one_of(files[file.path], file) if file.path in files else file
                splits.setdefault(file.split, os.path.dirname(name) if split else name)
            else:
                unlabelled.add(file.path)
    listed = [files[path] for path in sorted(files)]
    first, _ = tables[0]
    _check_there(root, first, listed)
    _check_spelled(first, {file.class_name for file in listed})
    if split_folders and set(splits.values()) == {os.path.relpath(first.path, root)} and not first.columns.split:
        listed, splits = _by_folder(first, listed) or (listed, splits)
    if TRAIN not in splits:
        raise UserError(f"{first.path!r}: no row is of the train split; eval and test can be cut from it, if need be")
    splits = {split: splits[split] for split in _HELD_OUT if split in splits}
    rest = disk.seen(files, unlabelled, {os.path.relpath(table.path, root) for table, _ in tables})
    return Listing(listed, splits, sorted(unlabelled.difference(files)), *rest)


def _rows(disk: "_Disk", table: Table, folder: str, split: str) -> Iterator[File]:
    """The file of each row; it has no class where the row has no label."""
    for row in table.rows():
        if not row.file_name:
            raise UserError(f"{table.path!r}: a row with the label {row.label!r} has no {table.columns.file_name!r}")
        path, problem = disk.find(os.path.join(folder, row.file_name))
        if not row.label:
            yield File(path, TRAIN, "")
        else:
            given = split or (_split(table, row) if table.columns.split else TRAIN)
            yield File(path, given, row.label, problem, row.group)


class _Disk:
    """The files in the root's folders that are asked for."""

    def __init__(self, root: str, follow_links: bool) -> None:
        self._root = root
        self._follow_links = follow_links
        self._tops = {_composed(entry.name): entry.name for entry in folders.entries(root) if folders.is_dir(entry)}
        # By the folder in the root that they are in, or "" for the root itself. Each path stands for itself: what is
        # kept of a million files is one text for each path.
        self._below: dict[str, dict[str, str]] = {}
        self._by_composed: dict[str, dict[str, str]] = {}
        self._problems: dict[str, str] = {}

    def find(self, name: str) -> tuple[str, str]:
        """A file's path, relative to the root where it lies in it, and why it cannot be read, if so."""
        path = os.path.normpath(name)
        if os.path.isabs(path):
            inside = os.path.relpath(path, self._root)
            path = path if _leaves(inside) else inside
        if os.path.isabs(path) or _leaves(path):
            if not self._follow_links:
                return path, _OUTSIDE
            return path, "" if os.path.isfile(os.path.join(self._root, path)) else NO_FILE
        spelled = self._spelled(path)
        if spelled is None and "\\" in path:  # a table from Windows
            spelled = self._spelled(os.path.normpath(path.replace("\\", "/")))
        return spelled or (path, self._problem(path))

    def seen(self, *without: Container[str]) -> tuple[list[str], list[str], list[str]]:
        """Other files than some in the folders that were looked into: those that may be pictures, hidden, and not."""
        by_kind: dict[str, list[str]] = defaultdict(list)
        for path in itertools.chain.from_iterable(self._below.values()):
            if any(path in known for known in without):
                continue
            hidden = self._problems.get(path) == folders.HIDDEN
            kind = "hidden" if hidden else "other" if not_pictures.is_one(os.path.join(self._root, path)) else ""
            by_kind[kind].append(path)
        return sorted(by_kind[""]), sorted(by_kind["hidden"]), sorted(by_kind["other"])

    def _spelled(self, path: str) -> tuple[str, str] | None:
        """A file that was listed with its problem, in whatever Unicode form its name is."""
        top, slash, rest = path.partition("/")
        if not slash:
            top = ""
        elif top not in self._below and not top.isascii() and not os.path.isdir(os.path.join(self._root, top)):
            top = self._tops.get(_composed(top), top)
            path = f"{top}/{rest}"
        if top not in self._below:
            self._below[top] = {}
            for one, problem in self._list(top):
                self._below[top][one] = one
                if problem:
                    self._problems[one] = problem
        below = self._below[top]
        problem = self._problems.get(path, "")
        if path in below and problem != folders.HIDDEN:
            return below[path], _LEAVES if problem == folders.LEAVES else problem
        if path.isascii():
            return None
        if top not in self._by_composed:
            self._by_composed[top] = {_composed(one): one for one in below}
        other = self._by_composed[top].get(_composed(path), path)
        return None if other == path else self._spelled(other)

    def _list(self, top: str) -> Iterable[tuple[str, str]]:
        if not top:
            names = (entry.name for entry in folders.entries(self._root) if not folders.is_dir(entry))
            return ((name, folders.HIDDEN if folders.is_hidden(name) else self._problem(name)) for name in names)
        full = os.path.join(self._root, top)
        if not os.path.isdir(full) or (not self._follow_links and folders.leads_out(full, self._root)):
            return []
        return folders.walk(self._root, top, self._follow_links)

    def _problem(self, path: str) -> str:
        """Why a file that no listing has cannot be read: hidden ones may be, as the table asks for them."""
        full = os.path.join(self._root, path)
        if not os.path.isfile(full):
            return NO_FILE
        return "" if self._follow_links or not folders.leads_out(full, self._root) else _LEAVES


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _leaves(path: str) -> bool:
    return path == ".." or path.startswith("../")


def _split(table: Table, row: Row) -> str:
    if split := split_names.of_word(row.split):
        return split
    raise UserError(
        f"{table.path!r}: the column {table.columns.split!r} says {row.split!r} of {row.file_name!r}; expected train, "
        f"eval or test, or words for them; ingest.columns.split: '' does without the column"
    )


def _one_of(one: File, other: File) -> File:
    """What two rows say of a file."""
    for value, more, said in ((one.class_name, other.class_name, "labels"), (one.group, other.group, "groups")):
        if value != more and not one.problem:
            first = min(one, other)  # whatever the order of the rows
            two = ", ".join(map(escaping.escape, sorted((value, more))))
            return first._replace(problem=f"listed with two {said}: {two}")
    return max(one, other, key=lambda file: (bool(file.problem), _HELD_OUT.index(file.split)))


def _check_there(root: str, table: Table, listed: list[File]) -> None:
    if not listed:
        raise UserError(f"{table.path!r} has no row with a label in the column {table.columns.label!r}")
    if all(file.problem == NO_FILE for file in listed):
        raise UserError(
            f"none of the {len(listed)} files that {table.path!r} lists is there, such as "
            f"{os.path.join(root, listed[0].path)!r}; names are relative to the table's folder"
        )


def _check_spelled(table: Table, labels: Iterable[str]) -> None:
    seen: dict[str, str] = {}
    for label in sorted(labels):
        if (other := seen.setdefault(alike(label), label)) != label:
            raise UserError(f"{table.path!r}: the labels {other!r} and {label!r} differ only by case; spell them alike")


def _by_folder(table: Table, listed: list[File]) -> tuple[list[File], dict[str, str]] | None:
    """The files by the folders that are named as splits, and these folders; None where there are none.

    The folders that count are the first in which the paths differ.
    """
    # Of sorted paths, the first and the last have in common what all have.
    above = os.path.commonpath([os.path.join("/", os.path.dirname(file.path)) for file in (listed[0], listed[-1])])

    def top(file: File) -> str:
        name, slash, _ = os.path.join("/", file.path)[len(above) :].lstrip("/").partition("/")
        return name if slash else ""

    named = split_names.find({top(file) for file in listed} - {""})
    if len(set(named.values())) < 2 or TRAIN not in named.values():
        return None
    outside = [file.path for file in listed if top(file) not in named]
    if outside:
        raise UserError(
            f"{table.path!r} lists files in folders named as splits and others, such as {outside[0]!r}; "
            f"add a column of splits, or set ingest.layout: classes to take no folder for a split"
        )
    splits = {split: os.path.join(above.strip("/"), name) for name, split in sorted(named.items())}
    return [file._replace(split=named[top(file)]) for file in listed], splits
