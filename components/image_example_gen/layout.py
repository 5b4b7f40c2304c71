"""Where the pictures lie: `root/<class>/...`, `root/<split>/<class>/...`, or as a table says.

Standard library only, so that a command line can refuse a wrong folder before anything slow is imported.
"""

import difflib
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from common import folders, not_pictures
from common.errors import TransientError, UserError
from common.examples import TEST, TRAIN
from components.image_example_gen import group_names, listing, metadata, reading, table
from components.image_example_gen.found_file import File
from components.image_example_gen.reading import AS_FOUND, Options, alike
from components.image_example_gen.table import Columns, Table

_LEAVES = f"{folders.LEAVES}; ingest.follow_links: true follows it"
_EXPECTED = f"a folder of class folders, or a table of labels ({', '.join(table.SUFFIXES)})"
_NO_PICTURE = "not a picture"
_PICTURES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
_SHOWN_CLASSES = 5  # in a message
# Of folders with a dot that hold pictures: those of tools, and not classes such as ".net".
_OF_TOOLS = {".cache", ".git", ".ipynb_checkpoints", ".svn", ".thumbnails", ".trash"}


class Layout(NamedTuple):
    """What a data folder holds. What is not among the files is no part of the data set.

    Attributes:
      data: the folder or the table, absolute.
      root: the folder, or the table's.
      options: how it was read.
      splits: the folder of each split that has one, or the table that gives it, relative to the root; train's alone
        where there are no splits.
      classes: the classes of train, sorted by code points: the index is the class id.
      files: every file but the ignored and the others, sorted by folder and name.
      left_out: paths of folders that belong to no class or split, with the reasons.
      ignored: paths of hidden files and folders and those of the system, as `folders.is_hidden` has it.
      others: paths of the files that are no pictures, as `not_pictures` has it.
      unlabelled: paths of files that a table lists without a label.
      unlisted: paths of files that lie among those of a table and are not in it.
      columns: those that were read of each table of labels, by its path relative to the root.
    """

    data: str
    root: str
    options: Options
    splits: dict[str, str]
    classes: list[str]
    files: list[File]
    left_out: list[tuple[str, str]]
    ignored: list[str]
    others: list[str]
    unlabelled: Sequence[str] = ()
    unlisted: Sequence[str] = ()
    columns: Mapping[str, Columns] = MappingProxyType({})

    def counts(self, split: str | None = None) -> Counter[str]:
        """The number of files that may be pictures of each class, of one split or of all."""
        files = (file for file in self.files if not file.problem and split in (None, file.split))
        return Counter(file.class_name for file in files)


def arguments(parameters: Mapping[str, Any]) -> tuple[str, Options]:
    """Those of `find`, from a step's parameters."""
    options = Options(
        layout=parameters["layout"],
        follow_links=bool(parameters["follow_links"]),
        strict=bool(parameters["strict"]),
        group=parameters["group"],
        columns=Columns(**parameters["columns"]),
    )
    return parameters["data"], options


def find(data: str, options: Options = AS_FOUND) -> Layout:
    """Finds the pictures' files.

    `split_names` says which folders are named as splits, and `reading` which of them are. Files count at any depth of a
    class folder; hidden files and folders, and those of the system, are ignored at any depth. A folder in which there
    is nothing else is left out.

    Args:
      data: the data folder, or a table of labels.
      options: how to read it.

    Raises:
      UserError: the folder or the table is missing or unreadable, or its layout is none that is known, or could be two;
        or something is left out and must not be.
    """
    if table.is_one(data):
        path = os.path.abspath(data)
        root = folders.check(os.path.dirname(path), "data folder", expected="a folder")
        found = _find_listed(path, root, [(table.open_table(path, options.columns), "")], [], options)
    else:
        root = folders.check(data, "data folder", expected=_EXPECTED)
        tables, left_out = metadata.find(root, options)
        found = _find_listed(root, root, tables, left_out, options) if tables else _find_in_folders(root, options)
    if options.strict:
        _check_nothing_left_out(found)
    if name := group_names.by_path(options.group):
        found = found._replace(files=[file._replace(group=name(file.path)) for file in found.files])
    return found


