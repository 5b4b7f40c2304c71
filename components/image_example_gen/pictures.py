"""Judges a file's bytes: a picture that every later step can decode, or a reason why not.

What the pipeline stores is an upright 8-bit RGB or grey JPEG or PNG. Such files are kept as they are; all
else that Pillow decodes whole is re-encoded as PNG, once, with `normalise`, which prediction applies too.
"""

import io
import warnings
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from PIL import Image, UnidentifiedImageError

_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
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

# What Pillow warns about, such as broken EXIF data, is either harmless or told as a reason.
warnings.filterwarnings("ignore", module=r"PIL\.")


class Refused(Exception):
    """No usable picture; the message is the reason, a few words."""


class Picture(NamedTuple):
    """What is known about a usable picture.

    Attributes:
      height: pixels, of the upright picture.
      width: pixels, of the upright picture.
      brightness: mean luma, 0 (black) to 1 (white).
      as_stored: whether the file's own bytes can serve; otherwise they need `normalise`.
    """

    height: int
    width: int
    brightness: float
    as_stored: bool


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
    luma = np.asarray(image.convert("L"))
    return Picture(image.height, image.width, float(luma.mean() / 255), as_stored)


def normalise(data: bytes, max_pixels: int) -> bytes:
    """A picture's bytes as every later step can decode them.

    An upright 8-bit RGB or grey JPEG or PNG comes back as it is. All else becomes a PNG of its first frame:
    turned upright as its EXIF data say, transparency put on white, CMYK and palettes as RGB, the high 8 of 16
    bits. Colour profiles are ignored, as TensorFlow ignores them.

    Args:
      data: a file's bytes.
      max_pixels: most pixels allowed; checked before anything is decoded.

    Raises:
      Refused: the bytes are no picture, or not a whole one, or too large.
    """
    image, as_stored = _decode(data, max_pixels)
    return data if as_stored else _png(image)


def _decode(data: bytes, max_pixels: int) -> tuple[Image.Image, bool]:
    """The upright picture, RGB or grey, and whether the bytes can be kept."""
    if not data:
        raise Refused("empty file")
    image = _open(data, max_pixels)
    if image.width * image.height > max_pixels:
        raise Refused(f"more than {max_pixels} pixels")
    try:
        image.load()
        turn = _UPRIGHT.get(_orientation(image))
        if _is_plain(image, data) and turn is None and _tensorflow_decodes(data):
            return image, True
        image = _flatten(image)
        return (image if turn is None else image.transpose(turn)), False
    except Refused:
        raise
    except Exception as error:  # broken files raise nearly anything, from SyntaxError to struct.error
        raise Refused("truncated or damaged") from error


def _open(data: bytes, max_pixels: int) -> Image.Image:
    # Some formats reserve memory while their header is read: Pillow then refuses twice this many pixels.
    Image.MAX_IMAGE_PIXELS = max_pixels
    try:
        return Image.open(io.BytesIO(data), formats=_FORMATS)
    except Image.DecompressionBombError as error:
        raise Refused(f"more than {max_pixels} pixels") from error
    except UnidentifiedImageError as error:
        raise Refused("not a picture, or its header is broken") from error
    except Exception as error:  # as above
        raise Refused("truncated or damaged") from error


def _orientation(image: Image.Image) -> int:
    try:
        return image.getexif().get(_ORIENTATION, 1)
    except Exception:  # broken EXIF data: every viewer shows such a picture as it is
        return 1


def _is_plain(image: Image.Image, data: bytes) -> bool:
    """Whether the file is an 8-bit RGB or grey JPEG or PNG."""
    if image.format in ("JPEG", "MPO"):  # MPO: a JPEG with further pictures behind it
        return image.mode in ("L", "RGB")
    return image.format == "PNG" and data[24:26] in _PLAIN_PNG and not image.has_transparency_data


def _tensorflow_decodes(data: bytes) -> bool:
    """Pillow forgives a few faults, such as a PNG without its end, that TensorFlow does not."""
    try:
        tf.io.decode_image(data, channels=3, expand_animations=False)
    except tf.errors.InvalidArgumentError:
        return False
    return True


def _flatten(image: Image.Image) -> Image.Image:
    """As 8-bit RGB or grey, on white."""
    if image.mode.startswith("I;16"):
        samples = np.asarray(image)
        grey = (samples >> 8).astype(np.uint8)
        grey[samples == image.info.get("transparency", -1)] = 255
        return Image.fromarray(grey)
    if image.mode in ("I", "F"):
        raise Refused("32-bit samples, whose range is unknown")
    mode = "L" if image.mode in _GREY_MODES else "RGB"
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert(mode)


def _png(image: Image.Image) -> bytes:
    image.info = {}  # a transparent colour or a colour profile would be written too
    encoded = io.BytesIO()
    # Level 1 takes a third of the default's time for a sixth more bytes (a 12-megapixel photograph).
    image.save(encoded, "PNG", compress_level=1)
    return encoded.getvalue()
