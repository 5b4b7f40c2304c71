"""Content hashes: of a file, and of a whole data set."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from common import escaping, progress

# Drivers leave a data set's hash under this name among a step's parameters.
FINGERPRINT = "fingerprint"
_CHUNK = 1 << 20
_QUEUE = 1000


def sha256_of_file(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's bytes, 64 hexadecimal digits.

    Raises:
      OSError: the file cannot be read.
    """
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def sha256_if_readable(path: str | os.PathLike[str]) -> str:
    """As `sha256_of_file`; empty where the file cannot be read."""
    try:
        return sha256_of_file(path)
    except OSError:
        return ""


def sha256_of_bytes(data: bytes) -> str:
    """SHA-256, 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def hash_files(root: str, files: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Hashes files in threads, and tells the progress.

    Args:
      root: their folder.
      files: relative path of each, and why there is nothing to open, if so.

    Returns:
      Relative path and SHA-256 of each file; empty where it cannot be read.
    """
    progress.start(len(files), "files hashed")

    def _hash(file: tuple[str, str]) -> tuple[str, str]:
        path, problem = file
        sha256 = "" if problem else sha256_if_readable(os.path.join(root, path))
        progress.advance()
        return path, sha256

    hashes: list[tuple[str, str]] = []
    with ThreadPoolExecutor() as threads:
        # A call that waits its turn takes more memory than its file's name.
        for start in range(0, len(files), _QUEUE):
            hashes += threads.map(_hash, files[start : start + _QUEUE])
    return hashes


def fingerprint(files: Iterable[tuple[str, str]]) -> str:
    """Hash of a data set's content: neither times, nor the root's place, nor the listing's order matter.

    Args:
      files: relative path and SHA-256 of each file.

    Returns:
      64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for path, sha256 in sorted(files):
        # Escaped, a path holds no line break, so that no two sets of files give the same text.
        digest.update(f"{sha256} {escaping.escape(path)}\n".encode())
    return digest.hexdigest()
