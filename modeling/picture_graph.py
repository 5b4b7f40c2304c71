"""The one graph from a picture's bytes to a tensor: extraction, evaluation and serving all apply it."""

from typing import Any

import tensorflow as tf

from common.examples import IMAGE

PICTURE = "picture"


def preprocessing_fn(inputs: dict[str, tf.Tensor], custom_config: dict[str, Any]) -> dict[str, tf.Tensor]:
    """Decodes and resizes pictures; TensorFlow Transform's hook.

    Args:
      inputs: the raw features; `image` holds encoded JPEG or PNG pictures, string [batch].
      custom_config: `image_size`, the side of the square result in pixels.

    Returns:
      `picture`: float32 [batch, image_size, image_size, 3], RGB, 0 to 255.
    """
    size = custom_config["image_size"]
    return {
        PICTURE: tf.map_fn(
            lambda encoded: _decode(encoded, size),
            inputs[IMAGE],
            fn_output_signature=tf.TensorSpec([size, size, 3], tf.float32),
        )
    }


def _decode(encoded: tf.Tensor, size: int) -> tf.Tensor:
    picture = tf.io.decode_image(encoded, channels=3, expand_animations=False)
    picture.set_shape([None, None, 3])
    # Without antialiasing a large picture would lose the pixels between its samples.
    return tf.image.resize(picture, [size, size], antialias=True)
