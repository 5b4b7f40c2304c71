"""The orientation that a JPEG's EXIF data state: read, and undone, by TensorFlow operations alone.

So the graph that serves a model reads it as ingestion does. It is read where cameras put it: in the first EXIF segment,
as the one short number of a tag in the first directory. Pillow follows more ways to state it; a file of which the two
read different orientations is not stored as it is.
"""

import tensorflow as tf

UPRIGHT = 1
_MAX_SEGMENTS = 64  # with the bytes that may fill up the room between two; each costs time
_MARK, _APP1, _EXIF = 0xFF, 0xE1, b"Exif\0\0"
_SEARCHED, _FOUND, _ABSENT = range(3)
_TAG, _SHORT = 0x0112, 3
_ENTRY = 12  # bytes: the tag's number (2), its type (2), the number of values (4), the values (4)


@tf.function(input_signature=[tf.TensorSpec([], tf.string)], autograph=False)
def of(encoded: tf.Tensor) -> tf.Tensor:
    """The orientation, 1 to 8 as EXIF has it, of an encoded picture; 1 where none is stated or it is no JPEG.

    Args:
      encoded: a file's bytes, string []; any bytes, also damaged ones.

    Returns:
      int32 [].
    """
    exif = _exif(encoded)
    start = tf.strings.substr(exif, 0, 4)
    is_little = tf.equal(start, b"II*\0")
    first = _number(_bytes(exif, 4, 4), is_little)
    entries = _number(_bytes(exif, first, 2), is_little)
    directory = tf.io.decode_raw(_part(exif, first + 2, _ENTRY * entries), tf.uint8)
    whole = tf.size(directory) // _ENTRY * _ENTRY
    tags = tf.reshape(directory[:whole], [-1, _ENTRY])
    stated = (
        (is_little | tf.equal(start, b"MM\0*"))
        & (_number(tags[:, 0:2], is_little) == _TAG)
        & (_number(tags[:, 2:4], is_little) == _SHORT)
        & (_number(tags[:, 4:8], is_little) == 1)
    )
    value = tf.reduce_max(tf.where(stated, _number(tags[:, 8:10], is_little), 0))
    return tf.where((value >= 1) & (value <= 8), tf.cast(value, tf.int32), UPRIGHT)


def turn(picture: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """A picture turned upright.

    Args:
      picture: [height, width, channels], as its file stores it.
      orientation: int32 [], 1 to 8.

    Returns:
      The same type; [width, height, channels] for an orientation of 5 to 8.
    """
    is_on_its_side = orientation >= 5
    is_upside_down = tf.reduce_any(tf.equal(orientation, [3, 4, 7, 8]))
    is_mirrored = tf.reduce_any(tf.equal(orientation, [2, 3, 6, 7]))
    # TensorFlow Lite does not reverse along axes that it learns only when it runs.
    picture = tf.cond(is_on_its_side, lambda: tf.transpose(picture, [1, 0, 2]), lambda: picture)
    picture = tf.cond(is_upside_down, lambda: tf.reverse(picture, [0]), lambda: picture)
    return tf.cond(is_mirrored, lambda: tf.reverse(picture, [1]), lambda: picture)


def _exif(encoded: tf.Tensor) -> tf.Tensor:
    """The first segment's EXIF data, without the "Exif" before them; empty where there are none."""

    def step(position: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        mark, marker = tf.unstack(tf.cast(_bytes(encoded, position, 2), tf.int32))
        is_filling = tf.equal(marker, _MARK)
        # Neither a marker without content nor a scan, which ends the segments.
        is_segment = (marker >= 0xC0) & ((marker < 0xD0) | (marker > 0xDA))
        is_exif = tf.equal(marker, _APP1) & tf.equal(_part(encoded, position + 4, len(_EXIF)), _EXIF)
        state = tf.where(tf.equal(mark, _MARK) & is_segment, tf.where(is_exif, _FOUND, _SEARCHED), _ABSENT)
        after = tf.where(is_filling, position + 1, position + 2 + _length(encoded, position))
        return tf.where(is_exif, position, after), state

    is_jpeg = tf.equal(tf.strings.substr(encoded, 0, 3), b"\xff\xd8\xff")
    position, state = tf.while_loop(
        lambda _, state: tf.equal(state, _SEARCHED),
        step,
        (tf.constant(2, tf.int64), tf.where(is_jpeg, _SEARCHED, _ABSENT)),
        maximum_iterations=_MAX_SEGMENTS,
    )
    length = tf.maximum(_length(encoded, position) - 2 - len(_EXIF), 0)
    return tf.where(tf.equal(state, _FOUND), _part(encoded, position + 4 + len(_EXIF), length), b"")


def _length(encoded: tf.Tensor, position: tf.Tensor) -> tf.Tensor:
    """What a segment says of its length, of which it is itself a part."""
    return _number(_bytes(encoded, position + 2, 2), tf.constant(False))


def _part(data: tf.Tensor, start: tf.Tensor | int, length: tf.Tensor | int) -> tf.Tensor:
    """Some of a string's bytes, as far as it has them; `start` and `length`, int64 [], may be any numbers from 0."""
    end = tf.cast(tf.strings.length(data), tf.int64)
    return tf.strings.substr(data, tf.minimum(tf.cast(start, tf.int64), end), tf.cast(length, tf.int64))


def _bytes(data: tf.Tensor, start: tf.Tensor | int, length: int) -> tf.Tensor:
    """Some of a string's bytes, uint8 [length]; 0 past its end."""
    return tf.io.decode_raw(_part(data, start, length), tf.uint8, fixed_length=length)


def _number(digits: tf.Tensor, is_little: tf.Tensor) -> tf.Tensor:
    """Whole numbers of a few bytes each, uint8 [..., bytes], as int64 [...]."""
    weights = [256**place for place in range(digits.shape[-1])]
    weights = tf.where(is_little, tf.constant(weights, tf.int64), tf.constant(weights[::-1], tf.int64))
    return tf.reduce_sum(tf.cast(digits, tf.int64) * weights, axis=-1)
