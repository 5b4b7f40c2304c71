"""An edit of what a step runs changes the step's fingerprint; any other edit does not."""

import importlib
import importlib.metadata
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from common import fingerprint
from common.packages import PACKAGES

_STEP = '''"""A step."""

from . import templates
from .deep import thing
import toy_library.parts


class Step:
    """Runs."""

    def run(self):
        """Runs."""
        from toy_steps import helper  # late
        return helper.value
'''


@pytest.fixture
def package(tmp_path: Path) -> Iterator[Path]:
    files = {
        "toy_steps/__init__.py": "",
        "toy_steps/step.py": _STEP,
        "toy_steps/helper.py": "import os\nfrom toy_steps.inner.deepest import value\n",
        "toy_steps/deep.py": "thing = 1\n",
        "toy_steps/inner/__init__.py": "",
        "toy_steps/inner/deepest.py": "from ..above import value\n",
        "toy_steps/above.py": "value = 1\n",
        "toy_steps/templates/__init__.py": "",
        "toy_steps/templates/page.html": "<p>",
        "toy_steps/templates/.page.html.swp": "<p",
        "toy_steps/unrelated.py": "x = 1\n",
        "toy_library/__init__.py": "",
        "toy_library/parts.py": "",
        "toy_library-1.0.dist-info/RECORD": "toy_library/__init__.py,,\ntoy_library/parts.py,,\n",
        "toy_library-1.0.dist-info/METADATA": "Name: toy-library\nVersion: 1.0\n",
        "other_library-1.0.dist-info/RECORD": "other_library/__init__.py,,\n",
        "other_library-1.0.dist-info/METADATA": "Name: other-library\nVersion: 1.0\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    yield tmp_path
    fingerprint.forget()


def _of_code(package: Path, *modules: str) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(package)])
        importlib.invalidate_caches()
        return fingerprint.of_code(*modules)


def _of_step(package: Path) -> str:
    """As a new process has it."""
    fingerprint.forget()
    return _of_code(package, "toy_steps.step")


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text or not text
    path.write_text(text.replace(old, new) if text else new)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("step.py", "helper.value", "helper.value + 1"),
        ("deep.py", "1", "2"),
        ("helper.py", "import os", "import re"),
        ("inner/__init__.py", "", "x = 1"),
        ("inner/deepest.py", "value", "value as value"),
        ("above.py", "1", "2"),
        ("templates/page.html", "<p>", "<b>"),
    ],
)
def test_an_edit_of_what_the_step_imports_changes_it(package: Path, file: str, old: str, new: str) -> None:
    before = _of_step(package)
    _edit(package / "toy_steps" / file, old, new)
    assert _of_step(package) != before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("unrelated.py", "1", "2"),
        ("templates/.page.html.swp", "<p", "<p>"),
        ("step.py", "# late", "# where it is needed"),
        ("step.py", '"""Runs."""', '"""Does it."""'),
        ("step.py", '"""A step."""\n\n', ""),
        ("deep.py", "thing = 1", "\nthing = (\n    1\n)"),
        ("inner/__init__.py", "", '"""What lies deep."""'),
    ],
)
def test_an_edit_elsewhere_or_of_words_alone_does_not(package: Path, file: str, old: str, new: str) -> None:
    before = _of_step(package)
    _edit(package / "toy_steps" / file, old, new)
    assert _of_step(package) == before


@pytest.mark.parametrize(("library", "changes"), [("toy_library", True), ("other_library", False)])
def test_a_new_version_of_what_the_step_imports_changes_it(package: Path, library: str, changes: bool) -> None:
    before = _of_step(package)
    _edit(package / f"{library}-1.0.dist-info" / "METADATA", "Version: 1.0", "Version: 1.1")
    assert (_of_step(package) != before) is changes


def test_code_that_is_edited_during_a_run_is_known_as_it_was_read(package: Path) -> None:
    before = _of_step(package)
    _edit(package / "toy_steps" / "deep.py", "1", "2")
    assert _of_code(package, "toy_steps.step") == before


def test_the_code_of_all_modules_counts(package: Path) -> None:
    before = _of_code(package, "toy_steps.step", "toy_steps.unrelated")
    _edit(package / "toy_steps" / "unrelated.py", "1", "2")
    fingerprint.forget()
    assert _of_code(package, "toy_steps.step", "toy_steps.unrelated") != before


@pytest.mark.parametrize(
    ("module", "modules", "libraries"),
    [
        (
            "components.trainer.run_fn",
            {"modeling.head", "modeling.signatures", "modeling.weights.imagenet"},
            {"ml-pipelines-sdk", "tensorflow", "keras", "numpy", "tensorflow-transform"},
        ),
        (
            "components.image_example_gen.executor",
            {"imaging.normalising", "common.escaping"},
            {"ml-pipelines-sdk", "tensorflow", "apache-beam", "pillow", "imagehash"},
        ),
        ("components.evaluator.executor", {"modeling.served"}, {"tensorflow-model-analysis", "protobuf"}),
        # TFX's own, of which the versions tell all.
        ("tfx.components.statistics_gen.executor", set(), {"tfx", "tensorflow-data-validation"}),
    ],
)
def test_a_step_depends_on_its_modules_and_libraries(module: str, modules: set[str], libraries: set[str]) -> None:
    found, versions = fingerprint.reach(module)
    assert {module, *modules} <= found.keys()
    assert libraries <= {name.lower().replace("_", "-") for name in versions}
    assert {name.split(".")[0] for name in found} <= {*PACKAGES, module.split(".")[0]}
    assert versions["ml-pipelines-sdk"] == importlib.metadata.version("tfx")


def test_the_trainer_does_not_depend_on_ingestion() -> None:
    modules, _ = fingerprint.reach("components.trainer.run_fn")
    assert not any(name.startswith("components.image_example_gen") for name in modules)
