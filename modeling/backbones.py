"""Backbones of `keras.applications`, and where a backbone is cut into a frozen prefix and a trainable suffix."""

from typing import NamedTuple

import keras

from common.errors import UserError
from modeling.backbone_names import BACKBONES


class Cut(NamedTuple):
    """A backbone in two parts that together compute what it computes.

    Attributes:
      prefix: picture float32 [batch, size, size, 3], RGB, 0 to 255 -> activation at the boundary. Frozen.
      suffix: activation at the boundary -> feature map [batch, height, width, channels]. Shares the backbone's
        layers; None where the boundary is the backbone's end.
      boundary: name of the layer whose output the activation is; "picture" where nothing is frozen.
    """

    prefix: keras.Model
    suffix: keras.Model | None
    boundary: str


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
        return [layer.name for layer in backbone.layers].index(BACKBONES[name].last_stage)
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
    layers = backbone.layers
    picture = keras.Input(backbone.input.shape[1:], name="picture")
    boundary = max(i for i in range(max(index, 1)) if _is_bottleneck(layers, i))
    if boundary == 0:
        # Pictures rather than preprocessed values are stored: 0 to 255 keeps its precision in float16.
        return Cut(
            keras.Model(picture, keras.layers.Identity()(picture), name="prefix"),
            keras.Model(picture, backbone(preprocess(name, picture)), name="suffix"),
            "picture",
        )
    trunk = keras.Model(backbone.input, layers[boundary].output, name="trunk")
    prefix = keras.Model(picture, trunk(preprocess(name, picture)), name="prefix")
    is_end = boundary == len(layers) - 1
    suffix = None if is_end else keras.Model(layers[boundary].output, backbone.output, name="suffix")
    return Cut(prefix, suffix, layers[boundary].name)


def freeze_below(backbone: keras.Model, index: int) -> None:
    """Leaves the layers from `index` on trainable, but for batch normalisation.

    Keras' guide to transfer learning keeps batch normalisation in inference mode while fine-tuning: new batch
    statistics would undo what the weights around them learnt.
    """
    for position, layer in enumerate(backbone.layers):
        layer.trainable = position >= index and not isinstance(layer, keras.layers.BatchNormalization)


def _is_bottleneck(layers: list[keras.Layer], i: int) -> bool:
    """Whether each layer after `i` takes its inputs only from `i` or from layers after it."""
    allowed = {id(layer.output) for layer in layers[i:]}
    return all(id(tensor) in allowed for layer in layers[i + 1 :] for tensor in keras.tree.flatten(layer.input))
