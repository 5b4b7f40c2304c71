"""The container image, as far as it can be told without building one, which `.ci/lane_b` does."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from workplace import REPOSITORY

DOCKERFILE = REPOSITORY / "Dockerfile"


def test_an_edit_of_the_code_installs_nothing_again_and_nothing_runs_as_root() -> None:
    without_comments = re.sub(r"^\s*#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE)
    instructions = without_comments.replace("\\\n", "").splitlines()
    installs = [index for index, one in enumerate(instructions) if "pip install" in one]
    code = [index for index, one in enumerate(instructions) if one.startswith("COPY components")]
    assert installs
    assert max(installs) < min(code)
    for index in installs:
        assert "--require-hashes" in instructions[index]
    *_, user = (one for one in instructions if one.startswith("USER"))
    assert user == "USER 1000:1000"


def test_the_linter_has_nothing_to_say() -> None:
    linter = Path(sys.executable).parent / "hadolint"
    if not linter.exists():
        pytest.skip("hadolint is not installed")
    subprocess.run([str(linter), str(DOCKERFILE)], check=True)
