"""Made-up pictures are used, all of them: none is a copy, or looks like another."""

from pathlib import Path

from benchmarks import made_up
from imaging import likeness, normalising


def test_no_two_pictures_look_alike_and_more_of_them_hold_the_first(tmp_path: Path) -> None:
    few = made_up.write(tmp_path / "few", 6)
    more = made_up.write(tmp_path / "more", 12)
    pictures = {path.relative_to(more): path.read_bytes() for path in more.rglob("*.jpg")}
    assert all(pictures[path.relative_to(few)] == path.read_bytes() for path in few.rglob("*.jpg"))
    found = [normalising.examine(data, 1_000_000) for data in pictures.values()]
    assert len(found) == 12
    assert all(picture.as_stored for picture in found)
    groups = likeness.groups(likeness.parse([picture.perceptual_hash for picture in found]))
    assert len(set(groups)) == 12
