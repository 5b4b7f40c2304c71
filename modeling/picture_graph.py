"""The one graph from a picture's bytes to a tensor: extraction, evaluation and serving all apply it."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from common.errors import UserError
from common.examples import IMAGE
from imaging import opening, orientation

PICTURE = "picture"
ERROR = "error"
_OTHER, _DAMAGED = "neither JPEG nor PNG", "truncated or damaged"
_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG"
# A JPEG's blocks of 8x8 can be decoded to fewer pixels, each the mean of some: for 12 million at a ratio of 4, all took
# 14 ms of processor time instead of 33. Twice the square's side is left at least, so that the resize still averages.
# Photographs come out brighter by 0.5 to 1 of 255, and differ little else: what decodes whole blocks fast rounds down.
# A file is found truncated or damaged at each ratio alike, which was tried on 3,900 broken ones.
_RATIOS = (1, 2, 4, 8)
_LEAST_SHRINKING = 2
# From a file's bytes to its pixels and an empty error.
_Decoder = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]
# Scale and translation, rows first, that put a picture into a square; float32 [2] each. From its height and width,
# float32 [2], and the square's side.
_Placed = Callable[[tf.Tensor, int], tuple[tf.Tensor, tf.Tensor]]


def preprocessing_fn(inputs: dict[str, tf.Tensor], custom_config: dict[str, Any]) -> dict[str, tf.Tensor]:
    """Decodes pictures, turns them upright as their EXIF data say, and resizes them; TensorFlow Transform's hook.

    Args:
      inputs: the raw features; `image` holds encoded JPEG or PNG pictures, string [batch].
      custom_config: `image_size`, the side of the square result in pixels; `resize`, how a picture becomes a square:
        "squash" scales each side by itself, "crop" takes the centre, "pad" adds black on two sides; `max_pixels`, the
        most pixels of a picture, height times width. One with more, or with a side of more than
        `imaging.opening.max_side`, is not decoded.

    Returns:
      `picture`: float32 [batch, image_size, image_size, 3], RGB, 0 to 255; all 0 where there is an error.
      `error`: string [batch], why a picture cannot be used; empty where it can.
    """
    size, max_pixels = custom_config["image_size"], custom_config["max_pixels"]
    placed = {"squash": _squashed, "crop": _cropped, "pad": _padded}[custom_config["resize"]]
    pictures, errors = tf.map_fn(
        lambda encoded: _read(encoded, size, placed, max_pixels),
        inputs[IMAGE],
        fn_output_signature=(tf.TensorSpec([size, size, 3], tf.float32), tf.TensorSpec([], tf.string)),
    )
    return {PICTURE: pictures, ERROR: errors}


def check(file_names: Sequence[bytes], errors: Sequence[bytes]) -> None:
    """Keeps a picture that cannot be used from being taken for a black one.

    Args:
      file_names: of pictures that were stored.
      errors: what the graph says of each.

    Raises:
      UserError: one of them has an error.
    """
    for file_name, error in zip(file_names, errors, strict=True):
        if error:
            raise UserError(f"the stored picture of '{file_name.decode()}' cannot be used: {error.decode()}")


def _read(encoded: tf.Tensor, size: int, placed: _Placed, max_pixels: int) -> tuple[tf.Tensor, tf.Tensor]:
    is_jpeg, is_png = (tf.equal(tf.strings.substr(encoded, 0, len(start)), start) for start in (_JPEG, _PNG))
    # libjpeg would print that a PNG is none of its files.
    sides = tf.cond(is_jpeg, lambda: _jpeg_sides(encoded), lambda: _png_sides(encoded))
    error = tf.where(is_jpeg | is_png, _excess(sides, max_pixels), _OTHER)
    black = tf.zeros([1, 1, 3], tf.uint8), tf.constant(_DAMAGED)
    usable = tf.where(error == "", encoded, "")
    index = tf.where(is_jpeg & (error == ""), _ratio_index(sides, size), 0)
    decoders: list[_Decoder] = [_decode, *(functools.partial(_decode_reduced, ratio=ratio) for ratio in _RATIOS[1:])]
    picture, damage = _switch(index, [functools.partial(_or_else, black, usable, decoder) for decoder in decoders])
    # Its last row and column may stand for fewer pixels than the others.
    exact = tf.cast(sides, tf.float32) / tf.gather(tf.constant(_RATIOS, tf.float32), index)
    exact = tf.where(index > 0, exact, tf.cast(tf.shape(picture)[:2], tf.float32))
    picture = _resized(picture, exact, size, placed)
    # A square is turned as well after it was made smaller, and in less time: all have their centre in its middle.
    picture = tf.ensure_shape(orientation.turn(picture, orientation.of(encoded)), [size, size, 3])
    return picture, tf.where(error == "", damage, error)


def _resized(picture: tf.Tensor, sides: tf.Tensor, size: int, placed: _Placed) -> tf.Tensor:
    """A picture of these sides in a square: float32 [size, size, 3]. What it does not cover is black."""
    scale, translation = placed(sides, size)
    # What tf.image.resize calls. Without antialiasing a large picture would lose the pixels between its samples.
    squares = tf.raw_ops.ScaleAndTranslate(
        images=picture[tf.newaxis],
        size=[size, size],
        scale=scale,
        translation=translation,
        kernel_type="triangle",
        antialias=True,
    )
    return squares[0]


def _squashed(sides: tf.Tensor, size: int) -> tuple[tf.Tensor, tf.Tensor]:
    return size / sides, tf.zeros([2])


def _cropped(sides: tf.Tensor, size: int) -> tuple[tf.Tensor, tf.Tensor]:
    scale = size / tf.reduce_min(sides)
    return tf.stack([scale, scale]), (size - scale * sides) / 2


def _padded(sides: tf.Tensor, size: int) -> tuple[tf.Tensor, tf.Tensor]:
    # Whole pixels, or the picture's edges would be blurred; and so few that a line of it remains visible.
    border = tf.round((size - size * sides / tf.reduce_max(sides)) / 2)
    border = tf.minimum(border, float((size - 1) // 2))
    return (size - 2 * border) / sides, border


def _or_else(instead: Any, encoded: tf.Tensor, operation: Callable[[tf.Tensor], Any]) -> Any:
    """What an operation makes of a picture, or `instead` where it fails.

    A failure would end the whole batch, but a data set can leave out what fails. One of one picture is made for each,
    which takes a tenth of a millisecond for a single operation, and a tenth of a second for a whole graph.
    """
    made = tf.data.Dataset.from_tensors(encoded).map(operation).ignore_errors()
    return made.concatenate(tf.data.Dataset.from_tensors(instead)).take(1).get_single_element()


def _switch(index: tf.Tensor, branches: Sequence[Callable[[], Any]]) -> Any:
    """What one of the branches returns: tf.switch_case in operations that TensorFlow Lite converts."""
    first, *others = branches
    return tf.cond(index > 0, lambda: _switch(index - 1, others), first) if others else first()


def _excess(sides: tf.Tensor, max_pixels: int) -> tf.Tensor:
    """What a picture of these sides has too much of, as `imaging.opening` says it of a file; empty for nothing."""
    longest = opening.max_side(max_pixels)
    long = tf.where(tf.reduce_max(sides) > longest, f"a side of more than {longest} pixels", "")
    return tf.where(tf.reduce_prod(sides) > max_pixels, f"more than {max_pixels} pixels", long)


def _jpeg_sides(encoded: tf.Tensor) -> tf.Tensor:
    """Height and width, int64 [2]."""
    nothing = tf.zeros([2], tf.int64)
    return _or_else(nothing, encoded, lambda encoded: tf.image.extract_jpeg_shape(encoded, tf.int64)[:2])


def _png_sides(encoded: tf.Tensor) -> tf.Tensor:
    """Width and height, int64 [2]: they follow the signature, and the length and the name of the first block."""
    header = tf.io.decode_raw(tf.strings.substr(encoded, 0, 24), tf.uint8, fixed_length=24)
    sides = tf.reshape(tf.cast(header[16:], tf.int64), [2, 4])
    return tf.reduce_sum(sides * [1 << 24, 1 << 16, 1 << 8, 1], axis=1)


def _ratio_index(sides: tf.Tensor, size: int) -> tf.Tensor:
    """Of the largest ratio that leaves a picture of these sides large enough, int32 []."""
    least = tf.constant([_LEAST_SHRINKING * size * ratio for ratio in _RATIOS[1:]], tf.int64)
    return tf.reduce_sum(tf.cast(tf.reduce_min(sides) >= least, tf.int32))


def _decode_reduced(encoded: tf.Tensor, ratio: int) -> tuple[tf.Tensor, tf.Tensor]:
    return tf.io.decode_jpeg(encoded, channels=3, ratio=ratio), tf.constant("")


def _decode(encoded: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    picture = tf.io.decode_image(encoded, channels=3, expand_animations=False)
    return tf.ensure_shape(picture, [None, None, 3]), tf.constant("")
