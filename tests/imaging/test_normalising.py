import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import Pixels, encode, exif, make_pixels, png_chunk
from pictures import png as _png
from PIL import Image, ImageOps

from imaging.normalising import Refused, examine, normalise

_LIMIT = 10_000
_PIXELS = make_pixels(0)
_GREY = np.asarray(Image.fromarray(_PIXELS).convert("L"))


def _tensorflow(data: bytes) -> Pixels:
    return tf.io.decode_image(data, channels=3, expand_animations=False).numpy()


@pytest.mark.parametrize(
    "data",
    [
        encode(_PIXELS, "JPEG"),
        encode(_PIXELS, "JPEG", progressive=True, exif=exif(1)),
        encode(_PIXELS, "JPEG", subsampling=0, restart_marker_rows=1),
        encode(_PIXELS, "JPEG", keep_rgb=True),
        encode(_PIXELS, "MPO", save_all=True, append_images=[Image.new("RGB", (5, 5))]),
        encode(_GREY, "JPEG"),
        encode(_PIXELS, "PNG"),
        encode(_GREY, "PNG"),
    ],
    ids=["jpeg", "progressive jpeg", "jpeg with marks", "jpeg in rgb", "several jpegs", "grey jpeg", "png", "grey png"],
)
def test_upright_8_bit_jpeg_and_png_stay_as_they_are(data: bytes):
    picture = examine(data, _LIMIT)
    assert picture.as_stored
    assert normalise(data, _LIMIT) == data
    assert picture[:2] == (24, 32)
    shown = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)
    # TensorFlow's arithmetic is coarser by a few levels where it decodes JPEG.
    np.testing.assert_allclose(_tensorflow(data), shown, atol=0 if data.startswith(b"\x89PNG") else 5)
    assert picture.brightness == pytest.approx(_GREY.mean() / 255, abs=0.01)


def _on_white(rgba: Pixels) -> Pixels:
    colour, alpha = rgba[..., :3].astype(float), rgba[..., 3:] / 255
    return np.round(colour * alpha + 255 * (1 - alpha)).astype(np.uint8)


_ALPHA = np.linspace(0, 255, 32).astype(np.uint8)[None].repeat(24, axis=0)
_RGBA = np.dstack([_PIXELS, _ALPHA])
_PALETTE = Image.fromarray(_PIXELS).quantize(16)
_BLACK_WHITE = Image.fromarray(_GREY).convert("1")
_CMYK = Image.fromarray(_PIXELS).convert("CMYK")
_16_BIT = np.random.default_rng(0).integers(0, 1 << 16, (24, 32)).astype(np.uint16)
_16_BIT_RGB = np.random.default_rng(0).integers(0, 1 << 16, (24, 32, 3)).astype(np.uint16)


def _grey_as_rgb(grey: Pixels) -> Pixels:
    return np.dstack([grey] * 3)


