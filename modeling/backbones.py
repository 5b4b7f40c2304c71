"""Backbones of `keras.applications`, and where a backbone is cut into a frozen prefix and a trainable suffix."""

from typing import NamedTuple

import keras

from common.errors import UserError
from modeling.backbone_names import BACKBONES

# The first hundredth of a backbone does next to nothing, and its activations are larger than the picture.
_WORTH_STORING = 100


class Cut(NamedTuple):
    """A backbone in two parts that together compute what it computes.

    Attributes:
      prefix: picture float32 [batch, size, size, 3], RGB, 0 to 255 -> activation at the boundary. Frozen.
      suffix: activation at the boundary -> feature map [batch, height, width, channels]. Shares the backbone's
        layers; None where the boundary is the backbone's end.
      boundary: index, in `operations` of the backbone, of the one whose output the activation is; 0 where it is the
        picture. An index, since of names that Keras makes up the next process has others.
    """

    prefix: keras.Model
    suffix: keras.Model | None
    boundary: int


def build(name: str, image_size: int) -> keras.Model:
    """An uninitialised backbone without its classifier.

    Args:
      name: a class of `keras.applications`, such as "VGG16".
      image_size: side of the square pictures in pixels.

    Returns:
      Model from what `preprocess` gives, float32 [batch, image_size, image_size, 3], to the last feature map.

    Raises:
      UserError: the backbone does not take pictures of that size.
    """
    try:
        return getattr(keras.applications, name)(
            include_top=False, weights=None, input_shape=(image_size, image_size, 3)
        )
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise UserError(f"backbone.image_size: {name} does not take {image_size}: {reason}") from error


def preprocess(name: str, pictures: keras.KerasTensor) -> keras.KerasTensor:
    """What Keras documents as the backbone's own input scaling, as graph operations.

    Args:
      name: as in `build`.
      pictures: float32 [batch, height, width, 3], RGB, 0 to 255.
    """
    return getattr(keras.applications, BACKBONES[name].module).preprocess_input(pictures)


def fine_tune_index(backbone: keras.Model, name: str, fine_tune_at: int | None) -> int:
    """Index in `backbone.layers` of the first layer that stage 2 trains.

    Raises:
      UserError: the backbone has fewer layers.
    """
    if fine_tune_at is None:
        return BACKBONES[name].fine_tune_at
    if fine_tune_at >= len(backbone.layers):
        raise UserError(
            f"trainer.fine_tune_at: got {fine_tune_at}, "
            f"expected a whole number from 0 to {len(backbone.layers) - 1} for {name}"
        )
    return fine_tune_at


def cut(backbone: keras.Model, name: str, index: int) -> Cut:
    """Cuts a backbone at the last layer before `index` that all later layers see the picture through.

    Inside a residual or dense block several tensors cross each gap between two layers, so the boundary moves back to
    the block's start; the layers from there to `index` are then part of the suffix, yet not trained.

    Args:
      backbone: as `build` returns it.
      name: its name.
      index: first layer that stage 2 trains; the number of layers where stage 2 is off.
    """
    operations = backbone.operations  # the layers, and what joins them without being one, such as a plain sum
    end = operations.index(backbone.layers[index]) if index < len(backbone.layers) else len(operations)
    picture = keras.Input(backbone.input.shape[1:], name="picture")
    boundary = _last_bottleneck(operations, end)
    if boundary < len(operations) / _WORTH_STORING:
        # Pictures rather than preprocessed values are stored: 0 to 255 keeps its precision in float16.
        return Cut(
            keras.Model(picture, keras.layers.Identity()(picture), name="prefix"),
            keras.Model(picture, backbone(preprocess(name, picture)), name="suffix"),
            0,
        )
    activation = operations[boundary].output
    trunk = keras.Model(backbone.input, activation, name="trunk")
    prefix = keras.Model(picture, trunk(preprocess(name, picture)), name="prefix")
    is_end = boundary == len(operations) - 1
    return Cut(prefix, None if is_end else keras.Model(activation, backbone.output, name="suffix"), boundary)


def freeze_below(backbone: keras.Model, index: int) -> None:
    """Leaves the layers from `index` on trainable, but for batch normalisation.

    Keras' guide to transfer learning keeps batch normalisation in inference mode while fine-tuning: new batch
    statistics would undo what the weights around them learnt.
    """
    for position, layer in enumerate(backbone.layers):
        layer.trainable = position >= index and not isinstance(layer, keras.layers.BatchNormalization)


def _last_bottleneck(operations: list[keras.Operation], end: int) -> int:
    """Index, below `end`, of the last operation after which each takes its inputs only from it or from later ones."""
    index = {id(operation.output): i for i, operation in enumerate(operations)}
    earliest = len(operations)  # of the outputs that the operations behind take
    for i in range(len(operations) - 1, 0, -1):
        if i < end and i <= earliest:
            return i
        earliest = min(earliest, *(index[id(tensor)] for tensor in keras.tree.flatten(operations[i].input)))
    return 0
