"""Small copies of what no split holds."""

import os
from pathlib import Path

from pictures import encode, exif, make_scene
from PIL import Image

from components.image_example_gen.leakage import Leak
from components.image_example_gen.plan import Plan
from components.image_example_gen.reports import write_thumbnails
from imaging.thumbnails import leak_files, quarantined_file


def _write(root: Path, files: dict[str, bytes], quarantined: list[str], leaks: list[Leak]) -> Path:
    for name, data in files.items():
        (root / name).write_bytes(data)
    output = root / "examples"
    plan = Plan({}, [], [(name, "a reason") for name in quarantined], [])
    write_thumbnails(str(output), str(root), 1_000_000, plan, leaks)
    return output


def test_what_decodes_gets_one_upright_and_what_does_not_gets_none(tmp_path: Path) -> None:
    turned = encode(make_scene(1), "JPEG", exif=exif(6))
    files = {"a.png": encode(make_scene(0)), "b.png": b"no picture", "c.jpg": turned}
    output = _write(tmp_path, files, ["a.png", "b.png", "c.jpg", "gone.png"], [])
    found = {row: (output / quarantined_file(row)).exists() for row in range(4)}
    assert found == {0: True, 1: False, 2: True, 3: False}
    assert Image.open(output / quarantined_file(0)).size == (160, 120)
    assert Image.open(output / quarantined_file(2)).size == (120, 160), "turned as its EXIF data say"


def test_both_pictures_of_a_leak_get_one(tmp_path: Path) -> None:
    files = {"held.png": encode(make_scene(0)), "near.png": encode(make_scene(1))}
    output = _write(tmp_path, files, [], [Leak("held.png", "test", "near.png", 3)])
    held, near = (Image.open(output / file) for file in leak_files(0))
    assert held.tobytes() != near.tobytes()


def test_only_the_first_get_one(tmp_path: Path) -> None:
    files = {f"{index:02d}.png": encode(make_scene(0)) for index in range(30)}
    output = _write(tmp_path, files, sorted(files), [])
    assert len(os.listdir(output / "thumbnails")) == 24


def test_a_bomb_is_not_decoded(tmp_path: Path) -> None:
    output = _write(tmp_path, {"bomb.png": encode(Image.new("1", (3000, 3000)))}, ["bomb.png"], [])
    assert os.listdir(output / "thumbnails") == []
