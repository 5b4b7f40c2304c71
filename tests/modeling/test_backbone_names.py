"""What is written down about the backbones is what Keras builds."""

import math
from pathlib import Path
from typing import Any

import keras
import pytest
from families import FAMILIES

from common.errors import UserError
from modeling import backbones
from modeling.backbone_names import BACKBONES
from modeling.weights.keras_files import HASHES, KerasFile

# Of Inception, Keras makes up most names; `mixed8` and `mixed_7a` are what comes before.
LAST_STAGES = {
    "VGG16": "block5_conv1",
    "VGG19": "block5_conv1",
    "ResNet50": "conv5_block1_1_conv",
    "ResNet50V2": "conv5_block1_preact_bn",
    "DenseNet121": "conv5_block1_0_bn",
    "EfficientNetB0": "block7a_expand_conv",
    "EfficientNetV2B0": "block6a_expand_conv",
    "MobileNet": "conv_pad_12",
    "MobileNetV2": "block_16_expand",
    "MobileNetV3Small": "expanded_conv_8_expand",
    "ConvNeXtTiny": "convnext_tiny_downsampling_block_2",
    "Xception": "block13_sepconv1_act",
    "InceptionV3": "after mixed8",
    "InceptionResNetV2": "after mixed_7a",
    "NASNetMobile": "after reduction_concat_reduce_8",
}

# The others take seconds each to build, and of their files only one word and the hash differ.
QUICK = [name for name, known in BACKBONES.items() if known.layers < 400 and known.parameters < 100_000_000]


@pytest.mark.parametrize("name", FAMILIES)
def test_figures_are_those_of_what_keras_builds(name: str) -> None:
    known = BACKBONES[name]
    built = backbones.build(name, known.picture_size)
    names = [layer.name for layer in built.layers]
    assert (len(names), built.count_params()) == (known.layers, known.parameters)
    assert float(f"{2 * multiply_adds(built) / 1e9:.3g}") == known.gflops
    assert LAST_STAGES[name] in (names[known.fine_tune_at], f"after {names[known.fine_tune_at - 1]}")


def multiply_adds(model: keras.Model) -> int:
    """Those of convolutions and dense layers for one picture: each number of a kernel, at each position."""
    total = 0
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            total += multiply_adds(layer)
        else:
            positions = math.prod(layer.output.shape[1:-1])
            total += sum(math.prod(weight.shape) * positions for weight in layer.weights if len(weight.shape) > 1)
    return total


def test_files_hashes_are_those_in_keras_source() -> None:
    folder = Path(keras.src.applications.__file__).parent
    source = "".join(file.read_text() for file in folder.glob("*.py"))
    assert [name for name, known in HASHES.items() if f'"{known}"' not in source] == []
    assert set(BACKBONES) - set(HASHES) == {"MobileNet", "MobileNetV2"}


class _Asked(Exception):
    """Raised in the place of a download."""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["NASNetMobile", *QUICK])
def test_sizes_and_files_are_those_that_keras_asks_for(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known = BACKBONES[name]
    sizes: dict[str, int] = {}
    obtain = keras.src.applications.imagenet_utils.obtain_input_shape

    def see_sizes(*shape: Any, default_size: int, min_size: int, **rest: Any) -> Any:
        sizes.update(default=default_size, least=min_size)
        return obtain(*shape, default_size=default_size, min_size=min_size, **rest)

    def ask(file: str, origin: str, file_hash: str = "", **_: Any) -> None:
        raise _Asked(file, origin, file_hash)

    monkeypatch.setattr(keras.src.applications.imagenet_utils, "obtain_input_shape", see_sizes)
    monkeypatch.setattr(keras.src.utils.file_utils, "get_file", ask)
    least = known.least_size
    with pytest.raises(_Asked) as asked:
        getattr(keras.applications, name)(include_top=False, weights="imagenet", input_shape=(least, least, 3))
    if known.module != "mobilenet_v3":  # which does without that function
        assert sizes == {"default": known.picture_size, "least": least}
    file = KerasFile.of(name, least)
    assert asked.value.args == (file.path.name, file.address, file.hash)


@pytest.mark.parametrize("name", FAMILIES)
def test_smaller_pictures_are_refused_by_keras_too(name: str) -> None:
    with pytest.raises(UserError, match=f"image_size: {name} does not take"):
        backbones.build(name, BACKBONES[name].least_size - 1)


@pytest.mark.parametrize("name", BACKBONES)
def test_keras_has_each_of_them_and_its_preprocessing(name: str) -> None:
    module = getattr(keras.applications, BACKBONES[name].module)
    assert callable(getattr(keras.applications, name))
    assert callable(module.preprocess_input)
