"""Makes the tests' pictures."""

import io
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]

# Of the first classes that `write_classes` writes.
TINTS = ((200, 60, 60), (60, 60, 200), (60, 200, 60), (200, 200, 60))


def make_pixels(seed: int, height: int = 24, width: int = 32, tint: tuple[int, int, int] = (128, 128, 128)) -> Pixels:
    """A picture with a tint and coarse noise: uint8 [height, width, 3]; another seed, another picture."""
    noise = np.random.default_rng(seed).integers(-50, 51, (6, 8, 3))
    coarse = np.clip(np.array(tint) + noise, 0, 255).astype(np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def make_scene(seed: int) -> Image.Image:
    """240x320 random discs on a gradient: shapes of all sizes, as in photographs; another seed, another picture."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:240, :320]
    picture = np.dstack([(rows * slope + columns) % 256 for slope in rng.random(3)]) * 0.3
    for _ in range(30):
        inside = np.hypot(rows - rng.integers(240), columns - rng.integers(320)) < rng.integers(5, 60)
        picture[inside] = rng.integers(0, 256, 3)
    return Image.fromarray(picture.astype(np.uint8))


def encode(pixels: Pixels | Image.Image, format: str = "PNG", **options: Any) -> bytes:
    """A picture's bytes in one of Pillow's formats."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    encoded = io.BytesIO()
    image.save(encoded, format, **options)
    return encoded.getvalue()


def exif(orientation: int) -> Image.Exif:
    """EXIF data that say how a picture is to be turned, 1 to 8."""
    data = Image.Exif()
    data[0x0112] = orientation
    return data


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """One block of a PNG, with its length and its checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(bit_depth: int, colour_type: int, rows: npt.NDArray[Any], *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of a kind that Pillow does not write; `rows`: samples, [height, width] or [..., channels]."""
    height, width = rows.shape[:2]
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, bit_depth, colour_type, 0, 0, 0)
    body = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(raw)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in body)


def write_classes(root: Path, counts: Mapping[str, int], *, seed: int = 0, size: int = 32) -> Path:
    """Writes square PNG pictures as `root/<class>/<number>.png`; each class has a tint of its own.

    Args:
      root: made if missing.
      counts: pictures of each class.
      seed: another seed gives other pictures; none are alike.
      size: side in pixels.
    """
    for class_id, (name, count) in enumerate(counts.items()):
        folder = root / name
        folder.mkdir(parents=True)
        for index in range(count):
            pixels = make_pixels(seed + 1000 * class_id + index, size, size, TINTS[class_id % len(TINTS)])
            (folder / f"{index:03d}.png").write_bytes(encode(pixels))
    return root
