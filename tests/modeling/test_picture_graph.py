"""The one graph from bytes to a tensor."""

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from pictures import encode, make_pixels
from PIL import Image
from tfx.types.standard_artifacts import TransformGraph

from modeling.picture_graph import preprocessing_fn


def _apply(data: list[bytes], size: int) -> np.ndarray:
    return preprocessing_fn({"image": tf.constant(data)}, {"image_size": size})["picture"].numpy()


def test_a_picture_of_the_right_size_keeps_its_pixels() -> None:
    pixels = make_pixels(1, 32, 32)
    np.testing.assert_allclose(_apply([encode(pixels)], 32)[0], pixels, atol=1e-3)


def test_grey_becomes_three_equal_channels_and_sizes_mix_in_a_batch() -> None:
    grey = Image.fromarray(make_pixels(2, 40, 50)).convert("L")
    found = _apply([encode(grey), encode(make_pixels(3, 90, 20), "JPEG")], 32)
    assert found.shape == (2, 32, 32, 3)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[0, ..., 0], found[0, ..., 2])
    assert found.min() >= 0
    assert found.max() <= 255


def test_shrinking_averages_instead_of_skipping_pixels() -> None:
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::4] = 255
    np.testing.assert_allclose(_apply([encode(stripes)], 32)[0, 4:-4, 4:-4], 255 / 4, atol=6)


def test_the_saved_graph_does_what_the_function_does(transform_graph: TransformGraph) -> None:
    data = [encode(make_pixels(5, 48, 64)), encode(make_pixels(6, 20, 20), "JPEG")]
    layer = tft.TFTransformOutput(transform_graph.uri).transform_features_layer()
    saved = layer({"image": tf.constant(data)})["picture"].numpy()
    np.testing.assert_allclose(saved, _apply(data, 32), atol=1e-3)
