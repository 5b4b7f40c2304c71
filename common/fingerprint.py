"""Fingerprints of the code that a step runs, so that an edit of it is not answered from the cache.

TFX caches by inputs and parameters alone: a step whose function is named by a dotted path would be taken from the
cache after its code changed. Each step therefore carries `of_code(its module)` as a parameter.
"""

import ast
import hashlib
import importlib.metadata
import importlib.util
from collections.abc import Iterator
from pathlib import Path

from common.packages import PACKAGES

_LIBRARIES = ("tfx", "tensorflow", "keras")


def of_code(module: str) -> str:
    """Hash of a module, of all that it imports of this project, of the templates beside these, and of the library
    versions.

    Args:
      module: dotted name, such as "components.trainer.run_fn".

    Returns:
      16 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for name in sorted(_closure(module)):
        for file in _files(name):
            digest.update(f"{name}/{file.name}".encode() + b"\0" + file.read_bytes() + b"\0")
    for library in _LIBRARIES:
        digest.update(f"{library}=={importlib.metadata.version(library)}\0".encode())
    return digest.hexdigest()[:16]


def _closure(module: str) -> set[str]:
    seen: set[str] = set()
    todo = [module]
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo.extend(_local_imports(name))
    return seen


def _local_imports(module: str) -> Iterator[str]:
    """The modules of this project that a module's import statements name, those inside functions included."""
    packages = {*PACKAGES, module.split(".")[0]}
    for node in ast.walk(ast.parse(_source(module).read_bytes())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] in packages and _is_module(name))


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # the parent is a module, not a package: the name is a function or a class of it
        return False


def _files(module: str) -> list[Path]:
    """A module's source, and what is in its folder but for Python's own."""
    source = _source(module)
    beside = (path for path in source.parent.iterdir() if path.is_file() and path.suffix not in (".py", ".pyc"))
    return [source, *sorted(beside)]


def _source(module: str) -> Path:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"no source for module {module}")
    return Path(spec.origin)
