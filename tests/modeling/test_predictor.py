"""Models of earlier releases are asked as they always were."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from pictures import encode, exif
from PIL import Image

from modeling.model_assets import ModelAssets
from modeling.prediction_formats import Loaded
from modeling.predictor import Predictor


class _OfAnEarlierRelease(tf.Module):
    """Says how bright the upper and the lower half of a picture are; it knows neither orientation nor error."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def serve(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probabilities": tf.map_fn(self._halves, image_bytes, fn_output_signature=tf.TensorSpec([2]))}

    def _halves(self, encoded: tf.Tensor) -> tf.Tensor:
        picture = tf.io.decode_image(encoded, channels=3, expand_animations=False)
        picture = tf.ensure_shape(picture, [None, None, 3])
        return tf.reduce_mean(tf.image.resize(picture, [2, 1], antialias=True)[:, 0], axis=-1) / 255


@pytest.fixture
def earlier(tmp_path: Path) -> Predictor:
    module = _OfAnEarlierRelease()
    tf.saved_model.save(module, str(tmp_path), signatures={"serving_default": module.serve})
    ModelAssets(["top", "bottom"], 10_000).write(str(tmp_path))
    return Predictor(str(tmp_path))


@pytest.mark.parametrize(("stated", "brighter"), [(1, "top"), (3, "bottom"), (4, "bottom")])
def test_an_earlier_model_sees_photographs_upright(earlier: Predictor, stated: int, brighter: str) -> None:
    pixels = np.zeros((40, 60), np.uint8)
    pixels[:20] = 255
    photo = encode(Image.fromarray(pixels), "JPEG", exif=exif(stated))
    ((answer, broken),) = earlier.predict([Loaded("photo", photo), Loaded("broken", photo[:300])], top=1)
    assert answer.top[0] == (brighter, pytest.approx(0.9, abs=0.1))
    assert broken.problem