def _find_in_folders(root: str, options: Options) -> Layout:
    splits, left_out = reading.read(root, options)
    classes = {split: _classes(root, folder, options) for split, folder in splits.items()}
    if not classes[TRAIN]:
        expected = f"{os.path.join(root, '<class>', '<picture>')} or {os.path.join(root, 'train', '<class>')}"
        raise UserError(f"no class folder in {root!r}; expected {expected}")
    listed = [*_loose_files(root, splits.values()), *_class_files(root, splits, classes, options)]
    ignored = [file.path for file in listed if file.problem == folders.HIDDEN]
    others = [file.path for file in listed if file.problem == _NO_PICTURE]
    files = [file for file in listed if file.problem not in (folders.HIDDEN, _NO_PICTURE)]
    left_out += _empty_classes(splits, classes, files)
    left_out += _hidden_classes(root, splits, ignored)
    trained = sorted({file.class_name for file in files if file.split == TRAIN} - {""})
    _check_classes(root, trained, files, left_out)
    splits = {split: folder for split, folder in splits.items() if any(file.split == split for file in files)}
    ignored = sorted(set(ignored).difference(path for path, _ in left_out))
    return Layout(root, root, options, splits, trained, files, left_out, ignored, others)


def _find_listed(
    data: str, root: str, tables: list[tuple[Table, str]], left_out: list[tuple[str, str]], options: Options
) -> Layout:
    found = listing.read(
        root, tables, follow_links=options.follow_links, split_folders=options.layout != reading.CLASSES
    )
    classes = sorted({file.class_name for file in found.files if file.split == TRAIN})
    _check_classes(data, classes, found.files, left_out)
    columns = {os.path.relpath(one.path, root): one.columns for one, _ in tables}
    return Layout(data, root, options, classes=classes, left_out=left_out, columns=columns, **found._asdict())


def _check_nothing_left_out(layout: Layout) -> None:
    left_out = [
        *layout.left_out,
        *((path, "it has no label") for path in layout.unlabelled),
        *((path, "it is not in the table") for path in layout.unlisted),
        *((path, "it is not a picture") for path in layout.others),
    ]
    if left_out:
        path, reason = left_out[0]
        more = f", as would {len(left_out) - 1} more" if len(left_out) > 1 else ""
        raise UserError(
            f"{os.path.join(layout.root, path)!r} would be left out: {reason}{more}; "
            f"remove it, or set ingest.strict: false"
        )


def check_tested(layout: Layout, class_names: Iterable[str], setting: str, way_out: str) -> None:
    """Makes sure that classes can have test pictures. Where there is no test folder, ingestion decides whether they do.

    Args:
      layout: of the data folder.
      class_names: the classes that are to be measured one by one.
      setting: what measures them, for messages.
      way_out: what to do if a class shall have no test pictures; the end of a sentence.

    Raises:
      UserError: one of them is no class, or has no file in the test folder.
    """
    tested = {file.class_name for file in layout.files if file.split == TEST and not file.problem}
    for name in class_names:
        if name not in layout.classes:
            near = difflib.get_close_matches(name, layout.classes) or layout.classes[:_SHOWN_CLASSES]
            raise UserError(
                f"{setting}: {layout.data!r} holds no class {name!r}; "
                f"expected one of its {len(layout.classes)} classes, such as {', '.join(map(repr, near))}"
            )
        if TEST in layout.splits and name not in tested:
            raise UserError(
                f"{setting}: the test split of {layout.data!r} holds no picture of the class {name!r}, "
                f"whose accuracy can therefore not be measured; add some or {way_out}"
            )


def check_unchanged(layout: Layout) -> None:
    """Called where a file that was listed cannot be read: it may be more than the file that is gone.

    Raises:
      TransientError: the folder is gone, as when a drive is unplugged, or holds other files by now.
    """
    try:
        now = find(layout.data, layout.options)
    except UserError as error:
        raise TransientError(f"the data folder disappeared while it was read: {error}") from error
    if now.files != layout.files:
        raise TransientError(
            f"data folder {layout.root!r} changed while it was read; run again when nothing changes it"
        )


