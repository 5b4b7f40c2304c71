"""Opens pictures with Pillow so that none costs much more memory or time than its pixels explain.

Only headers are read here. Pillow itself limits pixels and a PNG's texts; the rest is done here.
"""

import contextlib
import io
import logging
import math
import threading
import warnings
from collections.abc import Iterator

from PIL import (
    AvifImagePlugin,
    IcoImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
)

from imaging import kinds, netpbm, tags

_JPEG, _PNG, _GIF, _ICO, _NETPBM = b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"\0\0\1\0", b"P"
_OTHER_FORMATS = ("PNG", "WEBP", "BMP", "GIF")
# A file of tiny blocks takes a time and a memory far above its size: with a GIF's comment they grow with its square.
_MAX_READS = {_JPEG: 250_000, _PNG: 250_000, _GIF: 12_000, _ICO: 250_000, _NETPBM: 250_000}
_START_OF_SCAN = b"\xff\xda"
_MAX_SCANS = 100
_BITS_PER_SAMPLE = 258  # a TIFF file's tag
_LIMIT = threading.Lock()
_RAW_EXIF = "Raw profile type exif"  # where older programs put EXIF data in a PNG, in hexadecimal

# What Pillow has to say, such as that EXIF data are broken, is either harmless or told as a reason.
warnings.filterwarnings("ignore", module=r"PIL\.")
logging.getLogger("PIL").setLevel(logging.CRITICAL)


class Refused(Exception):
    """No usable picture; the message is the reason, a few words."""


def open_picture(data: bytes, max_pixels: int) -> ImageFile.ImageFile:
    """A picture that can be decoded at a cost that its pixels explain; only its header is read.

    Args:
      data: a file's bytes.
      max_pixels: most pixels allowed.

    Raises:
      Refused: the bytes are no picture, or would cost too much.
    """
    if not data:
        raise Refused("empty file")
    if reason := kinds.why_not_read(data):
        raise Refused(reason)
    if tags.is_tiff(data) and not (tags.are_plausible(data, max_pixels) and tags.are_unique(data)):
        raise Refused("implausible TIFF tags")
    image = _open(data, max_pixels)
    pixels = image.width * image.height
    if pixels > max_pixels:
        raise Refused(f"more than {max_pixels} pixels")
    if max(image.size) > max_side(max_pixels):
        raise Refused(f"a side of more than {max_side(max_pixels)} pixels")
    # A few bytes make a scan that passes over all pixels. The smaller the picture, the more are allowed: what a phone
    # puts behind a picture may hold the mark by chance.
    if image.info.get("progressive") and data.count(_START_OF_SCAN) * pixels > _MAX_SCANS * max_pixels:
        raise Refused("too many scans")
    return image


def max_side(max_pixels: int) -> int:
    """The longest side, in pixels, of a picture of at most so many pixels: 16 times that of a square.

    What makes a picture smaller holds the rows of its result with the columns of the picture: a line of 50 million
    pixels, a file of 50 kB, would take 134 GB on its way to 224 rows.
    """
    return 16 * math.isqrt(max_pixels)


def refusal(error: Exception) -> Refused:
    """What Pillow raised while it decoded, which is nearly anything from SyntaxError to struct.error, as a reason."""
    if isinstance(error, Refused):
        return error
    if "MAX_TEXT" in str(error):
        return Refused("more than 1 MB of text or colour profile")
    return Refused("truncated or damaged")


def exif(image: Image.Image) -> Image.Exif:
    """A decoded picture's EXIF data; empty where they are implausible.

    Raises:
      Exception: they are broken.
    """
    raw = image.info.pop(_RAW_EXIF, None)
    if raw and "exif" not in image.info:
        image.info["exif"] = bytes.fromhex("".join(raw.split("\n")[3:]))
    block = image.info.get("exif", b"")
    return image.getexif() if tags.are_plausible(block.removeprefix(b"Exif\0\0")) else Image.Exif()


def tag(image: Image.Image, number: int) -> int | None:
    """The first number of a TIFF file's tag; None if the picture is no such file, or lacks it."""
    value = image.tag_v2.get(number) if isinstance(image, TiffImagePlugin.TiffImageFile) else None
    first = value[0] if isinstance(value, tuple) and value else value
    return first if isinstance(first, int) else None


def _open(data: bytes, max_pixels: int) -> ImageFile.ImageFile:
    reads = next((reads for start, reads in _MAX_READS.items() if data.startswith(start)), None)
    file = io.BytesIO(data) if reads is None else _Counted(data, reads)
    try:
        plugin = _plugin(data)
        # Some formats reserve memory while their header is read: Pillow then refuses twice this many pixels.
        with _pillow_allows(max_pixels):
            return Image.open(file, formats=_OTHER_FORMATS) if plugin is None else plugin(file)
    except Image.DecompressionBombError as error:
        raise Refused(f"more than {max_pixels} pixels") from error
    except (UnidentifiedImageError, SyntaxError) as error:
        if "unknown pixel mode" in str(error):
            kind = tags.samples(data)
            raise Refused(f"a TIFF file with {kind} is not read; save 8 or 16 bits, unsigned") from error
        raise Refused("not a picture, or its header is broken") from error
    except Exception as error:
        raise refusal(error) from error


@contextlib.contextmanager
def _pillow_allows(pixels: int | None) -> Iterator[None]:
    """Pillow's limit, which is one for the process: other code in it opens its own pictures."""
    with _LIMIT:
        others, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, pixels
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = others


def _plugin(data: bytes) -> type[ImageFile.ImageFile] | None:
    """What opens a file of a format that Pillow is not to open by itself; None for the others."""
    if data.startswith(_JPEG):
        return _Jpeg
    if tags.is_tiff(data):
        return _Tiff
    if kinds.is_avif(data):
        return AvifImagePlugin.AvifImageFile
    if netpbm.is_netpbm(data):
        return netpbm.Ppm
    # This one decodes while it opens; a picture of at most twice the pixels allowed.
    return IcoImagePlugin.IcoImageFile if data.startswith(_ICO) else None


class _Counted(io.BytesIO):
    """A file that can be read only so often."""

    def __init__(self, data: bytes, reads: int) -> None:
        super().__init__(data)
        self._left = reads

    def read(self, size: int | None = -1, /) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise Refused("too many tiny blocks")
        return super().read(size)


class _Jpeg(JpegImagePlugin.JpegImageFile):
    """A JPEG whose EXIF block is not followed while it is opened; nor is it looked through for further pictures."""

    def _read_dpi_from_exif(self) -> None:
        pass


class _Tiff(TiffImagePlugin.TiffImageFile):
    """A TIFF of which planes of 16 bits are taken as such; Pillow would take their bytes for samples."""

    def _setup(self) -> None:
        super()._setup()
        if self.tag_v2.get(_BITS_PER_SAMPLE, (8,))[0] != 16:
            return
        order = "L" if self.tag_v2.prefix == b"II" else "B"
        for index, tile in enumerate(self.tile):
            if isinstance(tile.args, tuple) and len(tile.args[0]) == 1:
                self.tile[index] = tile._replace(args=(f"{tile.args[0]};16{order}", *tile.args[1:]))

    def load_prepare(self) -> None:
        with _pillow_allows(None):  # the picture and its tiles were measured before
            super().load_prepare()
