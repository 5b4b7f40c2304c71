"""The package: what its wheel holds, and that it runs where it is installed, without the repository."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml
from pictures import write_classes
from workplace import REPOSITORY, SMALL

from common.packages import PACKAGES
from pipeline import __version__

_COMMAND = "image-classification-pipeline"
_PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy with the installed setuptools and no network."""
    root = tmp_path_factory.mktemp("package")
    source = root / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    for name in (*PACKAGES, "configs", "tests"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / name, source / name, symlinks=True, ignore=ignore)
    command = [*_PIP, "wheel", "--no-index", "--no-deps", "--no-build-isolation", "-w", str(root), str(source)]
    subprocess.run(command, check=True)
    (built,) = root.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the wheel is installed in."""
    target = tmp_path_factory.mktemp("installed")
    subprocess.run([*_PIP, "install", "--no-index", "--no-deps", "--target", str(target), str(wheel)], check=True)
    return target


def _run(installed: Path, folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(installed / "bin" / _COMMAND), *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_wheel_holds_every_file_of_the_packages_and_nothing_else(wheel: Path) -> None:
    expected = {
        str(path.relative_to(REPOSITORY))
        for package in PACKAGES
        for path in (REPOSITORY / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    expected |= {f"pipeline/{path.relative_to(REPOSITORY)}" for path in (REPOSITORY / "configs").iterdir()}
    with zipfile.ZipFile(wheel) as file:
        held = {name for name in file.namelist() if ".dist-info/" not in name}
    assert held == expected
    assert wheel.name == f"image_classification_pipeline-{__version__}-py3-none-any.whl"


def test_the_installed_command_runs_from_any_folder(installed: Path, tmp_path: Path) -> None:
    done = _run(installed, tmp_path, "--version")
    assert (done.returncode, done.stdout) == (0, f"{_COMMAND} {__version__}\n")
    done = _run(installed, tmp_path, "predict", "--help")
    assert done.stdout.startswith(f"usage: {_COMMAND} predict ")
    done = _run(installed, tmp_path, "run", "--config", "cats_and_dogs", "--data", "nowhere")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: data folder '{tmp_path / 'nowhere'}' does not exist\n"


@pytest.mark.slow
def test_what_is_installed_trains_and_predicts(installed: Path, tmp_path: Path) -> None:
    done = _run(installed, tmp_path, "doctor")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    pictures = write_classes(tmp_path / "data", {"apple": 30, "berry": 30})
    (tmp_path / "small.yaml").write_text(yaml.safe_dump({**SMALL, "gate": {"min_accuracy": 0.0}}))
    done = _run(installed, tmp_path, "run", "--config", "small.yaml", "--data", str(pictures))
    assert done.returncode == 0, done.stderr
    picture = next((pictures / "apple").iterdir())
    done = _run(installed, tmp_path, "predict", str(picture), "--format", "csv")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 2
