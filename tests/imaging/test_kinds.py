"""What is read besides the usual formats, and what is refused by its name."""

import io
import struct
import tracemalloc

import numpy as np
import pytest
from pictures import Pixels, encode, exif, make_pixels
from PIL import Image

from imaging.normalising import Refused, examine, normalise

_LIMIT = 10_000
_PIXELS = make_pixels(0)
_GREY = np.asarray(Image.fromarray(_PIXELS).convert("L"))


def _stored(data: bytes) -> Pixels:
    assert not examine(data, _LIMIT).as_stored
    return np.asarray(Image.open(io.BytesIO(normalise(data, _LIMIT))))


def _netpbm(kind: str, largest: int, samples: Pixels) -> bytes:
    depth = ">u2" if largest > 255 else "u1"
    return f"{kind}\n# by hand\n32 24\n{largest}\n".encode() + samples.astype(depth).tobytes()


@pytest.mark.parametrize(
    ("data", "expected", "tolerance"),
    [
        pytest.param(encode(_PIXELS, "PPM"), _PIXELS, 0, id="ppm"),
        pytest.param(encode(_GREY, "PPM"), _GREY, 0, id="pgm"),
        pytest.param(encode(Image.fromarray(_GREY > 128), "PPM"), (_GREY > 128) * 255, 0, id="pbm"),
        pytest.param(_netpbm("P6", 1023, _PIXELS.astype(int) * 1023 // 255), _PIXELS, 1, id="ppm of 10 bits"),
        pytest.param(_netpbm("P5", 1023, _GREY.astype(int) * 1023 // 255), _GREY, 1, id="pgm of 10 bits"),
        pytest.param(_netpbm("P5", 4095, _GREY.astype(int) * 4), _GREY / 4, 1, id="pgm of 12 bits, dark"),
        pytest.param(_netpbm("P6", 65535, _PIXELS.astype(int) * 257), _PIXELS, 1, id="ppm of 16 bits"),
        pytest.param(_netpbm("P6", 65535, _PIXELS.astype(int) * 16), _PIXELS, 1, id="ppm of 16 bits that uses 12"),
        pytest.param(_netpbm("P5", 65535, _GREY.astype(int) * 16), _GREY, 1, id="pgm of 16 bits that uses 12"),
        pytest.param(
            b"P3 32 24 255 " + b" ".join(b"%d" % sample for sample in _PIXELS.ravel()), _PIXELS, 0, id="ppm in text"
        ),
        pytest.param(encode(_PIXELS, "ICO", sizes=[(32, 24)]), _PIXELS, 0, id="ico"),
        pytest.param(encode(_PIXELS, "ICO", sizes=[(32, 24)], bitmap_format="bmp"), _PIXELS, 0, id="ico of a bitmap"),
        pytest.param(encode(_PIXELS, "AVIF", quality=100, subsampling="4:4:4"), _PIXELS, 8, id="avif"),
        pytest.param(
            encode(_PIXELS, "AVIF", quality=100, subsampling="4:4:4", exif=exif(6)),
            np.rot90(_PIXELS, -1),
            8,
            id="turned avif",
        ),
    ],
)
def test_further_formats_are_read(data: bytes, expected: Pixels, tolerance: int):
    np.testing.assert_allclose(_stored(data).astype(int), expected, atol=tolerance)
    with pytest.raises(Refused):
        examine(data[:-100], _LIMIT)


def _media(*brands: bytes) -> bytes:
    first, *others = brands
    return struct.pack(">I", 16 + 4 * len(others)) + b"ftyp" + first + bytes(4) + b"".join(others) + bytes(100)


def _preview() -> bytes:
    tags = [(254, 1), (256, 32), (257, 24), (258, 8), (262, 1), (273, 8), (278, 24), (279, 24 * 32)]
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHLL", tag, 4, 1, value) for tag, value in tags)
    return struct.pack("<2sHL", b"II", 42, 8 + 24 * 32) + bytes(24 * 32) + directory + bytes(4)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (_media(b"heic", b"mif1", b"heic"), "HEIC is not read: convert it to JPEG, or let the phone export it as such"),
        (_media(b"mif1", b"heic"), "HEIC is not read: convert it to JPEG, or let the phone export it as such"),
        (
            encode(_PIXELS, "JPEG2000"),
            "JPEG 2000 is not read, as its decoder has a known fault: convert it to PNG or TIFF",
        ),
        (b"\xff\x0a" + bytes(50), "JPEG XL is not read: convert it to JPEG or PNG"),
        (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(50), "JPEG XL is not read: convert it to JPEG or PNG"),
        (bytes(128) + b"DICM" + bytes(50), "DICOM is not read: export it as a PNG or TIFF of 8 or 16 bits"),
        (b"<svg xmlns='a'/>", "SVG is not read: export it as PNG"),
        (b"<?xml version='1.0'?>\n<!-- a -->\n<!DOCTYPE svg>\n<svg/>", "SVG is not read: export it as PNG"),
        (b"%PDF-1.7\n", "PDF is not read: export its pages as PNG"),
        (
            b"\n<!DOCTYPE html><title>403</title><svg/>",
            "an HTML page in place of the file: the download failed, or asks for a login",
        ),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
            "a Git LFS pointer in place of the file: run git lfs pull",
        ),
        (_preview(), "a camera's RAW file is not read: export it as JPEG, PNG or TIFF"),
        (b"II*\0\x10\0\0\0CR\2\0" + bytes(50), "a camera's RAW file is not read: export it as JPEG, PNG or TIFF"),
        (_media(b"crx ", b"isom"), "a camera's RAW file is not read: export it as JPEG, PNG or TIFF"),
        (_media(b"isom", b"mp41"), "a video, not a picture: extract its frames"),
        (_media(b"qt  "), "a video, not a picture: extract its frames"),
        (b"RIFF\0\0\0\0AVI LIST", "a video, not a picture: extract its frames"),
        (b"PK\3\4" + bytes(50), "an archive, not a picture: unpack it"),
        (encode(_PIXELS, "TGA"), "a cursor or TGA file is not read: convert it to PNG"),
    ],
    ids=lambda value: value[:12] if isinstance(value, str) else None,
)
def test_what_is_not_read_is_refused_by_its_name(data: bytes, reason: str):
    for judge in (examine, normalise):
        with pytest.raises(Refused) as refused:
            judge(data, _LIMIT)
        assert str(refused.value) == reason


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"P6 30000 30000 255 " + bytes(100), id="ppm"),
        pytest.param(b"P6 30000 30000 1023 " + bytes(100), id="deep ppm"),
        pytest.param(b"P3 30000 30000 255 " + b"0 " * 100, id="text"),
        pytest.param(encode(Image.new("L", (101, 100)), "AVIF"), id="avif"),
        pytest.param(encode(Image.new("L", (200, 101)), "ICO", sizes=[(200, 101)]), id="ico"),
        pytest.param(encode(Image.new("RGB", (200, 101)), "ICO", sizes=[(200, 101)], bitmap_format="bmp"), id="icon"),
    ],
)
def test_their_pixels_are_limited_before_anything_is_decoded(data: bytes):
    tracemalloc.start()
    with pytest.raises(Refused, match="more than 10000 pixels"):
        examine(data, _LIMIT)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 << 20


def test_a_comment_without_end_is_no_header():
    with pytest.raises(Refused, match="too many tiny blocks"):
        examine(b"P6 #" + b"a" * 300_000, _LIMIT)
