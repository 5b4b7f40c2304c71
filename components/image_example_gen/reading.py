"""Tells split folders, class folders and other folders apart, and stops where folders could be either.

Standard library only, so that a command line can refuse a wrong folder before anything slow is imported.
"""

import itertools
import os
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import NamedTuple

from common import folders, not_pictures
from common.errors import UserError
from common.examples import EVAL, TEST, TRAIN
from components.image_example_gen import split_names
from components.image_example_gen.table import Columns

AUTO, CLASSES, SPLITS = "auto", "classes", "splits"
MOST_IN_BETWEEN = 4  # folders that hold a single one, as archives leave them


class Options(NamedTuple):
    """How a data folder is to be read.

    Attributes:
      layout: CLASSES or SPLITS says what the folders are that could be either; AUTO stops there.
      follow_links: whether links are followed that leave the data folder.
      strict: whether what would be left out is refused, unless it is hidden or of the system.
      group: how pictures are put into groups, as `group_names` has it.
      columns: of a table of labels.
    """

    layout: str = AUTO
    follow_links: bool = False
    strict: bool = False
    group: str = ""
    columns: Columns = Columns()


AS_FOUND = Options()


class Reading(NamedTuple):
    """What the folders in a data folder are; paths are relative to it.

    Attributes:
      splits: the folder of each split that holds the class folders. "train" alone where there are no split folders.
      left_out: each folder that is neither, with the reason.
    """

    splits: dict[str, str]
    left_out: list[tuple[str, str]]


class _Inside(NamedTuple):
    folders: list[str]
    pictures: bool  # whether a file beside the folders may be one


def read(root: str, options: Options) -> Reading:
    """Tells what the folders are.

    Raises:
      UserError: a folder cannot be listed, the folders could be splits or classes, or they are neither.
    """
    tree = _Tree(root, options)
    base = _inside(tree, "", lambda name: bool(split_names.find([name])))
    named = split_names.find(tree.look(base).folders)
    if options.layout == SPLITS and not named:
        raise UserError(
            f"{tree.path(base)!r} holds no folder named as a split, such as 'train'; ingest.layout is splits"
        )
    if options.layout != CLASSES and named and _are_splits(tree, base, named):
        return _splits(tree, base, named)
    _check_classes(tree, base, CLASSES)
    return _reading(tree, {TRAIN: base}, {})


def alike(name: str) -> str:
    """What two spellings of a class have in common that differ in case or Unicode form."""
    return unicodedata.normalize("NFC", name).casefold()


class _Tree:
    """Looks into the folders of a data folder."""

    def __init__(self, root: str, options: Options) -> None:
        self._root = root
        self.options = options

    def path(self, folder: str) -> str:
        return os.path.join(self._root, folder) if folder else self._root

    def look(self, folder: str) -> _Inside:
        seen = [entry for entry in folders.entries(self.path(folder)) if not folders.is_hidden(entry.name)]
        inside = [entry.name for entry in seen if folders.is_dir(entry)]
        files = {entry.name for entry in seen}.difference(inside)
        return _Inside(inside, not all(map(not_pictures.is_named_so, files)))

    def holds_picture(self, folder: str) -> bool:
        """Whether something that may be one is in a folder, at any depth."""
        return any(
            problem in ("", folders.LEAVES) and not not_pictures.is_named_so(path)
            for path, problem in folders.walk(self._root, folder, self.options.follow_links)
        )


def _inside(tree: _Tree, folder: str, is_known: Callable[[str], bool]) -> str:
    """The folder, or the first below it that holds several or a known one, where each in between holds a single one.

    Folders without a picture, as of annotations, do not count.
    """
    below = folder
    for _ in range(MOST_IN_BETWEEN):
        inside = tree.look(below)
        pictured = (name for name in inside.folders if tree.holds_picture(os.path.join(below, name)))
        filled = list(itertools.islice(pictured, 2))
        if len(filled) > 1 or any(map(is_known, inside.folders)):
            return below
        if not filled or (inside.pictures and below != folder):
            break
        below = os.path.join(below, filled[0])
    return folder


def _are_splits(tree: _Tree, base: str, named: dict[str, str]) -> bool:
    """Whether the folders that are named as splits are splits. They may be classes: of vehicles, "train" is one."""
    if tree.options.layout == SPLITS:
        return True
    others = [name for name in tree.look(base).folders if name not in named]
    beside = [name for name in others if tree.holds_picture(os.path.join(base, name))]
    holding = {split for name, split in named.items() if tree.look(os.path.join(base, name)).folders}
    if not beside or (TRAIN in holding and len(set(named.values())) > 1):
        return True
    if not holding and [name.lower() for name in named] == ["train"]:
        return False
    splits = "ingest.layout: splits" if TRAIN in holding else f"splits need {tree.path(base)}/train/<class>"
    raise UserError(
        f"{tree.path(base)!r}: {_quoted(named)} may be splits ({splits}) "
        f"or classes like {_quoted(beside)} (ingest.layout: classes)"
    )


