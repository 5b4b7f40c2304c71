"""Where a model looked is read off the layer that everything passes on its way to the head."""

import keras
import numpy as np
import pytest

from modeling import backbones
from modeling.head import build_head, on_feature_maps
from modeling.saliency import Saliency

SIZE = 96


def _classifier(name: str) -> keras.Model:
    keras.utils.set_random_seed(3)
    backbone = backbones.build(name, SIZE)
    picture = keras.Input((SIZE, SIZE, 3), name="picture")
    maps = keras.Model(picture, backbone(backbones.preprocess(name, picture)))
    return on_feature_maps(maps, build_head(backbone.output.shape[-1], 3, 0.1), "classifier")


# The convolution that comes last is in a branch of most: the sum or the concatenation after it has other parts.
@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("VGG16", "block5_conv3"),  # after which comes a pooling
        ("ResNet50", "conv5_block3_out"),
        ("DenseNet121", "relu"),
        ("Xception", "block14_sepconv2_act"),
    ],
)
def test_the_last_feature_map_is_weighed_by_the_head(name: str, layer: str) -> None:
    classifier = _classifier(name)
    pictures = np.random.default_rng(0).uniform(0, 255, (2, SIZE, SIZE, 3)).astype(np.float32)
    backbone = next(one for one in classifier.layers if isinstance(one, keras.Model))
    opened = keras.Model(backbone.input, backbone.get_layer(layer).output)
    features = opened(backbones.preprocess(name, keras.ops.convert_to_tensor(pictures))).numpy()
    kernel = classifier.layers[-1].layers[-1].get_weights()[0]
    class_ids = (features.mean(axis=(1, 2)) @ kernel).argmax(axis=1)

    # Grad-CAM's weights of features that are averaged, or first pooled by their maximum, are those of the head.
    expected = np.maximum(np.einsum("phwc,cp->phw", features, kernel[:, class_ids]), 0)
    expected = keras.ops.image.resize(expected[..., np.newaxis], (SIZE, SIZE)).numpy()[..., 0]
    expected /= expected.max(axis=(1, 2), keepdims=True)
    assert expected.std() > 0
    np.testing.assert_allclose(Saliency(classifier, name).maps(pictures, class_ids), expected, atol=1e-3)


def test_a_hidden_layer_that_changes_nothing_changes_no_map() -> None:
    plain = _classifier("VGG16")
    kernel, bias = plain.layers[-1].get_weights()
    hidden = build_head(512, 3, 0.1, hidden=520)
    hidden.set_weights([np.eye(512, 520), np.zeros(520), np.pad(kernel, ((0, 8), (0, 0))), bias])
    maps = keras.Model(plain.input, plain.get_layer("pooling").input)
    pictures = np.random.default_rng(0).uniform(0, 255, (3, SIZE, SIZE, 3)).astype(np.float32)
    one, other = (
        Saliency(classifier, "VGG16").maps(pictures, np.arange(3))
        for classifier in (plain, on_feature_maps(maps, hidden, "classifier"))
    )
    assert one.max() == 1
    np.testing.assert_allclose(one, other, atol=1e-5)
