"""An edit of code that a step runs changes the step's fingerprint; any other edit does not."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from common import fingerprint


@pytest.fixture
def package(tmp_path: Path) -> Iterator[Path]:
    root = tmp_path / "toy_steps"
    root.mkdir()
    (root / "__init__.py").write_text("")
    (root / "step.py").write_text("def run():\n    from toy_steps import helper\n    return helper.value\n")
    (root / "helper.py").write_text("import os\nfrom toy_steps.deep import thing\nvalue = thing\n")
    (root / "deep.py").write_text("thing = 1\n")
    (root / "unrelated.py").write_text("x = 1\n")
    sys.path.insert(0, str(tmp_path))
    importlib.invalidate_caches()
    yield root
    sys.path.remove(str(tmp_path))
    for name in [name for name in sys.modules if name.startswith("toy_steps")]:
        del sys.modules[name]


@pytest.mark.parametrize("edited", ["step.py", "helper.py", "deep.py"])
def test_an_edit_of_what_the_step_imports_changes_it(package: Path, edited: str) -> None:
    before = fingerprint.of_code("toy_steps.step")
    with (package / edited).open("a") as file:
        file.write("# edited\n")
    assert fingerprint.of_code("toy_steps.step") != before


def test_an_edit_elsewhere_does_not(package: Path) -> None:
    before = fingerprint.of_code("toy_steps.step")
    (package / "unrelated.py").write_text("x = 2\n")
    assert fingerprint.of_code("toy_steps.step") == before


def test_the_trainer_depends_on_its_model_and_not_on_ingestion() -> None:
    modules = fingerprint._closure("components.trainer.run_fn")
    assert {"modeling.head", "modeling.signatures", "modeling.backbones"} <= modules
    assert not any(name.startswith("components.image_example_gen") for name in modules)
