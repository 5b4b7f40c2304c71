"""Makes pictures of every kind, broken copies of them, and small files that ask for much memory or time."""

import struct
import zlib
from collections.abc import Iterator, Mapping

import numpy as np
from pictures import encode, make_pixels, png_chunk
from PIL import Image

TIFF_BODY = 8 + 24 * 32

_RNG = np.random.default_rng(0)
_NOISE = Image.fromarray(_RNG.integers(0, 256, (24, 32, 3)).astype(np.uint8))
_SMOOTH = Image.fromarray(make_pixels(0))
_PALETTE = _NOISE.quantize(64)
_GREY_16 = Image.fromarray(_RNG.integers(0, 1 << 16, (24, 32)).astype(np.uint16))

SOUND = {
    "jpeg": encode(_SMOOTH, "JPEG"),
    "noisy jpeg": encode(_NOISE, "JPEG"),
    "progressive jpeg": encode(_NOISE, "JPEG", progressive=True),
    "jpeg with restart marks": encode(_NOISE, "JPEG", restart_marker_rows=1),
    "grey jpeg": encode(_SMOOTH.convert("L"), "JPEG"),
    "cmyk jpeg": encode(_SMOOTH.convert("CMYK"), "JPEG"),
    "jpeg with others behind": encode(_SMOOTH, "MPO", save_all=True, append_images=[_NOISE]),
    "png": encode(_NOISE),
    "palette png": encode(_PALETTE),
    "transparent png": encode(_NOISE.convert("RGBA")),
    "1-bit png": encode(_SMOOTH.convert("1")),
    "16-bit png": encode(_GREY_16),
    "webp": encode(_NOISE, "WEBP"),
    "lossless webp": encode(_NOISE, "WEBP", lossless=True),
    "animated webp": encode(_NOISE, "WEBP", save_all=True, append_images=[_SMOOTH]),
    "bmp": encode(_NOISE, "BMP"),
    "palette bmp": encode(_PALETTE, "BMP"),
    "tiff": encode(_NOISE, "TIFF"),
    "lzw tiff": encode(_NOISE, "TIFF", compression="tiff_lzw"),
    "deflated tiff": encode(_NOISE, "TIFF", compression="tiff_adobe_deflate"),
    "jpeg tiff": encode(_NOISE, "TIFF", compression="jpeg"),
    "fax tiff": encode(_SMOOTH.convert("1"), "TIFF", compression="group4"),
    "16-bit tiff": encode(_GREY_16, "TIFF"),
    "tiff of two pages": encode(_NOISE, "TIFF", save_all=True, append_images=[_PALETTE.convert("RGB")]),
    "big tiff": encode(_NOISE, "TIFF", big_tiff=True),
    "ppm": encode(_NOISE, "PPM"),
    "ico": encode(_NOISE, "ICO", sizes=[(32, 24)]),
    "avif": encode(_NOISE, "AVIF"),
    "gif": encode(_PALETTE, "GIF"),
    "animated gif": encode(_PALETTE, "GIF", save_all=True, append_images=[_PALETTE.rotate(180)]),
}


