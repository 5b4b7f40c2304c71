"""Decodes PPM and PGM files of any depth at the speed of the others."""

import re
from typing import Any

import numpy as np
from PIL import Image, PpmImagePlugin

from imaging import depth

_START = re.compile(rb"P[1-6f][\s#]")


def is_netpbm(data: bytes) -> bool:
    """Whether a file's bytes begin like a PBM, PGM, PPM or grey PFM file's."""
    return bool(_START.match(data))


class Ppm(PpmImagePlugin.PpmImageFile):
    """A picture of one of these kinds; Pillow itself takes a second a megapixel where the largest sample is unusual."""

    def load(self) -> Any:
        if self.tile and self.tile[0].codec_name == "ppm":
            self._load_samples()
        return super().load()

    def _load_samples(self) -> None:
        """Scales samples by the largest that the file declares; by the bits in use, if it is all that 16 bits hold."""
        tile = self.tile[0]
        assert self.fp is not None
        assert isinstance(tile.args, tuple)
        largest = int(tile.args[1])
        colours = [3] if self.mode == "RGB" else []
        shape = (self.height, self.width, *colours)
        sample = np.dtype("u1" if largest < 256 else ">u2")
        self.fp.seek(tile.offset)
        encoded = self.fp.read(int(np.prod(shape)) * sample.itemsize)
        samples = np.frombuffer(encoded, sample).reshape(shape)  # raises where the file is too short
        if largest == 65535:
            largest = (1 << depth.bits_in_use(int(samples.max()))) - 1
        scaled = np.round(np.minimum(samples, largest) * np.float32(255 / largest)).astype(np.uint8)
        image = Image.fromarray(scaled)
        self._mode, self.im, self.tile = image.mode, image.im, []
