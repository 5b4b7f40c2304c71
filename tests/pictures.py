"""Makes the tests' pictures."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]

_TINTS = ((200, 60, 60), (60, 60, 200), (60, 200, 60), (200, 200, 60))


def make_pixels(seed: int, height: int = 24, width: int = 32, tint: tuple[int, int, int] = (128, 128, 128)) -> Pixels:
    """A picture with a tint and coarse noise: uint8 [height, width, 3]; another seed, another picture."""
    noise = np.random.default_rng(seed).integers(-50, 51, (6, 8, 3))
    coarse = np.clip(np.array(tint) + noise, 0, 255).astype(np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def encode(pixels: Pixels | Image.Image, format: str = "PNG", **options: Any) -> bytes:
    """A picture's bytes in one of Pillow's formats."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    encoded = io.BytesIO()
    image.save(encoded, format, **options)
    return encoded.getvalue()


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
            pixels = make_pixels(seed + 1000 * class_id + index, size, size, _TINTS[class_id % len(_TINTS)])
            (folder / f"{index:03d}.png").write_bytes(encode(pixels))
    return root
