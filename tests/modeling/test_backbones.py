"""A cut backbone computes what the whole one computes, whatever its shape."""

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from families import FAMILIES

from common.errors import UserError
from modeling import backbones
from modeling.backbone_names import BACKBONES

SIZE = 64


def _pictures(size: int = SIZE) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (2, size, size, 3)).astype(np.float32)


def _assert_parts_are_the_whole(backbone: keras.Model, name: str, cut: backbones.Cut) -> None:
    assert cut.suffix is not None
    pictures = _pictures(backbone.input.shape[1])
    whole = backbone(backbones.preprocess(name, keras.ops.convert_to_tensor(pictures)), training=False).numpy()
    parts = cut.suffix(cut.prefix(pictures, training=False), training=False).numpy()
    assert np.abs(whole).max() > 0
    np.testing.assert_allclose(parts, whole, rtol=1e-4, atol=1e-5 * np.abs(whole).max())


@pytest.mark.parametrize("name", FAMILIES)
def test_prefix_then_suffix_equals_the_backbone(name: str) -> None:
    keras.utils.set_random_seed(1)
    backbone = backbones.build(name, BACKBONES[name].least_size)
    cut = backbones.cut(backbone, name, backbones.fine_tune_index(backbone, name, None))
    _assert_parts_are_the_whole(backbone, name, cut)
    assert (cut.boundary > len(backbone.operations) // 2) == BACKBONES[name].is_cut_late


def test_the_cut_is_known_again_though_keras_makes_up_other_names() -> None:
    cuts, names = [], []
    for _ in range(2):
        backbone = backbones.build("ConvNeXtTiny", 32)
        cuts.append(backbones.cut(backbone, "ConvNeXtTiny", 110).boundary)
        names.append(backbone.operations[cuts[-1]].name)
    assert cuts[0] == cuts[1]
    assert names[0] != names[1]


@pytest.mark.parametrize(
    ("index", "boundary", "trained"),
    [
        (15, 14, ["block5_conv1", "block5_conv2", "block5_conv3", "block5_pool"]),
        (18, 17, ["block5_pool"]),
        (1, 0, [f"block{b}_conv{c}" for b, n in enumerate((2, 2, 3, 3, 3), 1) for c in range(1, n + 1)]),
        (0, 0, []),
    ],
)
def test_vgg16_is_cut_before_the_first_trained_layer(index: int, boundary: int, trained: list[str]) -> None:
    backbone = backbones.build("VGG16", SIZE)
    cut = backbones.cut(backbone, "VGG16", index)
    assert cut.boundary == boundary
    backbones.freeze_below(backbone, index)
    names = {layer.name for layer in backbone.layers if layer.trainable}
    assert set(trained) <= names
    assert not any(layer.trainable for layer in backbone.layers[:index])
    _assert_parts_are_the_whole(backbone, "VGG16", cut)


def test_without_fine_tuning_the_whole_backbone_is_the_prefix() -> None:
    backbone = backbones.build("VGG16", SIZE)
    cut = backbones.cut(backbone, "VGG16", len(backbone.layers))
    assert cut.suffix is None
    whole = backbone(backbones.preprocess("VGG16", keras.ops.convert_to_tensor(_pictures())))
    np.testing.assert_allclose(cut.prefix(_pictures()), whole, atol=1e-5)


def test_a_cut_inside_a_residual_block_moves_to_its_start_and_leaves_those_layers_frozen() -> None:
    backbone = backbones.build("ResNet50", SIZE)
    index = [layer.name for layer in backbone.layers].index("conv5_block2_2_conv")
    cut = backbones.cut(backbone, "ResNet50", index)
    assert backbone.operations[cut.boundary].name == "conv5_block1_out"
    backbones.freeze_below(backbone, index)
    assert not backbone.get_layer("conv5_block2_1_conv").trainable
    assert backbone.get_layer("conv5_block2_2_conv").trainable


def test_fine_tuning_leaves_batch_normalisation_alone() -> None:
    backbone = backbones.build("MobileNetV2", SIZE)
    backbones.freeze_below(backbone, 0)
    assert not any(layer.trainable for layer in backbone.layers if "bn" in layer.name.lower())
    assert any(layer.trainable and layer.weights for layer in backbone.layers)


def test_a_layer_beyond_the_last_is_refused() -> None:
    backbone = backbones.build("VGG16", SIZE)
    with pytest.raises(UserError, match=r"fine_tune_at: got 19, expected a whole number from 0 to 18 for VGG16"):
        backbones.fine_tune_index(backbone, "VGG16", 19)


def test_a_saved_backbone_with_layers_of_its_own_is_loaded_without_the_code_that_made_it(tmp_path: Path) -> None:
    # Keras registers LayerScale under no name.
    backbones.build("ConvNeXtTiny", 32).save(tmp_path / "saved.keras")
    program = f"import keras; keras.saving.load_model({str(tmp_path / 'saved.keras')!r})"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)


@pytest.mark.parametrize("name", FAMILIES)
def test_preprocessing_is_the_one_that_keras_documents(name: str) -> None:
    module = sys.modules[getattr(keras.applications, name).__module__]
    expected = module.preprocess_input(_pictures())
    picture = keras.Input((SIZE, SIZE, 3))
    scaled = keras.layers.Identity()(backbones.preprocess(name, picture))  # EfficientNet scales inside the backbone
    found = keras.Model(picture, scaled).predict(_pictures(), verbose=0)
    np.testing.assert_allclose(found, expected, atol=1e-4)
