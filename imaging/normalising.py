"""Judges a file's bytes: a picture that every later step can decode, or a reason why not.

What the pipeline stores is an 8-bit RGB or grey JPEG or PNG: a PNG upright, a JPEG with the orientation that its EXIF
data state, which `imaging.orientation` reads and the preprocessing graph undoes. Such files are kept as they are; all
else that Pillow decodes whole is re-encoded as PNG, once, with `normalise`, which prediction applies too.
"""

import io
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from PIL import Image

from imaging import colours, likeness, opening, orientation, samples, sharpness
from imaging.opening import Refused as Refused

_GREY_MODES = ("1", "L", "LA")
_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# The bit depth and the colour type in a PNG's header, at bytes 24 and 25: 8-bit grey, 8-bit RGB.
_PLAIN_PNG = (b"\x08\x00", b"\x08\x02")
_BAND = 1024  # rows


class Picture(NamedTuple):
    """What is known about a usable picture.

    Attributes:
      height: pixels, of the upright picture.
      width: pixels, of the upright picture.
      brightness: mean luma, 0 (black) to 1 (white).
      sharpness: as `sharpness` measures it, 0 or more.
      as_stored: whether the file's own bytes can serve; otherwise they need `normalise`.
      perceptual_hash: as `likeness` makes it, 64 hexadecimal digits.
    """

    height: int
    width: int
    brightness: float
    sharpness: float
    as_stored: bool
    perceptual_hash: str


def max_bytes(max_pixels: int) -> int:
    """Size above which a file holds more than one picture of so many pixels, even an uncompressed one."""
    return 8 * max_pixels + (1 << 20)


def examine(data: bytes, max_pixels: int) -> Picture:
    """Decodes a picture whole and measures it.

    Args:
      data: a file's bytes.
      max_pixels: most pixels allowed; checked before anything is decoded.

    Raises:
      Refused: the bytes are no picture, or not a whole one, or too large.
    """
    image, as_stored = _decode(data, max_pixels)
    luma = image.convert("L")
    brightness = float(np.asarray(luma).mean() / 255)
    hashed = likeness.perceptual_hash(luma)
    return Picture(image.height, image.width, brightness, sharpness.measure(luma), as_stored, hashed)


def normalise(data: bytes, max_pixels: int, *, upright: bool = False) -> bytes:
    """A picture's bytes as every later step can decode them.

    An 8-bit RGB or grey JPEG or PNG comes back as it is, if it is upright or the preprocessing graph turns it upright,
    as it does JPEGs with the usual EXIF data. All else becomes a PNG of its first frame:
    turned upright as its EXIF data say, transparency put on white, CMYK and palettes as RGB, more than 8 bits
    a sample as `imaging.samples` says, colours converted to sRGB where a profile says that they are others. A JPEG
    whose colours are converted stays a JPEG, of quality 95: as PNG, it would have four to six times the bytes.

    Args:
      data: a file's bytes.
      max_pixels: most pixels allowed; checked before anything is decoded.
      upright: whether all are turned here, for a model of an earlier release, whose graph turns none.

    Raises:
      Refused: the bytes are no picture, or not a whole one, or too large.
    """
    image, as_stored = _decode(data, max_pixels)
    if as_stored and not (upright and _turned_by_graph(data) in _UPRIGHT):
        return data
    return _jpeg(image) if image.format == "JPEG" else _png(image)


def encode(image: Image.Image) -> bytes:
    """A decoded picture as `normalise` gives the bytes of its file, but always as PNG.

    Raises:
      Refused: it is not known which of its samples are black and which white, or what they are decoded from is damaged.
    """
    try:
        return _png(_upright(image))
    except Exception as error:
        raise opening.refusal(error) from error


def thumbnail(data: bytes, max_pixels: int, side: int) -> bytes:
    """A small JPEG of a picture, upright, for people to look at.

    Args:
      data: a file's bytes.
      max_pixels: most pixels allowed; checked before anything is decoded.
      side: most pixels a side; a smaller picture keeps its size.

    Raises:
      Refused: as `normalise` does.
    """
    image, _ = _decode(data, max_pixels)
    image.thumbnail((side, side))
    image.info = {}
    encoded = io.BytesIO()
    image.save(encoded, "JPEG", quality=85)
    return encoded.getvalue()


