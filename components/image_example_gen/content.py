"""Content hashes: of a file, and of a whole data set."""

import hashlib
from collections.abc import Iterable

from components import names

_CHUNK = 1 << 20


def sha256_of(path: str) -> str:
    """SHA-256 of a file's bytes, 64 hexadecimal digits; empty where the file cannot be read."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError:
        return ""
    return digest.hexdigest()


def sha256_of_bytes(data: bytes) -> str:
    """SHA-256, 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


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
        digest.update(f"{sha256} {names.escape(path)}\n".encode())
    return digest.hexdigest()
