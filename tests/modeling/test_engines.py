"""What computes the frozen layers, by machine and settings."""

import pytest
import tensorflow as tf

from common.errors import UserError
from modeling import engines, precision
from modeling.engines import Engine, resolve

_FLOAT32, _BFLOAT16 = Engine("tensorflow", "float32"), Engine("tensorflow", "bfloat16")
_NCNN = Engine("ncnn", "float32")


@pytest.fixture
def without_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_CPU_FLAGS", {"no such instruction"})


@pytest.fixture
def with_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_CPU_FLAGS", {"fpu"})  # which each processor has


@pytest.mark.usefixtures("without_bfloat16")
def test_a_processor_without_bfloat16_runs_vgg_in_ncnn() -> None:
    assert resolve("auto", "auto", "VGG16") == _NCNN
    assert resolve("auto", "auto", "VGG19") == _NCNN
    assert resolve("auto", "float32", "VGG16") == _NCNN
    assert resolve("auto", "bfloat16", "VGG16") == _BFLOAT16
    assert resolve("tensorflow", "auto", "VGG16") == _FLOAT32
    assert resolve("auto", "auto", "ResNet50") == _FLOAT32


@pytest.mark.usefixtures("with_bfloat16")
def test_a_processor_with_bfloat16_runs_tensorflow_unless_float32_is_asked_for() -> None:
    assert resolve("auto", "auto", "VGG16") == _BFLOAT16
    assert resolve("auto", "float32", "VGG16") == _NCNN
    assert resolve("ncnn", "auto", "VGG16") == _NCNN


@pytest.mark.usefixtures("without_bfloat16")
def test_a_gpu_runs_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [tf.config.PhysicalDevice("/gpu:0", kind)])
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: {"compute_capability": (7, 5)})
    assert resolve("auto", "auto", "VGG16") == _FLOAT32


@pytest.mark.usefixtures("without_bfloat16")
def test_without_ncnn_tensorflow_is_taken_and_ncnn_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "_has_ncnn", lambda: False)
    assert resolve("auto", "auto", "VGG16") == _FLOAT32
    with pytest.raises(UserError, match=r"features\.engine: got ncnn, which is not installed here"):
        resolve("ncnn", "auto", "VGG16")
