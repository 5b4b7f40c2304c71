"""The list of backbones."""

import subprocess
import sys
from pathlib import Path

import h5py
import pytest

from modeling.backbone_names import BACKBONES
from pipeline import list_backbones


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of Keras' cache, empty as this project's is."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_DIRS", str(tmp_path))
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


def _rows(text: str) -> dict[str, list[str]]:
    """The cells of each backbone's row, by its name."""
    table, _, _ = text.partition("\n\n")
    return {name: cells for name, *cells in (line.split(maxsplit=7) for line in table.splitlines()[1:])}


def test_each_backbone_has_a_row_of_figures_and_the_file_of_its_weights(
    cache: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert list_backbones.main([]) == 0
    text = capfd.readouterr().out
    rows = _rows(text)
    assert list(rows) == list(BACKBONES)
    assert rows["Xception"] == [
        *("299", "71", "20.9", "16.7", "132", "116"),
        "- xception_weights_tf_dim_ordering_tf_kernels_notop.h5",
    ]
    assert text.rstrip().endswith(f"downloads into {cache}")


def test_weights_that_are_there_are_told_from_those_that_are_damaged(
    cache: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    # Of these two, Keras knows no hash.
    h5py.File(cache / "mobilenet_1_0_224_tf_no_top.h5", "w").close()
    damaged = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"
    (cache / damaged).write_bytes(b"half")
    assert list_backbones.main([]) == 0
    rows = _rows(capfd.readouterr().out)
    assert (rows["MobileNet"][-1], rows["MobileNetV2"][-1]) == ("Keras' cache", f"damaged: {damaged}")


def test_nothing_heavy_is_imported() -> None:
    program = (
        "import sys; from pipeline import list_backbones; list_backbones.main([]); "
        "assert not {'tensorflow', 'keras', 'apache_beam'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(list_backbones.__file__).parents[1])