def _splits(tree: _Tree, base: str, named: dict[str, str]) -> Reading:
    where = tree.path(base)
    found: dict[str, str] = {}
    for name, split in named.items():
        if split in found:
            raise UserError(f"{where!r} holds two {split} folders, {found[split]!r} and {name!r}; keep one")
        found[split] = name
    if TRAIN not in found:
        raise UserError(f"{where!r} holds {sorted(found.values())} and no train folder")

    train = _inside(tree, os.path.join(base, found[TRAIN]), lambda name: False)
    classes = {alike(name) for name in tree.look(train).folders}
    if not classes:
        expected = f"expected {os.path.join(where, found[TRAIN], '<class>', '<picture>')}"
        raise UserError(f"no class folder in the train folder of {where!r}; {expected}")
    _check_classes(tree, train, SPLITS)
    splits, left_out = {TRAIN: train}, {}
    for split in (EVAL, TEST):
        if split in found:
            folder = _inside(tree, os.path.join(base, found[split]), lambda name: alike(name) in classes)
            names = tree.look(folder).folders
            general = (split_names.is_general(name) or name == os.path.basename(folder) for name in names)
            if all(general) and classes.isdisjoint(map(alike, names)):
                reason = f"none of train's classes is in it; {split} is cut from train"
                left_out[os.path.join(base, found[split])] = reason
            else:
                splits[split] = folder
    for name in tree.look(base).folders:
        if name not in named:
            _check_other(tree, os.path.join(base, name), classes)
    return _reading(tree, splits, left_out)


def _reading(tree: _Tree, splits: dict[str, str], left_out: dict[str, str]) -> Reading:
    """Adds what else lies beside the splits' folders and those that lead to them."""
    passed = {above for folder in splits.values() for above in folders.above(folder)}
    for folder in sorted(passed):
        for name in tree.look(folder).folders:
            path = os.path.join(folder, name)
            if path not in passed and path not in splits.values():
                left_out.setdefault(path, "neither a split nor a class")
    return Reading(splits, sorted(left_out.items()))


def _check_other(tree: _Tree, folder: str, classes: set[str]) -> None:
    """A folder beside the splits that is or holds one of their classes may be pictures to use."""
    inside = tree.look(_inside(tree, folder, lambda name: alike(name) in classes)).folders
    same = [name for name in (os.path.basename(folder), *inside) if alike(name) in classes]
    if same:
        raise UserError(
            f"{tree.path(folder)!r} lies beside the splits and has pictures of the class {same[0]!r}; "
            f"move it into a split, name it as one (train, eval or test), or move it out of the data folder"
        )


def _check_classes(tree: _Tree, base: str, chosen: str) -> None:
    """Folders with the same folders in them and no pictures may be splits, sites or years, and not classes.

    Args:
      tree: the data folder.
      base: holds the folders.
      chosen: the layout that takes them for classes.
    """
    if tree.options.layout != AUTO:
        return
    inside = {name: tree.look(os.path.join(base, name)) for name in tree.look(base).folders}
    hollow = {name: look.folders for name, look in inside.items() if look.folders and not look.pictures}
    beside = {alike(name): name for name in inside}
    holders: dict[str, list[str]] = defaultdict(list)
    spelled: dict[str, str] = {}
    for name, one in ((name, one) for name, inner in hollow.items() for one in inner):
        if tree.holds_picture(os.path.join(base, name, one)):
            holders[alike(one)].append(name)
            spelled[alike(one)] = one
    where = repr(tree.path(base))
    for one, names in holders.items():
        again = [name for name in names if one in beside and beside[one] != name]
        if again:
            raise UserError(
                f"{where}: {again[0]!r} may be a class (ingest.layout: {chosen}) or hold more of what lies beside it, "
                f"as it has a folder {spelled[one]!r} too"
            )
    # A single one in each, as in <class>/images, can be no class.
    if len(holders) > 1 and (shared := [names for names in holders.values() if len(names) > 1]):
        raise UserError(
            f"{where}: {_quoted(shared[0])} may be classes (ingest.layout: {chosen}) or hold the same classes each, "
            f"{_quoted([spelled[one] for one in holders])}; of such folders, only splits are read: train, eval and test"
        )


def _quoted(names: Iterable[str], most: int = 3) -> str:
    names = list(names)
    quoted = ", ".join(map(repr, names[:most]))
    return f"{quoted} and {len(names) - most} more" if len(names) > most else quoted
