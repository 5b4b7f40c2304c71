"""Folders that a step's user may not write: what is told, and to whom."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.errors import UserError
from pipeline.engine import writable

_OTHER_USER = 12345


@pytest.fixture
def locked() -> Iterator[Path]:
    """A folder, reached by all, that the user of the test may not write; root could, and becomes another one."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "claim")
        folder.mkdir()
        (folder / "metadata.db").touch(0o444)
        folder.chmod(0o555)
        Path(name).chmod(0o755)
        was_root = os.geteuid() == 0
        if was_root:
            os.setegid(_OTHER_USER)
            os.seteuid(_OTHER_USER)
        yield folder
        if was_root:
            os.seteuid(0)
            os.setegid(0)
        folder.chmod(0o755)


@pytest.mark.parametrize("path", ["", "pipeline/Trainer", "metadata.db"])
def test_user_path_owner_and_remedy_are_one_line(path: str, locked: Path) -> None:
    found = locked / path if path == "metadata.db" else locked
    user, group = os.geteuid(), os.getegid()
    owner = found.stat()
    with pytest.raises(UserError) as caught:
        writable.check("--pipeline-root", str(locked / path))
    assert str(caught.value) == (
        f"--pipeline-root: user {user} (group {group}) cannot write to '{found}', which belongs to "
        f"{owner.st_uid}:{owner.st_gid} with mode {owner.st_mode & 0o777:o}; either let the pods have "
        f"`fsGroup: {group}` in their securityContext, or change the owner on the volume: "
        f"chown -R {user}:{group} {found}"
    )


def test_what_can_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "metadata.db").write_text("content")
    for path in ("", "serving/models", "metadata.db"):
        writable.check("--serving", str(tmp_path / path))
    assert [path.name for path in tmp_path.iterdir()] == ["metadata.db"]
    assert (tmp_path / "metadata.db").read_text() == "content"