@pytest.mark.parametrize(
    ("data", "expected", "tolerance"),
    [
        pytest.param(encode(_PIXELS, "WEBP", lossless=True), _PIXELS, 0, id="webp"),
        pytest.param(encode(_PIXELS, "BMP"), _PIXELS, 0, id="bmp"),
        pytest.param(encode(_PIXELS, "TIFF", compression="tiff_lzw"), _PIXELS, 0, id="tiff"),
        pytest.param(encode(_GREY, "TIFF"), _grey_as_rgb(_GREY), 0, id="grey tiff"),
        pytest.param(encode(_PALETTE, "GIF"), np.asarray(_PALETTE.convert("RGB")), 0, id="gif"),
        pytest.param(
            encode(_PALETTE, "GIF", save_all=True, append_images=[_PALETTE.rotate(180)]),
            np.asarray(_PALETTE.convert("RGB")),
            0,
            id="animated gif",
        ),
        pytest.param(encode(_PALETTE, "PNG"), np.asarray(_PALETTE.convert("RGB")), 0, id="palette png"),
        pytest.param(encode(_BLACK_WHITE, "PNG"), np.asarray(_BLACK_WHITE.convert("RGB")), 0, id="1-bit png"),
        pytest.param(encode(_CMYK, "JPEG", quality=100, subsampling=0), _PIXELS, 8, id="cmyk jpeg"),
        pytest.param(encode(_RGBA, "PNG"), _on_white(_RGBA), 1, id="transparent png"),
        pytest.param(encode(_RGBA, "WEBP", lossless=True, exact=True), _on_white(_RGBA), 1, id="transparent webp"),
        pytest.param(
            encode(np.dstack([_GREY, _ALPHA]), "PNG"),
            _on_white(np.dstack([_grey_as_rgb(_GREY), _ALPHA])),
            1,
            id="transparent grey png",
        ),
        pytest.param(
            _png(8, 0, _GREY, (b"tRNS", struct.pack(">H", _GREY[0, 0]))),
            _grey_as_rgb(np.where(_GREY[0, 0] == _GREY, 255, _GREY).astype(np.uint8)),
            0,
            id="png with a transparent grey",
        ),
        pytest.param(
            _png(16, 0, _16_BIT.astype(">u2")),
            _grey_as_rgb((_16_BIT >> 8).astype(np.uint8)),
            0,
            id="16-bit png",
        ),
        pytest.param(
            _png(16, 0, _16_BIT.astype(">u2"), (b"tRNS", struct.pack(">H", _16_BIT[3, 4]))),
            _grey_as_rgb(np.where(_16_BIT[3, 4] == _16_BIT, 255, _16_BIT >> 8).astype(np.uint8)),
            0,
            id="16-bit png with a transparent grey",
        ),
        pytest.param(
            _png(16, 2, _16_BIT_RGB.astype(">u2")),
            (_16_BIT_RGB >> 8).astype(np.uint8),
            0,
            id="16-bit rgb png",
        ),
        pytest.param(
            encode(Image.fromarray(_16_BIT), "TIFF"),
            _grey_as_rgb((_16_BIT >> 8).astype(np.uint8)),
            0,
            id="16-bit tiff",
        ),
        pytest.param(encode(_PIXELS, "PNG")[:-12], _PIXELS, 0, id="png without its end, which TensorFlow refuses"),
    ],
)
def test_all_else_becomes_an_8_bit_png_that_tensorflow_decodes(data: bytes, expected: Pixels, tolerance: int):
    picture = examine(data, _LIMIT)
    stored = normalise(data, _LIMIT)
    assert not picture.as_stored
    assert stored[:8] == b"\x89PNG\r\n\x1a\n"
    np.testing.assert_allclose(_tensorflow(stored).astype(int), expected.astype(int), atol=tolerance)
    luma = np.asarray(Image.fromarray(expected).convert("L"))
    assert picture[:2] == expected.shape[:2]
    assert picture.brightness == pytest.approx(luma.mean() / 255, abs=0.01)
    assert normalise(stored, _LIMIT) == stored


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_tall_pictures_stay_as_they_are_too(format: str):
    assert examine(encode(make_pixels(0, 2500, 4), format), 40_000).as_stored


def test_a_file_that_two_decoders_show_differently_is_stored_as_one_shows_it():
    # An animation whose first frame is said to be the upper half: TensorFlow knows no animations.
    frame = struct.pack(">IIIIIHHBB", 0, 32, 12, 0, 0, 1, 10, 0, 0)
    png = encode(_PIXELS)
    data = png[:33] + png_chunk(b"acTL", struct.pack(">II", 1, 0)) + png_chunk(b"fcTL", frame) + png[33:]
    stored = normalise(data, _LIMIT)
    assert not examine(data, _LIMIT).as_stored
    np.testing.assert_array_equal(_tensorflow(stored), np.asarray(Image.open(io.BytesIO(data))))
    assert (_tensorflow(stored) != _PIXELS).any()


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP"])
def test_pictures_that_the_graph_does_not_turn_are_turned_upright(format: str, orientation: int):
    data = encode(_PIXELS, format, exif=exif(orientation), **({"lossless": True} if format == "WEBP" else {}))
    upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    assert not np.array_equal(upright, _PIXELS)
    np.testing.assert_array_equal(_tensorflow(normalise(data, _LIMIT)), upright)
    assert upright.shape[:2] == ((24, 32) if orientation < 5 else (32, 24))
    picture = examine(data, _LIMIT)
    assert picture[:2] == upright.shape[:2]


