"""The sample data set: 200 real pictures of 25x25 pixels that scikit-image's wheel carries, faces or not."""

import io
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image

_FACES = 100


def write_sample(directory: Path) -> Path:
    """Writes the pictures as 8-bit grey PNG files in `face/` and `not_face/`, where they are not there yet.

    Args:
      directory: made if missing; becomes the data folder.

    Returns:
      The directory.
    """
    for index, picture in enumerate(skimage.data.lfw_subset()):  # floats from 0 to 1; the faces come first
        folder = directory / ("face" if index < _FACES else "not_face")
        path = folder / f"{index:03d}.png"
        encoded = io.BytesIO()
        Image.fromarray(np.round(picture * 255).astype(np.uint8)).save(encoded, "PNG")
        if not path.is_file() or path.read_bytes() != encoded.getvalue():
            folder.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encoded.getvalue())
    return directory
