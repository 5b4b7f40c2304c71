from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image

from pipeline.sample_data import write_sample


def _files(root: Path) -> dict[str, tuple[bytes, int]]:
    return {str(path.relative_to(root)): (path.read_bytes(), path.stat().st_mtime_ns) for path in root.rglob("*.png")}


def test_faces_and_others_lie_in_two_class_folders(tmp_path: Path):
    root = write_sample(tmp_path / "sample")
    for name, first in (("face", 0), ("not_face", 100)):
        paths = sorted((root / name).iterdir())
        stored = np.stack([np.asarray(Image.open(path)) for path in paths])
        assert stored.dtype == np.uint8
        np.testing.assert_allclose(stored / 255, skimage.data.lfw_subset()[first : first + 100], atol=0.5 / 255)


def test_a_second_call_mends_what_is_broken_and_leaves_the_rest(tmp_path: Path):
    root = write_sample(tmp_path)
    before = _files(root)
    (root / "face" / "007.png").write_bytes(b"half")
    (root / "not_face" / "150.png").unlink()
    write_sample(root)
    after = _files(root)
    assert {name: data for name, (data, _) in after.items()} == {name: data for name, (data, _) in before.items()}
    touched = {name for name in before if after[name][1] != before[name][1]}
    assert touched <= {"face/007.png", "not_face/150.png"}
