"""A request for TensorFlow Serving to run before a model answers others, as a model's first request takes longest."""

import os

import tensorflow as tf

from common.labels import ASSETS

_FILE = "tf_serving_warmup_requests"
_SIGNATURE, _INPUT = "serving_default", "image_bytes"
_SIZE = 64  # of the picture; the model resizes it


def write(model: str) -> None:
    """Adds the request, a grey JPEG, to the folder of a SavedModel; any address that TensorFlow can open.

    A server refuses a model that fails to answer it.
    """
    picture = tf.io.encode_jpeg(tf.fill([_SIZE, _SIZE, 3], tf.constant(128, tf.uint8))).numpy()
    folder = os.path.join(model, ASSETS)
    tf.io.gfile.makedirs(folder)
    with tf.io.TFRecordWriter(os.path.join(folder, _FILE)) as file:
        file.write(_prediction_log(tf.make_tensor_proto([picture]).SerializeToString()))


def _prediction_log(tensor: bytes) -> bytes:
    """A serialized `tensorflow.serving.PredictionLog`; the package that has its class is one for clients.

    The numbers are those of the fields in TensorFlow Serving's prediction_log.proto, predict.proto and model.proto.
    """
    model_spec = _field(3, _SIGNATURE.encode())
    inputs = _field(1, _INPUT.encode()) + _field(2, tensor)
    request = _field(1, model_spec) + _field(2, inputs)
    predict_log = _field(1, request)
    return _field(6, predict_log)


def _field(number: int, content: bytes) -> bytes:
    """A field with a length, of a number up to 15, in Protocol Buffers' wire format."""
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    head = bytearray()
    while value > 0x7F:
        head.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*head, value])
