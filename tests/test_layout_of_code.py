"""Imports go down the packages alone, steps know nothing of each other, and a file name means one module."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from workplace import REPOSITORY

from common.packages import PACKAGES

# Each step may have one of these, and they mean the same in all of them.
_SHARED_NAMES = {"__init__.py", "__main__.py", "component.py", "driver.py", "executor.py", "facts.py"}
_STEPS = "components"


def _modules(root: Path) -> Iterator[Path]:
    """The product's modules, relative to its root."""
    for package in PACKAGES:
        yield from sorted(path.relative_to(root) for path in (root / package).rglob("*.py"))


def _imports(root: Path, module: Path) -> Iterator[tuple[int, tuple[str, ...]]]:
    """The line and the parts of each name that a module imports, in functions and for type checkers too."""
    for node in ast.walk(ast.parse((root / module).read_bytes())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = module.parts[: len(module.parts) - node.level] if node.level else ()
            base = ".".join([*above, *filter(None, [node.module])])
            names = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from ((node.lineno, tuple(name.split("."))) for name in names)


def _wrong_imports(root: Path) -> list[str]:
    found = []
    for module in _modules(root):
        package, inside = module.parts[0], module.parts[1]
        for line, (top, *rest) in _imports(root, module):
            if top not in PACKAGES:
                continue
            if PACKAGES.index(top) < PACKAGES.index(package):
                found.append(f"{module}:{line}: {package} imports {top}, which is above it")
            elif package == top == _STEPS and rest[:1] != [inside]:
                found.append(f"{module}:{line}: the step {inside} imports {'.'.join([top, *rest])}, of another step")
    return found


def _shared_names(root: Path) -> list[list[str]]:
    by_name = defaultdict(list)
    for module in _modules(root):
        if module.name not in _SHARED_NAMES:
            by_name[module.name].append(str(module))
    return [paths for paths in by_name.values() if len(paths) > 1]


def test_imports_go_down_alone_and_no_step_imports_another() -> None:
    assert _wrong_imports(REPOSITORY) == []


def test_no_two_modules_have_the_same_name() -> None:
    assert _shared_names(REPOSITORY) == []


def test_components_holds_nothing_but_folders_of_steps() -> None:
    files = [path.name for path in (REPOSITORY / _STEPS).iterdir() if path.is_file()]
    assert files == ["__init__.py"]


def _write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("common/errors.py", "from imaging import tags"),
        ("imaging/tags.py", "import modeling.head"),
        ("modeling/head.py", "from components.pusher.executor import Executor"),
        ("modeling/weights/files.py", "def load():\n    from pipeline import dag"),
        ("components/pusher/executor.py", "from pipeline.config import Config"),
        ("components/pusher/executor.py", "from components.trainer import fit"),
        ("components/pusher/executor.py", "from components import trainer"),
        ("components/pusher/executor.py", "from ..trainer import fit"),
    ],
)
def test_a_wrong_import_is_found(module: str, line: str, tmp_path: Path) -> None:
    (found,) = _wrong_imports(_write(tmp_path, {module: line}))
    assert found.startswith(f"{module}:{line.count(chr(10)) + 1}: ")


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("components/pusher/component.py", "from components.pusher import executor"),
        ("components/pusher/executor.py", "from modeling import head\nfrom common import errors"),
        ("components/pusher/executor.py", "from . import versions\nfrom tfx.components import Pusher"),
        ("pipeline/dag.py", "from components.pusher.component import Pusher"),
    ],
)
def test_a_right_import_is_not(module: str, line: str, tmp_path: Path) -> None:
    assert _wrong_imports(_write(tmp_path, {module: line})) == []


def test_a_second_module_of_a_name_is_found(tmp_path: Path) -> None:
    names = ["pipeline/viewer/page.py", "components/report/page.py", "components/a/driver.py", "components/b/driver.py"]
    assert _shared_names(_write(tmp_path, dict.fromkeys(names, ""))) == [names[:2]]
