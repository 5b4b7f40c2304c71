"""What is written down about the backbones is what Keras builds."""

from typing import Any

import keras
import pytest
from families import FAMILIES

from modeling import backbones
from modeling.backbone_names import BACKBONES, LEAST_PICTURE_SIZE
from modeling.weights.keras_files import KerasFile


@pytest.mark.parametrize("name", FAMILIES)
def test_layers_are_those_that_keras_builds(name: str) -> None:
    layers = backbones.build(name, 32).layers
    assert len(layers) == BACKBONES[name].layers
    assert BACKBONES[name].last_stage in [layer.name for layer in layers]


class _Asked(Exception):
    """Raised in the place of a download."""


@pytest.mark.slow
@pytest.mark.parametrize("name", BACKBONES)
def test_sizes_and_files_are_those_that_keras_asks_for(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: dict[str, int] = {}
    obtain = keras.src.applications.imagenet_utils.obtain_input_shape

    def see_sizes(*shape: Any, default_size: int, min_size: int, **rest: Any) -> Any:
        sizes.update(default=default_size, least=min_size)
        return obtain(*shape, default_size=default_size, min_size=min_size, **rest)

    def ask(file: str, origin: str, file_hash: str = "", **_: Any) -> None:
        raise _Asked(file, origin, file_hash)

    monkeypatch.setattr(keras.src.applications.imagenet_utils, "obtain_input_shape", see_sizes)
    monkeypatch.setattr(keras.src.utils.file_utils, "get_file", ask)
    with pytest.raises(_Asked) as asked:
        getattr(keras.applications, name)(include_top=False, weights="imagenet", input_shape=(32, 32, 3))
    assert sizes == {"default": BACKBONES[name].picture_size, "least": LEAST_PICTURE_SIZE}
    file = KerasFile.of(name, 32)
    assert asked.value.args == (file.path.name, file.address, file.md5)


@pytest.mark.parametrize("name", BACKBONES)
def test_keras_has_each_of_them_and_its_preprocessing(name: str) -> None:
    module = getattr(keras.applications, BACKBONES[name].module)
    assert getattr(module, name) is getattr(keras.applications, name)
    assert callable(module.preprocess_input)
