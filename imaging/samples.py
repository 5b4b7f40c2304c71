"""Samples of more than 8 bits, as 8 bits.

Files of 16 bits a sample often hold numbers of 8, 10, 12 or 14: X-ray, microscopes, thermal cameras, video. Taken as 16
bits, they are black. One rule for all: a picture uses the fewest of 8, 10, 12, 14 and 16 bits that hold its largest
sample, or the largest one that the file declares if these are not all 16 bits, and the high 8 of them are kept.
"""

import sys

import numpy as np
from PIL import Image, ImageFile

from imaging import depth, opening
from imaging.opening import Refused

_WHITE_IS_ZERO, _SEPARATE = 0, 2
_PHOTOMETRIC, _MAX_SAMPLE_VALUE, _PLANES = 262, 281, 284  # of TIFF's tags
_SWAPPED = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}  # orders of a sample's two bytes
# Of these, Pillow decodes the one byte of a sample as well as the other.
_BOTH_BYTES = {f"{colours};16{order}" for colours in ("RGB", "RGBX", "RGBA", *"RGBA") for order in "BL"}
_UNSTATED = "which are black and which white is not stated; rescale them to 8 or 16 bits"


def decode(data: bytes, max_pixels: int) -> Image.Image:
    """A decoded picture. Its mode may still be a deep one, see `to_grey`; colours of 16 bits have become 8.

    Args:
      data: a file's bytes.
      max_pixels: most pixels allowed.

    Raises:
      Exception: it is no picture, or damaged; `opening.refusal` makes a reason of it.
    """
    image = opening.open_picture(data, max_pixels)
    are_colours_deep = image.mode in ("RGB", "RGBA") and any(raw[-4:-1] == ";16" for raw in _raw_modes(image))
    image.load()
    if not are_colours_deep:
        return image
    # Pillow keeps the high byte of each sample, which a picture of fewer bits leaves all but empty.
    bits = depth.bits_in_use(int(np.asarray(image)[..., :3].max()) << 8)
    return image if bits == 16 else _with_low_bytes(image, opening.open_picture(data, max_pixels), bits)


def is_deep(image: Image.Image) -> bool:
    """Whether a picture's mode is of more than 8 bits a sample, which is always grey."""
    return image.mode.startswith(("I", "F"))


def to_grey(image: Image.Image) -> Image.Image:
    """A deep picture with 8 bits a sample; a transparent grey becomes white.

    Integers follow the rule of this module. Floating-point samples are 0 (black) to 1 (white).

    Raises:
      Refused: integers that are negative or above 65535, or floating-point samples outside 0 to 1.
    """
    samples = np.asarray(image)
    low, high = samples.min(), samples.max()
    if image.mode == "F":
        if not (low >= 0 and high <= 1):
            raise Refused(f"floating-point samples outside 0 to 1: {_UNSTATED}")
        grey = np.round(samples * 255).astype(np.uint8)
    else:
        if low < 0 or high > 65535:
            raise Refused(f"integer samples outside 0 to 65535: {_UNSTATED}")
        grey = (samples >> depth.bits_in_use(max(int(high), _declared(image))) - 8).astype(np.uint8)
    if opening.tag(image, _PHOTOMETRIC) == _WHITE_IS_ZERO:
        grey = 255 - grey
    grey[samples == image.info.get("transparency", -1)] = 255
    return Image.fromarray(grey)


def _declared(image: Image.Image) -> int:
    """The largest sample that a file declares to be possible; 0 if it declares none or only what 16 bits can hold."""
    largest = opening.tag(image, _MAX_SAMPLE_VALUE) or 0
    return largest if largest < 65535 else 0


def _raw_modes(image: ImageFile.ImageFile) -> list[str]:
    """How the samples of each part of an opened file lie in it, such as "RGB;16B"."""
    return [tile.args if isinstance(tile.args, str) else str((tile.args or [""])[0]) for tile in image.tile]


def _with_low_bytes(image: Image.Image, again: ImageFile.ImageFile, bits: int) -> Image.Image:
    """A picture whose colours are of 16 bits and use fewer, from a second opening of its file."""
    swapped = [raw[:-1] + _SWAPPED[raw[-1]] for raw in _raw_modes(again)]
    are_planes_joined = opening.tag(again, _PLANES) == _SEPARATE and len(swapped) == 1  # by libtiff, in its own order
    if are_planes_joined or not set(swapped) <= _BOTH_BYTES:
        raise Refused(f"16-bit samples that use {bits} bits, in a form of which only the high 8 of 16 are read")
    for index, (tile, raw) in enumerate(zip(again.tile, swapped, strict=True)):
        again.tile[index] = tile._replace(args=(raw, *tile.args[1:]) if isinstance(tile.args, tuple) else raw)
    again.load()
    high, low = (np.asarray(half.convert("RGB")).astype(np.uint16) for half in (image, again))
    colours = Image.fromarray(((high << 8 | low) >> bits - 8).astype(np.uint8))
    if image.mode == "RGBA":
        colours.putalpha(image.getchannel("A"))
    colours.info, colours.format = image.info, image.format
    return colours
