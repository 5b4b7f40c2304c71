"""Lists folders of other people's pictures: no link leads out unasked, and none makes many files out of a few.

Standard library only, so that a command line can refuse a wrong folder before anything slow is imported.
"""

import os
import re
from collections.abc import Iterator

from common.errors import UserError

# What makes a path a pattern of names to TensorFlow and Beam.
_PATTERN = re.compile(r"[\[*?\\]")

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")

# Of what `walk` finds: not meant to be a picture, or not followed.
HIDDEN = "hidden, or a file of the system"
LEAVES = "a link that leaves the folder of pictures"
_READ_ANYWAY = "a link to a folder that is read anyway"

# What desktops, archives and network drives leave in folders, in lower case. Most of the rest begins with a dot.
_SYSTEM_NAMES = {
    "$recycle.bin",
    "@eadir",
    "__macosx",
    "desktop.ini",
    "ehthumbs.db",
    "icon\r",
    "lost+found",
    "system volume information",
    "thumbs.db",
}


def check(path: str, name: str, expected: str) -> str:
    """Makes sure that a folder is there and that its path can be stored.

    Args:
      path: may be relative.
      name: what the folder is called in a message, such as "data folder".
      expected: what it should be, for the message.

    Returns:
      The absolute path.

    Raises:
      UserError: it is missing, or a file, or the path is not valid UTF-8.
    """
    path = os.path.abspath(path)
    if not os.path.exists(path):
        raise UserError(f"{name} {path!r} does not exist")
    if not os.path.isdir(path):
        raise UserError(f"{name} {path!r} is a file; expected {expected}")
    if not is_utf8(path):
        raise UserError(f"{name} {path!r}: the path is not valid UTF-8")
    return path


def is_address(path: str) -> bool:
    """Whether a path is none of this machine, such as `s3://bucket/folder`; it would be a folder called "s3:"."""
    return bool(_ADDRESS.match(path))


def check_no_pattern(option: str, folder: str) -> None:
    """Makes sure that TensorFlow finds the files of a folder there and nowhere else: it would read `run[1]` as `run1`.

    Args:
      option: how the folder is given, for the message.
      folder: absolute, or an address.

    Raises:
      UserError: it may name others.
    """
    if found := _PATTERN.search(folder):
        raise UserError(
            f"{option}: {folder!r} has a {found[0]!r}, which TensorFlow takes for part of a pattern of names; "
            f"expected a path without any of [ * ? \\"
        )


def walk(root: str, folder: str, follow_links: bool = False) -> Iterator[tuple[str, str]]:
    """Every file of a folder at any depth, by folder and name.

    Args:
      root: absolute.
      folder: relative to the root; empty for the root itself.
      follow_links: whether links are followed that leave the root; those that stay in it are.

    Yields:
      The path, relative to the root with slashes, and why there is nothing to open: `HIDDEN` for a file, or a folder
      with all that is in it, that `is_hidden`; `LEAVES`; empty where there may be a picture.

    Raises:
      UserError: a folder cannot be listed.
    """
    # Folders that link to each other would otherwise make any number of files out of a few.
    start = os.path.join(root, folder)
    read = {os.path.realpath(os.path.join(root, one)) for one in (folder, *above(folder))}
    # A stack, as folders may lie deeper than functions can call each other.
    stack = [(folder, os.path.realpath(start), iter(entries(start)))]
    while stack:
        inside, real, rest = stack[-1]
        entry = next(rest, None)
        if entry is None:
            stack.pop()
            continue
        path = os.path.join(inside, entry.name)
        if is_hidden(entry.name):
            yield path, HIDDEN
        elif entry.is_symlink() and not follow_links and leads_out(entry.path, root):
            yield path, LEAVES
        elif is_dir(entry):
            target = os.path.realpath(entry.path) if entry.is_symlink() else os.path.join(real, entry.name)
            if entry.is_symlink() and (target in read or not leads_out(root, target)):
                yield path, _READ_ANYWAY
            else:
                read.add(target)
                stack.append((path, target, iter(entries(entry.path))))
        elif is_file(entry):
            yield path, ""
        else:
            # To open a pipe would wait for ever.
            yield path, "a broken link" if entry.is_symlink() else "not a regular file"


def above(folder: str) -> list[str]:
    """The folders that a relative path leads through, from the nearest to the root, which is empty."""
    passed = []
    while folder:
        folder = os.path.dirname(folder)
        passed.append(folder)
    return passed


def entries(path: str) -> list[os.DirEntry[str]]:
    """What a folder holds, by name.

    Raises:
      UserError: it cannot be listed.
    """
    try:
        with os.scandir(path) as found:
            return sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        raise UserError(f"cannot list the folder {path!r}: {error.strerror}") from error


def is_hidden(name: str) -> bool:
    """Whether a file or folder is none of the user's pictures: it begins with a dot, or belongs to the system."""
    return name.startswith(".") or is_system(name)


def is_system(name: str) -> bool:
    """Whether a file or folder is one that a system leaves beside pictures without hiding it, such as Thumbs.db."""
    return name.lower() in _SYSTEM_NAMES


def is_dir(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder, or a link to one."""
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, or to a name that is too long
        return False


def is_file(entry: os.DirEntry[str]) -> bool:
    """Whether it is a regular file, or a link to one."""
    try:
        return entry.is_file()
    except OSError:  # as in is_dir
        return False


def leads_out(path: str, root: str) -> bool:
    """Whether a path, with all links followed, lies outside of a folder."""
    real_root = os.path.realpath(root)
    return os.path.commonpath([real_root, os.path.realpath(path)]) != real_root


def is_utf8(name: str) -> bool:
    """Whether a name is text."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