def _decode(data: bytes, max_pixels: int) -> tuple[Image.Image, bool]:
    """The upright picture, RGB or grey, and whether the bytes can be kept."""
    try:
        image = samples.decode(data, max_pixels)
        stated, is_srgb = _orientation(image), colours.is_srgb(image)
        if stated == _turned_by_graph(data) and is_srgb and _is_plain(image, data) and _tensorflow_agrees(image, data):
            return _turn(image, stated), True
        upright = _upright(image)
        if image.format == "JPEG" and not is_srgb:
            upright.format = "JPEG"
        return upright, False
    except Exception as error:
        raise opening.refusal(error) from error


def _upright(image: Image.Image) -> Image.Image:
    """A copy, RGB or grey."""
    stated = _orientation(image)
    return _turn(_flatten(colours.to_srgb(image)), stated)


def _turn(image: Image.Image, stated: int) -> Image.Image:
    turn = _UPRIGHT.get(stated)
    return image if turn is None else image.transpose(turn)


def _orientation(image: Image.Image) -> int:
    """What Pillow says, 1 to 8."""
    try:
        stated = opening.exif(image).get(_ORIENTATION)
    except Exception:  # broken EXIF data: every viewer shows such a picture as it is
        stated = None
    return stated if stated in _UPRIGHT else orientation.UPRIGHT


def _turned_by_graph(data: bytes) -> int:
    """The orientation that the preprocessing graph undoes, 1 to 8."""
    return int(orientation.of(tf.constant(data)))


def _is_plain(image: Image.Image, data: bytes) -> bool:
    """Whether the file is an 8-bit RGB or grey JPEG or PNG."""
    if image.format == "JPEG":
        return image.mode in ("L", "RGB")
    return image.format == "PNG" and data[24:26] in _PLAIN_PNG and not image.has_transparency_data


def _tensorflow_agrees(image: Image.Image, data: bytes) -> bool:
    """Whether TensorFlow decodes the same pixels; Pillow forgives a few faults that TensorFlow does not."""
    try:
        if image.format == "JPEG":
            # Pillow's own arithmetic; TensorFlow's default is coarser by a few levels.
            decoded = tf.io.decode_jpeg(data, dct_method="INTEGER_ACCURATE")
        else:
            decoded = tf.io.decode_png(data)
    except tf.errors.InvalidArgumentError:
        return False
    return _is_equal(image, decoded.numpy())


def _is_equal(image: Image.Image, pixels: npt.NDArray[np.uint8]) -> bool:
    """Compares a picture with uint8 [height, width, channels]; a large one in bands, as copies of it take memory."""
    if pixels.shape != (image.height, image.width, len(image.getbands())):
        return False
    if image.height <= _BAND:
        return image.tobytes() == pixels.tobytes()
    tops = range(0, image.height, _BAND)
    bands = (image.crop((0, top, image.width, min(top + _BAND, image.height))) for top in tops)
    return all(_is_equal(band, pixels[top : top + _BAND]) for top, band in zip(tops, bands, strict=True))


def _flatten(image: Image.Image) -> Image.Image:
    """As 8-bit RGB or grey, on white."""
    if samples.is_deep(image):
        return samples.to_grey(image)
    mode = "L" if image.mode in _GREY_MODES else "RGB"
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert(mode)


def _jpeg(image: Image.Image) -> bytes:
    image.info = {}
    encoded = io.BytesIO()
    image.save(encoded, "JPEG", quality=95)
    return encoded.getvalue()


def _png(image: Image.Image) -> bytes:
    image.info = {}  # a transparent colour or a colour profile would be written too
    encoded = io.BytesIO()
    # Level 1 takes a third of the default's time for a sixth more bytes (a 12-megapixel photograph).
    image.save(encoded, "PNG", compress_level=1)
    return encoded.getvalue()
