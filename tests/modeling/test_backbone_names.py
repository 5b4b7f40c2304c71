"""What is written down about the backbones is what Keras builds."""

import keras
import pytest

from modeling import backbones
from modeling.backbone_names import BACKBONES


@pytest.mark.parametrize("name", ["VGG16", "VGG19", "ResNet50", "DenseNet121", "EfficientNetB0", "MobileNetV2"])
def test_layers_are_those_that_keras_builds(name: str) -> None:
    layers = backbones.build(name, 32).layers
    assert len(layers) == BACKBONES[name].layers
    assert BACKBONES[name].last_stage in [layer.name for layer in layers]


@pytest.mark.parametrize("name", BACKBONES)
def test_keras_has_each_of_them_and_its_preprocessing(name: str) -> None:
    module = getattr(keras.applications, BACKBONES[name].module)
    assert getattr(module, name) is getattr(keras.applications, name)
    assert callable(module.preprocess_input)
