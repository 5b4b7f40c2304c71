"""Where the pictures lie: `root/<class>/...` or `root/<split>/<class>/...`.

Standard library only, so that a command line can refuse a wrong folder before anything slow is imported.
"""

import difflib
import os
import unicodedata
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from common import folders
from common.errors import UserError
from common.examples import EVAL, TEST, TRAIN

_SPLIT_OF = {
    "train": TRAIN,
    "training_set": TRAIN,
    "eval": EVAL,
    "val": EVAL,
    "valid": EVAL,
    "validation": EVAL,
    "test": TEST,
    "test_set": TEST,
}
_SHOWN_CLASSES = 5  # in a message


class File(NamedTuple):
    """One file that was found.

    Attributes:
      path: relative to the root, with slashes.
      split: the split whose folder it is in; "train" where there are no split folders.
      class_name: the class whose folder it is in; empty for none.
      problem: why it cannot be a picture of its class, without a look inside; empty where it may be one.
    """

    path: str
    split: str
    class_name: str
    problem: str = ""


class Layout(NamedTuple):
    """What a data folder holds.

    Attributes:
      root: the folder, absolute.
      splits: the splits that have a folder; "train" alone where there are no split folders.
      classes: the classes of train, sorted by code points: the index is the class id.
      files: every file but the ignored, sorted by folder and name.
      ignored: paths of hidden files and folders and those of the system, as `folders.is_hidden` has it; no part of the
        data set.
    """

    root: str
    splits: list[str]
    classes: list[str]
    files: list[File]
    ignored: list[str]


def find(root: str) -> Layout:
    """Finds the pictures' files.

    Split folders may have any case and are called train or training_set; eval, val, valid or validation; test
    or test_set. Files count at any depth of a class folder; hidden files and folders, and those of the system,
    are ignored at any depth. Links are followed as long as they stay inside the root.

    Args:
      root: the data folder.

    Raises:
      UserError: the folder is missing or unreadable, or its layout is not one of the two.
    """
    root = folders.check(root, "data folder", expected="a folder of class folders")
    split_folders = _split_folders(root)
    classes = {split: _classes(root, folder) for split, folder in split_folders.items()}
    _check_classes(root, classes)
    files = [
        file
        for split, folder in split_folders.items()
        for file in [*_loose_files(root, folder, split), *_class_files(root, folder, split, classes[split])]
    ]
    if "" not in split_folders.values():
        files = [*_loose_files(root, "", TRAIN), *files]
    ignored = [file.path for file in files if file.problem == folders.HIDDEN]
    files = [file for file in files if file.problem != folders.HIDDEN]
    _check_train_files(root, classes[TRAIN], files)
    return Layout(root, list(split_folders), classes[TRAIN], files, ignored)


def check_tested(layout: Layout, class_names: Iterable[str], setting: str) -> None:
    """Makes sure that classes can have test pictures. Where there is no test folder, ingestion decides whether they do.

    Args:
      layout: of the data folder.
      class_names: the classes that are to be measured one by one.
      setting: where they are named, for messages.

    Raises:
      UserError: one of them is no class, or has no file in the test folder.
    """
    tested = {file.class_name for file in layout.files if file.split == TEST and not file.problem}
    for name in class_names:
        if name not in layout.classes:
            near = difflib.get_close_matches(name, layout.classes) or layout.classes[:_SHOWN_CLASSES]
            raise UserError(
                f"{setting}: {layout.root!r} holds no class {name!r}; "
                f"expected one of its {len(layout.classes)} classes, such as {', '.join(map(repr, near))}"
            )
        if TEST in layout.splits and name not in tested:
            raise UserError(
                f"{setting}: the test folder of {layout.root!r} holds no picture of the class {name!r}, "
                f"whose accuracy can therefore not be measured; add some or leave the class out of {setting}"
            )


