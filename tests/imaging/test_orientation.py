"""TensorFlow reads the orientation of what is stored unturned as Pillow does, and turns it as Pillow does."""

import io
import struct

import broken
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import Pixels, encode, exif, make_pixels
from PIL import Image, ImageOps

from imaging import orientation
from imaging.normalising import Refused, examine, normalise

_LIMIT = 10_000
_PIXELS = make_pixels(0)
_EXIF, _XMP = b"Exif\0\0", b'http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation="6"/>'


def _read(data: bytes) -> int:
    return int(orientation.of(tf.constant(data)))


def _turned(data: bytes) -> Pixels:
    """A stored picture, decoded as Pillow does it, turned as the graph does it."""
    stored = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    return orientation.turn(tf.constant(stored), orientation.of(tf.constant(data))).numpy()


def _block(*entries: tuple[int, int, int, int], order: str = "<", offset: int = 8) -> bytes:
    """EXIF data of tags, each with number, type, count and value."""
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}L", offset)
    tags = (struct.pack(f"{order}HHLHxx", *entry) for entry in entries)
    return start + struct.pack(f"{order}H", len(entries)) + b"".join(tags) + bytes(4)


def _jpeg(*blocks: bytes) -> bytes:
    return broken.jpeg_with(*((0xE1, _EXIF + block) for block in blocks))


@pytest.mark.parametrize("byte_order", ["<", ">"])
@pytest.mark.parametrize("stated", range(1, 9))
def test_all_orientations_are_pillows_in_both_byte_orders(stated: int, byte_order: str) -> None:
    tag = exif(stated)
    tag.endian = byte_order
    data = encode(_PIXELS, "JPEG", exif=tag)
    assert normalise(data, _LIMIT) == data
    assert _read(data) == stated
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    np.testing.assert_array_equal(_turned(data), np.asarray(upright))
    picture, as_upright = examine(data, _LIMIT), examine(encode(upright), _LIMIT)
    assert picture == as_upright


_TURNS = {6: Image.Transpose.ROTATE_270, 8: Image.Transpose.ROTATE_90}
_SIX = (0x0112, 3, 1, 6)


@pytest.mark.parametrize(
    ("data", "stated"),
    [
        pytest.param(broken.jpeg_with((0xEC, b"Ducky"), (0xFE, b"a"), (0xE1, _EXIF + _block(_SIX))), 6, id="not first"),
        pytest.param(broken.jpeg_with((0xE1, _XMP), (0xE1, _EXIF + _block((0x0112, 3, 1, 8)))), 8, id="behind XMP"),
        pytest.param(_jpeg(_block((0x010F, 2, 9999, 0), (0x0132, 2, 4, 0), _SIX)), 1, id="a tag beyond the segment"),
        pytest.param(_jpeg(_block(_SIX)).replace(b"\xff\xe1", b"\xff\xff\xff\xff\xe1", 1), 6, id="filled up"),
        pytest.param(_jpeg(_block((0x0112, 3, 1, 0))), 1, id="0"),
        pytest.param(_jpeg(_block((0x0112, 3, 1, 9))), 1, id="9"),
        pytest.param(_jpeg(_block((0x0112, 4, 1, 6))), 6, id="a long number"),
        pytest.param(_jpeg(_block((0x0112, 12, 1, 6))), 1, id="a floating-point number"),
        pytest.param(_jpeg(_block((0x0112, 3, 2, 6))), 6, id="two numbers"),
        pytest.param(_jpeg(_block((0x0112, 3, 1 << 31, 6))), 1, id="two thousand million numbers"),
        pytest.param(_jpeg(_block((0x0112, 3, 1, 3), _SIX)), 6, id="two tags"),
        pytest.param(_jpeg(_block(_SIX), _block((0x0112, 3, 1, 3))), 6, id="two blocks"),
        pytest.param(_jpeg(_EXIF + _block(_SIX)), 6, id="a name twice"),
        pytest.param(_jpeg(_block(_SIX, offset=0)), 1, id="a directory in its own header"),
        pytest.param(_jpeg(_block(_SIX, offset=0xFFFFFFFF)), 1, id="a directory beyond all"),
        pytest.param(_jpeg(_block(_SIX)[:-6]), 1, id="a tag that ends early"),
        pytest.param(_jpeg(_block(*[(0x8769, 4, 1, 8)] * 9, _SIX)), 6, id="a loop"),
        pytest.param(_jpeg(_block(*[(7, 2, 1 << 20, 0)] * 9, _SIX)), 1, id="implausible claims"),
        pytest.param(broken.jpeg_with((0xE1, _XMP)), 6, id="XMP alone"),
        pytest.param(encode(_PIXELS, exif=exif(6)), 6, id="PNG"),
    ],
)
def test_what_is_stored_is_turned_as_pillow_would_have_turned_the_file(data: bytes, stated: int) -> None:
    pixels = Image.open(io.BytesIO(data)).convert("RGB")
    upright = np.asarray(pixels.transpose(_TURNS[stated]) if stated > 1 else pixels)
    stored = normalise(data, _LIMIT)
    np.testing.assert_array_equal(_turned(stored), upright)
    assert stored == data or _read(stored) == 1
    assert examine(data, _LIMIT)[:2] == upright.shape[:2]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8",
        b"\xff\xd8" + b"\xff" * 1000,
        b"\xff\xd8\xff\xe1",
        b"\xff\xd8\xff\xe1\0\0" + _EXIF + _block(_SIX),
        b"\xff\xd8\xff\xe1\xff\xff" + _EXIF,
        b"\xff\xd8\xff\xe1\xff\xff" + _EXIF + b"II*\0",
        b"\xff\xd8" + b"\xff\xe0\0\2" * 100 + _jpeg(_block(_SIX))[2:],
        b"\xff\xd8\xff\xda" + _jpeg(_block(_SIX))[2:],
    ],
)
def test_bytes_that_are_no_whole_picture_are_upright(data: bytes) -> None:
    assert _read(data) == 1


def test_a_segment_that_says_more_than_the_file_holds_is_read_as_far_as_it_goes() -> None:
    assert _read(b"\xff\xd8\xff\xe1\xff\xff" + _EXIF + _block(_SIX)) == 6


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_exif_data_are_read_as_pillow_reads_them_or_the_picture_is_turned(data: st.DataObject) -> None:
    blocks = data.draw(
        st.lists(st.binary(max_size=40) | st.just(_block(_SIX)) | st.just(_block(_SIX, order=">")), min_size=1)
    )
    changed = bytearray(_jpeg(*blocks))
    end = 2 + sum(len(block) + 10 for block in blocks)
    for place, value in data.draw(st.lists(st.tuples(st.integers(2, end), st.integers(0, 255)), max_size=4)):
        changed[place] = value
    file = bytes(changed)
    try:
        stored = normalise(file, _LIMIT)
    except Refused:
        assert 1 <= _read(file) <= 8
        return
    upright = Image.open(io.BytesIO(normalise(file, _LIMIT, upright=True))).convert("RGB")
    np.testing.assert_array_equal(_turned(stored), np.asarray(upright))
