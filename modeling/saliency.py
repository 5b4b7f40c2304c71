"""Where a model looked: Grad-CAM on the last feature map (Selvaraju et al., 2017)."""

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from modeling import backbones

_SHADE = np.array([255, 40, 0], np.float32)
_OPACITY = 0.6


class Saliency:
    """A classifier opened at its last feature map before any pooling.

    The convolution that comes last would not do: in residual, dense and Inception blocks, most of what reaches the head
    passes it by.
    """

    def __init__(self, classifier: keras.Model, backbone_name: str) -> None:
        """Takes the model apart.

        Args:
          classifier: as Trainer saves it: input scaling, a backbone, averaging, and a head that ends in a softmax.
          backbone_name: a class of `keras.applications`.
        """
        self._name = backbone_name
        models = [layer for layer in classifier.layers if isinstance(layer, keras.Model)]
        backbone, head = models[0], models[-1]
        last = [layer for layer in backbone.layers if not isinstance(layer, keras.layers.MaxPooling2D)][-1]
        self._opened = keras.Model(backbone.input, [last.output, backbone.output])
        self._before_softmax = keras.Model(head.input, head.layers[-1].input)
        self._kernel, self._bias = head.layers[-1].get_weights()

    def maps(self, pictures: npt.NDArray[np.float32], class_ids: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """How much each place speaks for a class.

        Args:
          pictures: float32 [batch, size, size, 3], RGB, 0 to 255.
          class_ids: int64 [batch], the class asked for in each.

        Returns:
          float32 [batch, size, size], 0 to 1, each with a maximum of 1, or all 0 where nothing speaks for the class.
        """
        inputs = backbones.preprocess(self._name, tf.constant(pictures))
        with tf.GradientTape() as tape:
            tape.watch(inputs)  # frozen layers would otherwise leave nothing on the tape
            activations, features = self._opened(inputs, training=False)
            bottlenecks = tf.reduce_mean(tf.cast(features, tf.float32), axis=[1, 2])
            logits = self._before_softmax(bottlenecks, training=False) @ self._kernel + self._bias
            asked = tf.gather(logits, class_ids, batch_dims=1)
        weights = tf.reduce_mean(tape.gradient(asked, activations), axis=[1, 2], keepdims=True)
        found = tf.nn.relu(tf.reduce_sum(weights * activations, axis=-1, keepdims=True))
        found = tf.image.resize(found, pictures.shape[1:3])[..., 0].numpy()
        highest = found.max(axis=(1, 2), keepdims=True)
        return np.divide(found, highest, out=np.zeros_like(found), where=highest > 0)


def overlay(picture: npt.NDArray[np.float32], saliency: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """A picture, greyed, with what spoke for the class in red.

    Args:
      picture: float32 [size, size, 3], RGB, 0 to 255.
      saliency: float32 [size, size], 0 to 1.

    Returns:
      float32 [size, size, 3], 0 to 255.
    """
    grey = picture.mean(axis=-1, keepdims=True)
    opacity = _OPACITY * saliency[..., np.newaxis]
    return grey * (1 - opacity) + _SHADE * opacity