def _classes(root: str, folder: str, options: Options) -> list[str]:
    """The names of a split's class folders."""
    where = os.path.join(root, folder)
    classes = [entry.name for entry in folders.entries(where) if _is_shown_folder(entry)]
    for name in classes:
        path = os.path.join(where, name)
        if not folders.is_utf8(name):
            raise UserError(f"class folder {path!r}: the name is not valid UTF-8")
        if not options.follow_links and folders.leads_out(path, root):
            raise UserError(
                f"class folder {path!r} is a link that leaves {root!r}; ingest.follow_links: true follows it"
            )
    return classes


def _is_shown_folder(entry: os.DirEntry[str]) -> bool:
    return folders.is_dir(entry) and not folders.is_hidden(entry.name)


def _spelled(root: str, classes: dict[str, list[str]]) -> dict[str, str]:
    """How train, or else the first split, spells each class. Cat and cat in one folder are a slip, not two classes."""
    spelled: dict[str, str] = {}
    for names in classes.values():
        seen: dict[str, str] = {}
        for name in names:
            other = seen.setdefault(alike(name), name)
            if other != name:
                raise UserError(
                    f"{root!r}: the class folders {other!r} and {name!r} differ only by case or accent form"
                )
        spelled = {**seen, **spelled}
    return spelled


def _check_classes(root: str, trained: list[str], files: list[File], left_out: list[tuple[str, str]]) -> None:
    known = set(trained)
    for file in files:
        if file.split != TRAIN and file.class_name not in known:
            raise UserError(f"{root!r}: the {file.split} split holds the class {file.class_name!r}, which train lacks")
    if len(trained) < 2:
        single = f"a single class, {trained[0]!r}" if trained else "no class with a file"
        unused = f" ({left_out[0][0]!r}: {left_out[0][1]})" if left_out else ""
        raise UserError(f"{root!r} holds {single}{unused}; a classifier needs two or more")
    usable = {file.class_name for file in files if file.split == TRAIN and not file.problem}
    for name in trained:
        if name not in usable:
            problems = Counter(file.problem for file in files if (file.split, file.class_name) == (TRAIN, name))
            problem, count = problems.most_common(1)[0]
            raise UserError(f"{root!r}: the class {name!r} has no file to train on: {count} x {problem}")


def _empty_classes(
    splits: dict[str, str], classes: dict[str, list[str]], files: list[File]
) -> Iterator[tuple[str, str]]:
    filled = {(file.split, alike(file.class_name)) for file in files}
    for split, names in classes.items():
        for name in names:
            if (split, alike(name)) not in filled:
                yield os.path.join(splits[split], name), "no file to use is in it"


def _hidden_classes(root: str, splits: dict[str, str], ignored: list[str]) -> Iterator[tuple[str, str]]:
    """Folders of pictures with a dot where the class folders are, such as a class ".net"."""
    for path in ignored:
        folder, name = os.path.split(path)
        where = os.path.join(root, path)
        may_be = folder in splits.values() and name.startswith(".") and name not in _OF_TOOLS and os.path.isdir(where)
        if may_be and any(entry.name.lower().endswith(_PICTURES) for entry in folders.entries(where)):
            yield path, "hidden, as its name begins with a dot; rename it if it is a class"


def _loose_files(root: str, splits: Iterable[str]) -> Iterator[File]:
    """Files beside class and split folders, and in the folders that hold those."""
    passed = {path for folder in splits for path in (folder, *folders.above(folder))}
    for folder in sorted(passed):
        for entry in folders.entries(os.path.join(root, folder)):
            path = os.path.join(folder, entry.name)
            if folders.is_hidden(entry.name):
                yield File(path, TRAIN, "", folders.HIDDEN)
            elif folders.is_file(entry) and not_pictures.is_one(entry.path):
                yield File(path, TRAIN, "", _NO_PICTURE)
            elif not folders.is_dir(entry):
                yield File(path, TRAIN, "", "not in a class folder")


def _class_files(root: str, splits: dict[str, str], classes: dict[str, list[str]], options: Options) -> Iterator[File]:
    spelled = _spelled(root, classes)
    for split, names in classes.items():
        for name in names:
            for path, problem in folders.walk(root, os.path.join(splits[split], name), options.follow_links):
                if problem == folders.LEAVES:
                    problem = _LEAVES
                elif not problem and not_pictures.is_one(os.path.join(root, path)):
                    problem = _NO_PICTURE
                yield File(path, split, spelled[alike(name)], problem)