@pytest.mark.parametrize(
    ("colour", "brightness"),
    [((0, 0, 0), 0), ((255, 255, 255), 1), ((255, 0, 0), 0.299), ((0, 255, 0), 0.587)],
)
def test_brightness_is_the_mean_luma(colour: tuple[int, int, int], brightness: float):
    data = encode(Image.new("RGB", (5, 7), colour))
    assert examine(data, _LIMIT).brightness == pytest.approx(brightness, abs=0.003)


def _with_size(png: bytes, side: int) -> bytes:
    header = b"IHDR" + struct.pack(">II", side, side) + png[24:29]
    return png[:12] + header + struct.pack(">I", zlib.crc32(header)) + png[33:]


def _with_screen_of_65535(gif: bytes) -> bytes:
    return gif[:6] + b"\xff\xff\xff\xff" + gif[10:]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", "empty file", id="empty"),
        pytest.param(b"Bud1\0\0", "not a picture, or its header is broken", id=".DS_Store"),
        pytest.param(encode(_PIXELS, "PCX"), "not a picture, or its header is broken", id="another format"),
        pytest.param(encode(_PIXELS, "JPEG")[:20], "not a picture, or its header is broken", id="headless"),
        pytest.param(encode(_PIXELS, "JPEG")[:-200], "truncated or damaged", id="half a jpeg"),
        pytest.param(encode(_PIXELS, "PNG")[:-200], "truncated or damaged", id="half a png"),
        pytest.param(encode(_PIXELS, "WEBP")[:-50], "truncated or damaged", id="half a webp"),
        pytest.param(encode(_PIXELS, "BMP")[:-50], "truncated or damaged", id="half a bmp"),
        pytest.param(encode(_PIXELS, "TIFF")[:600], "truncated or damaged", id="half a tiff"),
        pytest.param(
            encode(Image.fromarray(_GREY.astype(np.float32)), "TIFF"),
            "floating-point samples outside 0 to 1: which are black and which white is not stated; "
            "rescale them to 8 or 16 bits",
            id="floating point",
        ),
        pytest.param(_png(8, 0, np.zeros((100, 101), np.uint8)), "more than 10000 pixels", id="large"),
        # The limit is checked before anything is decoded: these lack their pixels and would be damaged.
        pytest.param(_with_size(_png(8, 2, np.zeros((1, 1, 3), np.uint8)), 14000), "more than 10000 pixels", id="bomb"),
        pytest.param(_with_screen_of_65535(encode(_PALETTE, "GIF")), "more than 10000 pixels", id="gif bomb"),
    ],
)
def test_unusable_files_get_a_reason(data: bytes, reason: str):
    for judge in (examine, normalise):
        with pytest.raises(Refused) as refused:
            judge(data, _LIMIT)
        assert str(refused.value) == reason


def test_a_picture_of_just_the_limit_is_used():
    assert examine(_png(8, 0, np.zeros((100, 100), np.uint8)), 10_000).brightness == 0


_BASES = [
    encode(_PIXELS, format, **options)
    for format, options in [
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("PNG", {}),
        ("GIF", {}),
        ("BMP", {}),
    ]
]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_what_passes_decodes_in_tensorflow_however_damaged(data: Any):
    damaged = bytearray(data.draw(st.sampled_from(_BASES)))
    for place, value in data.draw(st.lists(st.tuples(st.integers(0, len(damaged) - 1), st.integers(0, 255)))):
        damaged[place] = value
    end = data.draw(st.integers(len(damaged) // 2, len(damaged)) | st.just(len(damaged)))
    try:
        picture = examine(bytes(damaged[:end]), _LIMIT)
    except Refused:
        return
    stored = normalise(bytes(damaged[:end]), _LIMIT)
    assert _tensorflow(stored).shape == (picture.height, picture.width, 3)
