"""What processes that share a folder make once."""

from pathlib import Path

from pipeline.engine import kept


def test_what_depends_on_the_same_is_made_once(tmp_path: Path) -> None:
    made: list[bytes] = []

    def make() -> bytes:
        made.append(b"%d" % len(made))
        return made[-1]

    folder = str(tmp_path / "kept")
    assert kept.get(folder, {"a": 1, "b": 2}, make) == b"0"
    assert kept.get(folder, {"b": 2, "a": 1}, make) == b"0"
    assert kept.get(folder, {"a": 1, "b": 3}, make) == b"1"
    assert kept.get(None, {"a": 1, "b": 2}, make) == b"2"
    assert len(list((tmp_path / "kept").iterdir())) == 2
    # Another user's pod may come next.
    assert all(path.stat().st_mode & 0o444 == 0o444 for path in (tmp_path / "kept").iterdir())
