"""The container image, as far as it can be told without building one; `.ci/replay_dockerfile.py` goes further."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

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


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "context"
    (folder / "code" / "__pycache__").mkdir(parents=True)
    (folder / "code" / "a.py").write_text("a = 1")
    (folder / "LICENSE").write_text("all")
    (folder / ".dockerignore").write_text("*\n!code\n!LICENSE\n**/__pycache__\n")
    (tmp_path / "roots" / "trixie").mkdir(parents=True)
    monkeypatch.setattr(replay_dockerfile, "_CONTEXT", folder)
    return folder


_STAGES = """
FROM debian:13-slim AS first
WORKDIR /a
COPY LICENSE ./
ARG GPU=
ARG TEST=2
FROM first
ENV PATH=/a:$PATH
COPY code code
COPY --from=first /a /b
USER 1000:1000
"""


def _replay(folder: Path, text: str = _STAGES, **arguments: str) -> Any:
    replay = replay_dockerfile.Replay(folder / "roots", arguments)
    replay.do_all(replay_dockerfile.parse(text))
    return replay


def test_a_stage_begins_with_another_and_takes_files_from_it(tmp_path: Path, context: Path) -> None:
    replay = _replay(tmp_path, GPU="1")
    image = tmp_path / "roots" / "image"
    files = sorted(str(path.relative_to(image)) for path in image.rglob("*") if path.is_file())
    assert files == ["a/LICENSE", "a/code/a.py", "b/LICENSE"]
    assert replay.stage.environment["PATH"].startswith("/a:/usr/local/sbin:")
    assert replay.stage.user == "1000:1000"
    assert "GPU" not in replay.stage.variables, "an argument ends with its stage"
    assert _replay(tmp_path, _STAGES.partition("FROM first")[0], GPU="1").stage.variables.items() >= {
        ("GPU", "1"),
        ("TEST", "2"),
    }


def test_a_stage_is_made_again_only_where_something_of_it_changed(tmp_path: Path, context: Path) -> None:
    def kept(**arguments: str) -> list[bool]:
        for name in ("first", "image"):
            (tmp_path / "roots" / name / f"made-{name}").touch()
        _replay(tmp_path, **arguments)
        return [(tmp_path / "roots" / name / f"made-{name}").exists() for name in ("first", "image")]

    _replay(tmp_path)
    assert kept() == [True, True]
    (context / "code" / "a.py").write_text("a = 2")
    assert kept() == [True, False]
    assert (tmp_path / "roots" / "image" / "a" / "code" / "a.py").read_text() == "a = 2"
    assert kept(OTHER="1") == [True, True]
    assert kept(GPU="1") == [False, False]


@pytest.mark.parametrize("line", ["ADD a b", "FROM alpine", "COPY tests /x"])
def test_what_the_replay_does_not_know_stops_it(line: str, tmp_path: Path, context: Path) -> None:
    with pytest.raises(replay_dockerfile.UnknownInstructionError):
        _replay(tmp_path, line if line.startswith("FROM") else f"{_STAGES}{line}")


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
