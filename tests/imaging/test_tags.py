"""Tags that two readers take for different pictures: Pillow's own, and the library that decodes a TIFF file for it."""

import struct
import zlib

import pytest

from imaging.normalising import Refused, examine, normalise

_SIDE = 64  # of the one tile, which is the picture
_WIDTH, _BITS, _COLOURS, _SAMPLES = 256, 258, 262, 277
_TAGS = [
    (_WIDTH, [_SIDE]),
    (257, [_SIDE]),
    (_BITS, [8]),
    (259, [8]),  # deflated
    (_COLOURS, [1]),  # grey
    (_SAMPLES, [1]),
    (322, [_SIDE]),
    (323, [_SIDE]),
]


def _tiff(*more: tuple[int, list[int]]) -> bytes:
    """A tiled grey picture, with further tags behind the usual ones."""
    tile = zlib.compress(bytes([65]) * _SIDE**2)
    tags = [*_TAGS, (324, [8]), (325, [len(tile)]), *more]
    directory, beyond = struct.pack("<H", len(tags)), b""
    end = 8 + len(tile) + len(directory) + 12 * len(tags) + 4
    for number, values in tags:
        packed = struct.pack(f"<{len(values)}H", *values)
        if len(packed) > 4:
            packed, beyond = struct.pack("<I", end + len(beyond)), beyond + packed
        directory += struct.pack("<HHI4s", number, 3, len(values), packed)
    return b"II*\0" + struct.pack("<I", 8 + len(tile)) + tile + directory + bytes(4) + beyond


def test_a_tiled_picture_is_used() -> None:
    png = normalise(_tiff(), 10_000)
    assert examine(png, 10_000)[:2] == (_SIDE, _SIDE)


def test_a_tag_that_comes_twice_is_refused() -> None:
    # With four samples of what has one, Pillow before 13 reads on behind the tile, to the end of this process for some.
    more = (_BITS, [8, 8, 8, 8]), (_COLOURS, [2]), (_SAMPLES, [4])
    with pytest.raises(Refused, match="implausible TIFF tags"):
        examine(_tiff(*more), 10_000)