def truncated(data: bytes) -> Iterator[bytes]:
    """The beginnings of a file at each hundredth of it, and at each of its last twenty bytes."""
    ends = {len(data) * percent // 100 for percent in range(100)} | set(range(len(data) - 20, len(data)))
    return (data[:end] for end in sorted(ends))


def flipped(data: bytes, copies: int) -> Iterator[bytes]:
    """Copies with one to thirty-two bytes changed, in half of them near the beginning, where the headers are."""
    rng = np.random.default_rng(len(data))
    for copy in range(copies):
        damaged = np.frombuffer(data, np.uint8).copy()
        places = rng.integers(0, len(data) if copy % 2 else min(len(data), 300), 1 << rng.integers(0, 6))
        damaged[places] = rng.integers(0, 256, len(places))
        yield damaged.tobytes()


def tiff(tags: Mapping[int, tuple[int, int, int]], body: bytes = b"") -> bytes:
    """A grey TIFF of 32x24 pixels.

    Args:
      tags: type, count, and value or offset of further tags, or of usual ones instead, by number.
      body: further bytes, which lie at the offset `TIFF_BODY`.
    """
    width, height, bits, compression = (4, 1, 32), (4, 1, 24), (3, 1, 8), (3, 1, 1)
    usual = {256: width, 257: height, 258: bits, 259: compression, 262: (3, 1, 1), 273: (4, 1, 8), 278: (4, 1, 24)}
    start = struct.pack("<2sHL", b"II", 42, TIFF_BODY + len(body))
    return start + bytes(24 * 32) + body + directory({**usual, **tags})


def directory(tags: Mapping[int, tuple[int, int, int]]) -> bytes:
    """A directory of tags, as TIFF files and EXIF blocks hold them."""
    entries = (struct.pack("<HHLL", number, *tag) for number, tag in sorted(tags.items()))
    return struct.pack("<H", len(tags)) + b"".join(entries) + bytes(4)


def greedy_tags(kind: int = 7, size: int = 1) -> dict[int, tuple[int, int, int]]:
    """Five thousand tags that all claim the same 50,000 bytes, the first of their file; type and size of a value."""
    return dict.fromkeys(range(1000, 6000), (kind, 50_000 // size, 0))


def greedy_exif(kind: int = 7, size: int = 1) -> bytes:
    """60 KB of EXIF data that take 250 MB."""
    return struct.pack("<2sHL", b"II", 42, 8) + directory(greedy_tags(kind, size))


def jpeg_with(*segments: tuple[int, bytes]) -> bytes:
    """A JPEG with segments, each with its marker, before all others."""
    data = SOUND["jpeg"]
    extra = b"".join(struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body for marker, body in segments)
    return data[:2] + extra + data[2:]


def png_with(*chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG with chunks right behind its header."""
    data = SOUND["png"]
    return data[:33] + b"".join(png_chunk(*chunk) for chunk in chunks) + data[33:]


def _tiff_tile(side: int) -> bytes:
    tile = zlib.compress(bytes(side * side), 9)
    tags = {259: (3, 1, 8), 322: (4, 1, side), 323: (4, 1, side), 324: (4, 1, TIFF_BODY), 325: (4, 1, len(tile))}
    return tiff(tags, tile)


def _gif_with(blocks: bytes) -> bytes:
    data = SOUND["gif"]
    start = 13 + (6 << (data[10] & 7))
    return data[:start] + blocks + data[start:]


def _many_scans() -> bytes:
    data = encode(Image.new("L", (200, 200), 128), "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xc4") : -2]
    return data[:-2] + last * 200 + data[-2:]


# Their sizes are such that they do no harm where nothing holds them back, yet are felt.
_TWO_MEGABYTES = zlib.compress(bytes(2_000_000), 9)
_RAW_EXIF = b"Raw profile type exif\0\nexif\n60000\n" + greedy_exif().hex().encode()
GREEDY_REFUSED = {
    "tiff tags": (tiff(greedy_tags(), bytes(50_000)), "implausible TIFF tags"),
    "tags below": (tiff({0x8769: (4, 1, TIFF_BODY)}, directory(greedy_tags())), "implausible TIFF tags"),
    "tags below, after some that are not there": (
        tiff({0x8769: (4, 1, 1 << 30), 0x8825: (4, 1, TIFF_BODY)}, directory(greedy_tags())),
        "implausible TIFF tags",
    ),
    "tiff strips": (tiff({273: (1, 300_000, TIFF_BODY)}, bytes(300_000)), "implausible TIFF tags"),
    "tiff numbers": (tiff({339: (3, 300_000, TIFF_BODY)}, bytes(600_000)), "implausible TIFF tags"),
    "tiff tile": (_tiff_tile(4096), "implausible TIFF tags"),
    "gif comment": (_gif_with(b"!\xfe" + b"\xff".ljust(256) * 10_000 + b"\0"), "too many tiny blocks"),
    "png chunks": (png_with(*[(b"abCd", b"")] * 130_000), "too many tiny blocks"),
    "jpeg filling": (SOUND["jpeg"][:2] + b"\xff" * 300_000 + SOUND["jpeg"][2:], "too many tiny blocks"),
    "jpeg scans": (_many_scans(), "too many scans"),
    "png text": (png_with((b"zTXt", b"a\0\0" + _TWO_MEGABYTES)), "more than 1 MB of text or colour profile"),
    "png profile": (png_with((b"iCCP", b"a\0\0" + _TWO_MEGABYTES)), "more than 1 MB of text or colour profile"),
}
GREEDY_USED = {
    "jpeg exif": jpeg_with((0xE1, b"Exif\0\0" + greedy_exif())),
    "jpeg exif in parts": jpeg_with(*[(0xE1, b"Exif\0\0" + part) for part in (greedy_exif()[:9], greedy_exif()[9:])]),
    "jpeg index of pictures": jpeg_with((0xE2, b"MPF\0" + greedy_exif(3, 2))),
    "png exif": png_with((b"eXIf", greedy_exif())),
    "png exif as text": png_with((b"tEXt", _RAW_EXIF)),
    "webp exif": encode(_NOISE, "WEBP", exif=b"Exif\0\0" + greedy_exif()),
    "gif frames": SOUND["gif"][:-1] + SOUND["gif"][13 + (6 << (SOUND["gif"][10] & 7)) : -1] * 1000 + b";",
}