def check_unchanged(layout: Layout) -> None:
    """Called where a file that was listed cannot be read: it may be more than the file that is gone.

    Raises:
      UserError: the folder is gone, as when a drive is unplugged, or holds other files by now.
    """
    try:
        now = find(layout.root)
    except UserError as error:
        raise UserError(f"the data folder disappeared while it was read: {error}") from error
    if now.files != layout.files:
        raise UserError(f"data folder {layout.root!r} changed while it was read; run again when nothing changes it")


def _split_folders(root: str) -> dict[str, str]:
    """The folder of each split, relative to the root: the root itself where there are no split folders."""
    found: dict[str, str] = {}
    others = []
    for folder in _folders(root):
        split = _SPLIT_OF.get(folder.lower())
        if split is None:
            others.append(folder)
        elif split in found:
            raise UserError(f"{root!r} holds two {split} folders, {found[split]!r} and {folder!r}; keep one")
        else:
            found[split] = folder
    if not found:
        return {TRAIN: ""}
    if others:
        raise UserError(
            f"{root!r} holds the split folder {next(iter(found.values()))!r} and the folder {others[0]!r}; "
            f"expected split folders or class folders, not a mix"
        )
    if TRAIN not in found:
        raise UserError(f"{root!r} holds {sorted(found.values())} and no train folder")
    return {split: found[split] for split in (TRAIN, EVAL, TEST) if split in found}


def _classes(root: str, folder: str) -> list[str]:
    classes = _folders(os.path.join(root, folder))
    for name in classes:
        if not folders.is_utf8(name):
            raise UserError(f"class folder {os.path.join(root, folder, name)!r}: the name is not valid UTF-8")
        if folders.leads_out(os.path.join(root, folder, name), root):
            raise UserError(f"class folder {os.path.join(root, folder, name)!r} is a link that leaves {root!r}")
    return classes


def _check_classes(root: str, classes: dict[str, list[str]]) -> None:
    expected = f"expected {os.path.join(root, '<class>', '<picture>')} or {os.path.join(root, 'train', '<class>')}"
    for split, names in classes.items():
        if not names:
            where = f"the {split} folder of {root!r}" if len(classes) > 1 else repr(root)
            raise UserError(f"no class folder in {where}; {expected}")
    if len(classes[TRAIN]) == 1:
        raise UserError(f"{root!r} holds a single class, {classes[TRAIN][0]!r}; a classifier needs two or more")
    _check_spelling(root, sorted({name for names in classes.values() for name in names}))
    for split, names in classes.items():
        extra = sorted(set(names) - set(classes[TRAIN]))
        if extra:
            raise UserError(f"{root!r}: the {split} folder holds the class {extra[0]!r}, which train lacks")


def _check_spelling(root: str, names: list[str]) -> None:
    """Two spellings of one name, such as Cat and cat, are a slip and not two classes."""
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
        if other != name:
            raise UserError(f"{root!r}: the class folders {other!r} and {name!r} differ only by case or accent form")


def _check_train_files(root: str, classes: list[str], files: list[File]) -> None:
    filled = {file.class_name for file in files if file.split == TRAIN}
    for name in classes:
        if name not in filled:
            raise UserError(f"{root!r}: the class {name!r} has no file to train on")


def _folders(path: str) -> list[str]:
    return [
        entry.name for entry in folders.entries(path) if folders.is_dir(entry) and not folders.is_hidden(entry.name)
    ]


def _loose_files(root: str, folder: str, split: str) -> Iterator[File]:
    for entry in folders.entries(os.path.join(root, folder)):
        path = os.path.join(folder, entry.name)
        if folders.is_hidden(entry.name):
            yield File(path, split, "", folders.HIDDEN)
        elif not folders.is_dir(entry):
            yield File(path, split, "", "not in a class folder")


def _class_files(root: str, folder: str, split: str, classes: list[str]) -> Iterator[File]:
    for name in classes:
        for path, problem in folders.walk(root, os.path.join(folder, name)):
            yield File(path, split, name, problem)
