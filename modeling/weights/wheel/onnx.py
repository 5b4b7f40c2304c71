"""Reads the constant tensors of an ONNX file with protobuf alone: no graph is built, nothing runs."""

import math

import numpy as np
import numpy.typing as npt
from google.protobuf import descriptor_pb2, message_factory
from google.protobuf.message import DecodeError, Message

_FLOAT = 1  # TensorProto.DataType.FLOAT

_Field = descriptor_pb2.FieldDescriptorProto

# The part of onnx.proto that is read: message -> field -> (number, type).
_MESSAGES = {
    "ModelProto": {"graph": (7, "GraphProto")},
    "GraphProto": {"initializer": (5, "TensorProto")},
    "TensorProto": {
        "dims": (1, _Field.TYPE_INT64),
        "data_type": (2, _Field.TYPE_INT32),
        "name": (8, _Field.TYPE_STRING),
        "raw_data": (9, _Field.TYPE_BYTES),
    },
}
_REPEATED = ("initializer", "dims")


def float_initializers(model: bytes) -> dict[str, npt.NDArray[np.float32]]:
    """The float32 constants of a model that are stored as raw bytes, as exporters store them.

    Args:
      model: content of an ONNX file.

    Returns:
      Name -> float32 array, read-only.

    Raises:
      ValueError: not an ONNX model, or a constant whose bytes are not as many as its shape needs.
    """
    message = _model_class()()
    try:
        message.ParseFromString(model)
    except DecodeError as error:
        raise ValueError(f"no ONNX model: {error}") from error
    return {
        tensor.name: _array(tensor)
        for tensor in message.graph.initializer
        if tensor.data_type == _FLOAT and tensor.raw_data
    }


def _array(tensor: Message) -> npt.NDArray[np.float32]:
    values = np.frombuffer(tensor.raw_data, "<f4")
    if values.size != math.prod(tensor.dims):
        raise ValueError(f"{tensor.name}: {values.size} numbers for the shape {list(tensor.dims)}")
    return values.reshape(tensor.dims)


def _model_class() -> type[Message]:
    file = descriptor_pb2.FileDescriptorProto(name="onnx_part.proto", package="onnx_part", syntax="proto3")
    for message_name, fields in _MESSAGES.items():
        message = file.message_type.add(name=message_name)
        for name, (number, kind) in fields.items():
            label = _Field.LABEL_REPEATED if name in _REPEATED else _Field.LABEL_OPTIONAL
            field = message.field.add(name=name, number=number, label=label)
            if isinstance(kind, str):
                field.type, field.type_name = _Field.TYPE_MESSAGE, f".{file.package}.{kind}"
            else:
                field.type = kind
    return message_factory.GetMessages([file])[f"{file.package}.ModelProto"]
