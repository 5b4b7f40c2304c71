"""Every file that the documents name exists."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from workplace import REPOSITORY

_LINK = re.compile(r"\]\(([^)#:]+)\)")
_CODE = re.compile(r"`([^`\s<>*]+)`")  # a pattern, or <version>, is in a run's output folder
_SOURCES = (".css", ".j2", ".js", ".lock", ".md", ".py", ".sh", ".toml")


def _missing(root: Path, text: str) -> list[str]:
    return sorted({path for path in _paths(root, text) if not (root / path).exists()})


def _paths(root: Path, text: str) -> Iterator[str]:
    """Paths from the root: links, and code that begins with a folder of the root or ends as a source file does."""
    yield from _LINK.findall(text)
    for code in _CODE.findall(text):
        first, slash, _ = code.partition("/")
        if (slash and first and (root / first).is_dir()) or code.endswith(_SOURCES):
            yield code


@pytest.mark.parametrize("document", sorted(path.name for path in REPOSITORY.glob("*.md")))
def test_a_document_names_files_that_exist(document: str) -> None:
    assert _missing(REPOSITORY, (REPOSITORY / document).read_text()) == []


def test_a_file_that_is_gone_is_found(tmp_path: Path) -> None:
    (tmp_path / "pipeline").mkdir()
    (tmp_path / "pipeline" / "dag.py").touch()
    text = "`pipeline/dag.py`, `pipeline/gone/`, `gone.py`, [gone](docs/gone.svg), [there](pipeline/dag.py), `a/b`"
    text += " `/elsewhere/b`, `pipeline/Trainer/*/model.keras`, [elsewhere](https://example.org/gone), [below](#gone)"
    assert _missing(tmp_path, text) == ["docs/gone.svg", "gone.py", "pipeline/gone/"]
