"""ncnn computes what TensorFlow computes."""

import keras
import numpy as np
import pytest
from keras import layers
from sklearn.datasets import load_sample_images

from modeling import backbones
from modeling.ncnn_network import NcnnNetwork, conversion


def _photographs(height: int, width: int) -> np.ndarray:
    """Parts of the photographs in scikit-learn's wheel: float32 [4, height, width, 3], 0 to 255."""
    photographs = np.stack(load_sample_images().images).astype(np.float32)
    return np.concatenate([photographs[:, 100 : 100 + height, left : left + width] for left in (50, 350)])


def _randomise(model: keras.Model) -> None:
    """Biases too, which Keras leaves at 0."""
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if layer.weights:
            layer.bias.assign(rng.normal(scale=0.5, size=layer.bias.shape))


def _assert_equal(found: np.ndarray, expected: np.ndarray) -> None:
    """Within 1e-4 of what the values are in the root mean square."""
    assert found.shape == expected.shape
    assert found.flags.c_contiguous
    assert np.abs(found - expected).max() < 1e-4 * np.sqrt(np.square(expected).mean())


def test_vgg_gives_the_same_on_photographs_at_the_boundary_and_at_the_end() -> None:
    keras.utils.set_random_seed(0)
    backbone = backbones.build("VGG16", 48)
    _randomise(backbone)
    pictures = backbones.preprocess("VGG16", _photographs(48, 48))
    outputs = keras.Model(backbone.input, [backbone.operations[14].output, backbone.output])
    expected = outputs.predict_on_batch(pictures)
    for one, other in zip(NcnnNetwork(backbone, [14, 18], threads=2)(pictures), expected, strict=True):
        _assert_equal(one, other)


def test_kernels_and_poolings_of_other_shapes_do_as_well() -> None:
    keras.utils.set_random_seed(0)
    picture = keras.Input((33, 35, 3))
    values = layers.Conv2D(5, 1, padding="same")(picture)
    values = layers.MaxPooling2D((3, 2))(values)
    values = layers.Conv2D(16, (5, 2), padding="same", activation="relu")(values)
    model = keras.Model(picture, layers.MaxPooling2D(3, 2)(values))
    _randomise(model)
    pictures = _photographs(33, 35)
    (found,) = NcnnNetwork(model, [4], threads=1)(pictures)
    _assert_equal(found, model.predict_on_batch(pictures))


@pytest.mark.parametrize(
    "layer",
    [
        layers.Conv2D(4, 3, padding="same", strides=2),
        layers.Conv2D(4, 3),
        layers.Conv2D(4, 3, padding="same", dilation_rate=2),
        layers.Conv2D(4, 3, padding="same", use_bias=False),
        layers.Conv2D(4, 3, padding="same", activation="gelu"),
        layers.Conv2D(3, 3, padding="same", groups=3),
        layers.MaxPooling2D(padding="same"),
        layers.BatchNormalization(),
    ],
    ids=lambda layer: layer.name,
)
def test_a_layer_of_another_kind_is_refused(layer: keras.Layer) -> None:
    picture = keras.Input((8, 8, 3))
    with pytest.raises(ValueError, match=layer.name):
        conversion(keras.Model(picture, layer(picture)))


def test_a_branch_is_refused() -> None:
    picture = keras.Input((8, 8, 3))
    values = layers.Conv2D(3, 3, padding="same")(picture)
    beside = layers.MaxPooling2D(1)(picture)
    with pytest.raises(ValueError, match="does not follow"):
        conversion(keras.Model(picture, [values, beside]))
