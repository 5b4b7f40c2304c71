"""What `make setup` installs: what the lock says, byte by byte, or nothing."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


def _make_wheel(folder: Path, name: str) -> str:
    """Makes a package of one empty module; returns its line in a lock."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{name}.py", "")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    return f"{name}==1.0 \\\n    --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose lock names two packages, which lie in its folder `wheels`."""
    shutil.copy(REPOSITORY / "setup.sh", tmp_path)
    (tmp_path / "wheels").mkdir()
    # `wheel` comes first: what builds the others.
    lock = [_make_wheel(tmp_path / "wheels", name) for name in ("one_package", "wheel")]
    (tmp_path / "requirements.lock").write_text("".join(lock))
    return tmp_path


def _set_up(project: Path) -> "subprocess.CompletedProcess[str]":
    python = os.path.join(sys.base_prefix, "bin", f"python{sys.version_info[0]}.{sys.version_info[1]}")
    return subprocess.run(
        ["./setup.sh"],
        cwd=project,
        env={"HOME": str(project), "PATH": os.environ["PATH"], "PYTHON": python}
        | {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "wheels", "PIP_CONFIG_FILE": os.devnull},
        capture_output=True,
        text=True,
        check=False,
    )


def _has(project: Path, module: str) -> bool:
    return bool(list(project.glob(f".venv/lib/python*/site-packages/{module}.py")))


def test_what_the_lock_names_is_installed(project: Path) -> None:
    done = _set_up(project)
    assert (done.returncode, done.stderr) == (0, "")
    assert _has(project, "one_package")
    assert _has(project, "wheel")


def test_a_package_that_is_not_the_one_of_the_lock_is_refused_in_one_line(project: Path) -> None:
    lock = (project / "requirements.lock").read_text()
    start = lock.index("sha256:") + len("sha256:")
    (project / "requirements.lock").write_text(f"{lock[:start]}00000000{lock[start + 8 :]}")
    done = _set_up(project)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: pip could not install the packages: ERROR: THESE PACKAGES DO NOT MATCH THE HASHES")
    assert line.endswith("(all of it: .venv/install.log)")
    assert "one_package" in (project / ".venv" / "install.log").read_text()
    assert not _has(project, "one_package")
    assert not (project / ".venv" / "stamp").exists(), "the next `make` tries again"


def test_a_package_without_a_hash_is_refused(project: Path) -> None:
    with (project / "requirements.lock").open("a") as lock:
        _make_wheel(project / "wheels", "another")
        lock.write("another==1.0\n")
    done = _set_up(project)
    assert done.returncode == 1
    assert "another==1.0" in (project / ".venv" / "install.log").read_text()
    assert not _has(project, "another")


def test_every_package_of_the_locks_has_a_version_and_a_hash() -> None:
    for name in ("requirements.lock", "requirements-gpu.lock"):
        packages = re.split(r"^(?=\S)", (REPOSITORY / name).read_text(), flags=re.MULTILINE)[1:]
        assert packages
        for package in packages:
            assert re.match(r"[\w.-]+==[\w.+!]+ ;", package), package
            assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", package), package
