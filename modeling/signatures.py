"""The SavedModel: raw bytes of pictures, or serialized examples, in; probabilities, label, score and error out."""

import functools

import keras
import tensorflow as tf
import tensorflow_transform as tft

from common.examples import IMAGE
from modeling import warm_up
from modeling.model_assets import ModelAssets
from modeling.picture_graph import ERROR, PICTURE

SERVE_EXAMPLES = "serve_examples"
# Pictures in one forward pass. VGG16's first layer holds 12.8 MB a picture, so a batch of 1,000 as evaluation sends
# it would take 12.8 GB in one piece.
_CHUNK = 32


def export(classifier: keras.Model, transform_graph: str, assets: ModelAssets, directory: str) -> None:
    """Writes a SavedModel that needs no code of this project.

    Its signatures both return `probabilities`, float32 [batch, classes]; `label`, string [batch]; `score`, float32
    [batch], the label's probability; and `error`, string [batch], why a picture cannot be used, empty where it can. A
    picture with an error leaves the others as they are: its probabilities and its score are 0, its label is empty.
      serving_default: `image_bytes`, string [batch]: encoded JPEG or PNG pictures.
      serve_examples: `examples`, string [batch]: serialized tf.Examples with the feature `image`.
    `assets.extra/labels.txt` lists the classes in the order of the probabilities; beside it are the rest of the assets
    and a request with which TensorFlow Serving warms up.

    Args:
      classifier: pictures, float32 [batch, size, size, 3], RGB, 0 to 255 -> probabilities.
      transform_graph: folder of the Transform step's graph.
      assets: what the model says of itself.
      directory: where to write.
    """
    module = _Servable(classifier, transform_graph, assets.labels)
    strings = tf.TensorSpec([None], tf.string)
    signatures = {
        "serving_default": module.serve_pictures.get_concrete_function(image_bytes=strings),
        SERVE_EXAMPLES: module.serve_examples.get_concrete_function(examples=strings),
    }
    tf.saved_model.save(module, directory, signatures=signatures)
    assets.write(directory)
    warm_up.write(directory)


def export_again(folder: str, directory: str) -> None:
    """Writes a SavedModel that an earlier release wrote once more, so that it answers in TensorFlow Serving.

    TensorFlow 2's own loader gives each signature its variables, and what is loaded is saved with them. Neither Keras
    nor the code that made the model takes part.

    Args:
      folder: the SavedModel's.
      directory: where to write.
    """
    loaded = tf.saved_model.load(folder)
    tf.saved_model.save(loaded, directory, signatures=loaded.signatures)
    ModelAssets.read(folder).write(directory)
    warm_up.write(directory)


class _Servable(tf.Module):
    """What is saved. TensorFlow's tracking sees the plain variables, and never the Keras model.

    Keras 3 would save a copy of each of its variables, while the signatures read the variable itself. TensorFlow 2's
    own loader puts that right; a session, as in TensorFlow Serving, Java or C, finds the variable unset
    (keras-team/keras#20096).
    """

    def __init__(self, classifier: keras.Model, transform_graph: str, labels: list[str]) -> None:
        super().__init__()
        self._weights = [weight.value for weight in classifier.weights]
        self._classify = functools.partial(classifier, training=False)
        self.transform = tft.TFTransformOutput(transform_graph).transform_features_layer()
        self.labels = tf.constant(labels)

    @tf.function
    def serve_pictures(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        probability_chunks = _array(tf.zeros([0, self.labels.shape[0]]))
        error_chunks = _array(tf.zeros([0], tf.string))
        for start in tf.range(0, tf.shape(image_bytes)[0], _CHUNK):
            # One chunk uses all cores. By default, up to ten would be computed at once, with the memory of as many.
            tf.autograph.experimental.set_loop_options(parallel_iterations=1)
            found, failed = self._answer(image_bytes[start : start + _CHUNK])
            probability_chunks = probability_chunks.write(probability_chunks.size(), found)
            error_chunks = error_chunks.write(error_chunks.size(), failed)
        probabilities, errors = probability_chunks.concat(), error_chunks.concat()
        return {
            "probabilities": probabilities,
            "label": tf.where(errors == "", tf.gather(self.labels, tf.argmax(probabilities, axis=1)), ""),
            "score": tf.reduce_max(probabilities, axis=1),
            ERROR: errors,
        }

    @tf.function
    def serve_examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        spec = {IMAGE: tf.io.FixedLenFeature([], tf.string)}
        return self.serve_pictures(tf.io.parse_example(examples, spec)[IMAGE])

    def _answer(self, image_bytes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        read = self.transform({IMAGE: image_bytes})
        is_usable = (read[ERROR] == "")[:, tf.newaxis]
        return tf.where(is_usable, self._classify(read[PICTURE]), 0), read[ERROR]


def _array(nothing: tf.Tensor) -> tf.TensorArray:
    """An array of chunks with a first one of no rows, as an array of nothing could not be joined."""
    shape = [None, *nothing.shape[1:]]
    array = tf.TensorArray(nothing.dtype, size=1, dynamic_size=True, infer_shape=False, element_shape=shape)
    return array.write(0, nothing)
