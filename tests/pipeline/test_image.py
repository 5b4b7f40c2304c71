"""The container image, as far as it can be told without building one; `.ci/replay_dockerfile.py` goes further."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from workplace import REPOSITORY

DOCKERFILE = REPOSITORY / "Dockerfile"


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("replay_dockerfile", REPOSITORY / ".ci" / "replay_dockerfile.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


replay_dockerfile = _load()


def test_lines_that_go_on_and_comments_between_them_are_one_instruction() -> None:
    text = "# first\nfrom a AS b\n\nRUN one && \\\n  # not this\n    two \\\n  three\nENV A=1\n"
    assert replay_dockerfile.parse(text) == [("FROM", "a AS b"), ("RUN", "one && two three"), ("ENV", "A=1")]


def test_variables_have_the_values_of_their_stage() -> None:
    assert replay_dockerfile.expand("$A/${B}:$C", {"A": "1", "B": "2"}) == "1/2:"


def test_what_dockerignore_lets_through_is_what_is_named() -> None:
    assert replay_dockerfile.in_context("# c\n*\n!a\n!b.lock\n**/__pycache__\n") == ["a", "b.lock"]
    with pytest.raises(replay_dockerfile.UnknownInstructionError):
        replay_dockerfile.in_context("!a\n*\n")


def test_a_stage_sees_its_arguments_copies_from_others_and_stops_at_what_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "trixie").mkdir()
    replay = replay_dockerfile.Replay(tmp_path, {"GPU": "1"})
    text = "FROM debian:13-slim AS first\nWORKDIR /a\nCOPY LICENSE configs/default.yaml ./\nARG GPU=\nARG TEST=2\n"
    for instruction in replay_dockerfile.parse(text):
        replay.do(instruction)
    assert replay.stage.variables["GPU"] == "1"
    assert replay.stage.variables["TEST"] == "2"
    for instruction in replay_dockerfile.parse(
        "FROM first\nENV PATH=/a:$PATH\nCOPY --from=first /a /b\nUSER 1000:1000"
    ):
        replay.do(instruction)
    assert sorted(path.name for path in (tmp_path / "image" / "b").iterdir()) == ["LICENSE", "default.yaml"]
    assert replay.stage.environment["PATH"].startswith("/a:/usr/local/sbin:")
    assert "GPU" not in replay.stage.variables
    assert replay.stage.user == "1000:1000"
    for unknown in ("ADD a b", "FROM alpine", "COPY tests /x"):
        with pytest.raises(replay_dockerfile.UnknownInstructionError):
            replay.do(replay_dockerfile.parse(unknown)[0])


def test_an_edit_of_the_code_installs_nothing_again_and_nothing_runs_as_root() -> None:
    instructions = replay_dockerfile.parse(DOCKERFILE.read_text())
    installs = [index for index, one in enumerate(instructions) if "pip install" in one.rest]
    code = [index for index, one in enumerate(instructions) if one.name == "COPY" and "components" in one.rest]
    assert installs
    assert max(installs) < min(code)
    for index in installs:
        assert "--require-hashes" in instructions[index].rest
    *_, user = (one.rest for one in instructions if one.name == "USER")
    assert user == "1000:1000"


def test_the_linter_has_nothing_to_say() -> None:
    linter = Path(sys.executable).parent / "hadolint"
    if not linter.exists():
        pytest.skip("hadolint is not installed")
    subprocess.run([str(linter), str(DOCKERFILE)], check=True)
