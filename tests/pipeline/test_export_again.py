"""A version that is already out and that TensorFlow Serving cannot run is found, and published again by one command."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import sessions
import steps
import tensorflow as tf

from common.errors import UserError
from modeling.model_assets import ModelAssets
from pipeline import command, doctor, export_again, predict

if TYPE_CHECKING:
    from tfx.types.standard_artifacts import Examples, Model, TransformGraph


@pytest.fixture
def serving(model: "Model", transform_graph: "TransformGraph", tmp_path: Path) -> Path:
    """A folder of versions that holds one which a session cannot run."""
    old = steps.unservable(model, transform_graph, tmp_path / "old")
    shutil.copytree(f"{old.uri}/Format-Serving", tmp_path / "serving" / "1")
    return tmp_path / "serving"


def test_what_the_doctor_finds_is_mended_by_the_command_that_it_names(
    serving: Path, examples: "Examples", tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = doctor._served
    with pytest.raises(UserError, match=rf"1 does not answer .* Could not find variable .* {serving} publishes"):
        answer(str(serving))

    assert export_again.main([str(serving)]) == command.DONE
    (new,) = {path.name for path in serving.glob("[0-9]*")} - {"1"}
    assert capfd.readouterr().out == f"published  {serving / new}\n"
    assert answer(str(serving)) == f"{serving / new} answers through a session, as in TensorFlow Serving"

    pictures = steps.images(steps.read(examples, "test"))
    before = tf.saved_model.load(str(serving / "1")).signatures["serving_default"](tf.constant(pictures))
    after = sessions.ask(serving / new, "serving_default", pictures)
    np.testing.assert_allclose(after["probabilities"], before["probabilities"], atol=1e-6)

    old_assets, new_assets = ModelAssets.read(str(serving / "1")), ModelAssets.read(str(serving / new))
    assert new_assets == old_assets == (["apple", "berry", "cherry"], 10_000_000)
    assert Path(serving, new, "assets.extra", "tf_serving_warmup_requests").exists()

    assert export_again.main([str(serving)]) == command.DONE
    assert "there is nothing to do" in capfd.readouterr().out
    assert len(list(serving.glob("[0-9]*"))) == 2

    (tmp_path / "picture.png").write_bytes(pictures[0])
    for version in ("1", new):
        assert predict.main([str(tmp_path / "picture.png"), "--model", str(serving / version)]) == command.DONE
    first, second = (line.split()[-2:] for line in capfd.readouterr().out.splitlines() if "picture.png" in line)
    assert first == second, "predict reads both"


def test_a_folder_without_a_version_is_bad_input(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert export_again.main([str(tmp_path)]) == command.BAD_INPUT
    assert capfd.readouterr().err.startswith(f"error: model: no published version in {str(tmp_path)!r}")
