"""Made-up pictures: as large as photographs of the web, no two alike, and told apart by their tint."""

from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = {"amber": (170, 130, 90), "blue": (90, 120, 170)}
_WIDTH, _HEIGHT = 300, 250
_COARSE, _FINE = 60, 12  # how far from the tint large spots stray, and single pixels from these


def write(folder: Path, pictures: int) -> Path:
    """Writes JPEGs of some 25 KB to folder/<class>/, those alone that are not there yet.

    A picture's number decides its pixels, so that a larger data set holds a smaller one.
    """
    names = list(CLASSES)
    for name in names:
        (folder / name).mkdir(parents=True, exist_ok=True)
    for number in range(pictures):
        name = names[number % len(names)]
        path = folder / name / f"{number:06}.jpg"
        if not path.exists():
            _picture(number, CLASSES[name]).save(path, quality=85)
    return folder


def _picture(number: int, tint: tuple[int, int, int]) -> Image.Image:
    random = np.random.default_rng(number)
    spots = np.clip(np.array(tint) + random.integers(-_COARSE, _COARSE + 1, (10, 12, 3)), 0, 255).astype(np.uint8)
    smooth = np.asarray(Image.fromarray(spots).resize((_WIDTH, _HEIGHT), Image.Resampling.BICUBIC), np.int16)
    noise = random.integers(-_FINE, _FINE + 1, (_HEIGHT, _WIDTH, 1), np.int16)
    return Image.fromarray(np.clip(smooth + noise, 0, 255).astype(np.uint8))
