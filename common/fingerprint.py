"""Fingerprints of the code that a step runs, so that an edit of it is not answered from the cache.

TFX caches by inputs and parameters alone: a step would be taken from the cache after its code changed. Each step's
driver therefore adds `of_code` to the parameters.
"""

import ast
import functools
import hashlib
import importlib.metadata
import importlib.util
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from common.packages import PACKAGES

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


class _Module(NamedTuple):
    """What a module is for whoever imports it.

    Attributes:
      digest: hash of its syntax tree and of what lies beside it, but for Python's own and hidden files.
      imports: absolute names that it imports, those of functions and classes among them.
    """

    digest: str
    imports: frozenset[str]


def of_code(*modules: str) -> str:
    """Hash of what `reach` finds. Comments, docstrings and the layout of the code do not matter.

    Args:
      modules: dotted names, such as "components.trainer.run_fn".

    Returns:
      16 hexadecimal digits.
    """
    found, versions = reach(*modules)
    lines = [f"{name} {text}" for part in (found, versions) for name, text in sorted(part.items())]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def reach(*modules: str) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """What modules depend on.

    What no installed distribution brings is followed from import to import, in functions too. A file is read once in
    a process, as Python does: an edit during a run is not what runs.

    Args:
      modules: as in `of_code`; a module of a distribution may be among them.

    Returns:
      The hash of each module that is reached by its name, and the version of each distribution by its name.
    """
    found: dict[str, str] = {}
    libraries: set[str] = set()
    todo = [*modules]
    while todo:
        name = todo.pop()
        module = None if name in found else _read(name)
        if module is None:
            continue
        found[name] = module.digest
        for imported in module.imports:
            if _is_followed(imported):
                todo.append(imported)
            else:
                libraries |= _distributions_of(imported)
    return found, {name: importlib.metadata.version(name) for name in libraries}


def forget() -> None:
    """Lets the next call read all files anew."""
    _read.cache_clear()
    _distributions.cache_clear()


def _is_followed(name: str) -> bool:
    top = name.split(".")[0]
    return top in PACKAGES or not (top in sys.stdlib_module_names or _distributions_of(name))


@functools.cache
def _read(name: str) -> _Module | None:
    """None where the name is not a module's: then it is a class or a function, or a folder without code."""
    source = _source(name)
    if source is None:
        return None
    tree = ast.parse(source.read_bytes())
    imports = frozenset(_with_parents(name, *_imports(tree, name, source.stem == "__init__")))
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            del node.body[0]
    digest = hashlib.sha256(ast.dump(tree).encode())
    for path in sorted(source.parent.iterdir()):
        if path.is_file() and path.suffix not in (".py", ".pyc") and not path.name.startswith("."):
            digest.update(f"\0{path.name}\0".encode() + path.read_bytes())
    return _Module(digest.hexdigest(), imports)


def _source(name: str) -> Path | None:
    """A module's file, found without importing anything."""
    top, *rest = name.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None:
        return None
    if spec.submodule_search_locations is None:
        return None if rest or not spec.has_location else Path(str(spec.origin))
    for folder in spec.submodule_search_locations:
        path = Path(folder, *rest)
        for file in (path / "__init__.py", path.with_name(f"{path.name}.py")):
            if file.is_file():
                return file
    return None


def _imports(tree: ast.AST, module: str, is_package: bool) -> Iterator[str]:
    package = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _with_parents(*names: str) -> Iterator[str]:
    """To import a module is to import the packages that it lies in."""
    for name in names:
        parts = name.split(".")
        yield from (".".join(parts[:length]) for length in range(1, len(parts) + 1))


def _distributions_of(name: str) -> set[str]:
    return {one for prefix in _with_parents(name) for one in _distributions().get(prefix, ())}


@functools.cache
def _distributions() -> dict[str, set[str]]:
    """Names of distributions by the outermost packages and modules that each brings, such as "google.protobuf".

    The standard library's `packages_distributions` knows some only from Python 3.11 on, and of "google" all that share
    it.
    """
    found = defaultdict(set)
    for distribution in importlib.metadata.distributions():
        lines = (distribution.read_text("RECORD") or "").splitlines()
        parts = [tuple(line.partition(",")[0].split("/")) for line in lines if ".py," in line]
        packages = {path[:-1] for path in parts if path[-1] == "__init__.py"}
        outermost = {path for path in packages if path[:-1] not in packages}
        for path in outermost | {(path[0].removesuffix(".py"),) for path in parts if len(path) == 1}:
            found[".".join(path)].add(distribution.metadata["Name"])
    return found
