"""Samples of more than 8 bits: by the bits in use, or refused for the true reason."""

import io
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from pictures import Pixels, make_pixels, png
from PIL import Image

from imaging.normalising import Refused, examine, normalise

_LIMIT = 10_000
_COLOURS = np.where(np.arange(24)[:, None, None] == 0, 255, make_pixels(0)).astype(np.uint16)  # up to the largest
_GREY = _COLOURS[..., 1]
_ALPHA = np.linspace(0, 65535, 32).astype(np.uint16)[None, :, None].repeat(24, axis=0)
_UNSTATED = "which are black and which white is not stated; rescale them to 8 or 16 bits"


def _tiff(samples: npt.NDArray[Any], **options: Any) -> bytes:
    file = io.BytesIO()
    if options.get("planarconfig") == "separate":
        samples = np.moveaxis(samples, 2, 0)
    tifffile.imwrite(file, samples, **options)
    return file.getvalue()


def _stored(data: bytes) -> Pixels:
    assert not examine(data, _LIMIT).as_stored
    return np.asarray(Image.open(io.BytesIO(normalise(data, _LIMIT))))


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize(
    "encode",
    [
        pytest.param(lambda grey: png(16, 0, grey.astype(">u2")), id="png"),
        pytest.param(_tiff, id="tiff"),
        pytest.param(lambda grey: _tiff(grey, byteorder=">"), id="big-endian tiff"),
        pytest.param(lambda grey: _tiff(grey, compression="zlib"), id="deflated tiff"),
        pytest.param(lambda grey: _tiff(grey.astype(np.int32)), id="int32 tiff"),
        pytest.param(lambda grey: _tiff(grey.astype(np.uint32)), id="uint32 tiff"),
    ],
)
def test_grey_is_taken_by_the_bits_in_use(encode: Any, bits: int):
    np.testing.assert_array_equal(_stored(encode(_GREY << bits - 8)), _GREY)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize(
    "encode",
    [
        pytest.param(lambda rgb: png(16, 2, rgb.astype(">u2")), id="png"),
        pytest.param(lambda rgb: _tiff(rgb, photometric="rgb"), id="tiff"),
        pytest.param(lambda rgb: _tiff(rgb, photometric="rgb", byteorder=">"), id="big-endian tiff"),
        pytest.param(lambda rgb: _tiff(rgb, photometric="rgb", compression="zlib"), id="deflated tiff"),
        pytest.param(lambda rgb: _tiff(rgb, photometric="rgb", planarconfig="separate"), id="tiff in planes"),
        pytest.param(
            lambda rgb: _tiff(rgb, photometric="rgb", planarconfig="separate", byteorder=">"), id="big-endian planes"
        ),
        pytest.param(
            lambda rgb: _tiff(rgb, photometric="rgb", planarconfig="separate", tile=(16, 16)), id="planes in tiles"
        ),
    ],
)
def test_colours_are_taken_by_the_bits_in_use(encode: Any, bits: int):
    np.testing.assert_array_equal(_stored(encode(_COLOURS << bits - 8)), _COLOURS)


def test_deflated_planes_are_right_or_refused():
    def deflated(bits: int) -> bytes:
        return _tiff(_COLOURS << bits - 8, photometric="rgb", planarconfig="separate", compression="zlib")

    np.testing.assert_array_equal(_stored(deflated(16)), _COLOURS)
    with pytest.raises(
        Refused, match="16-bit samples that use 12 bits, in a form of which only the high 8 of 16 are read"
    ):
        examine(deflated(12), _LIMIT)


def test_transparency_is_of_16_bits_however_many_the_colours_use():
    rgba = np.dstack([_COLOURS << 4, _ALPHA]).astype(">u2")
    alpha = (_ALPHA >> 8) / 255
    expected = _COLOURS * alpha + 255 * (1 - alpha)
    np.testing.assert_allclose(_stored(png(16, 6, rgba)), expected, atol=1)
    with pytest.raises(Refused, match="16-bit samples that use 12 bits"):
        examine(png(16, 4, rgba[..., [0, 3]]), _LIMIT)


def test_a_picture_is_as_bright_as_its_file_declares():
    # Underexposed by two stops: its own samples use 10 bits, those of its series 12.
    samples = _GREY << 2
    np.testing.assert_array_equal(_stored(_tiff(samples)), _GREY)
    declared = _tiff(samples, extratags=[(281, "H", 1, 4095, True)])
    np.testing.assert_array_equal(_stored(declared), _GREY >> 2)
    # What 16 bits can hold is what programs write that do not know better.
    np.testing.assert_array_equal(_stored(_tiff(samples, extratags=[(281, "H", 1, 65535, True)])), _GREY)


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_white_is_zero_is_turned(bits: int):
    samples = ((255 - _GREY) << bits - 8).astype(np.uint8 if bits == 8 else np.uint16)
    samples[0, 0] = (1 << bits) - 1
    expected = _GREY.copy()
    expected[0, 0] = 0
    np.testing.assert_array_equal(_stored(_tiff(samples, photometric="miniswhite")), expected)


def test_floating_point_grey_is_from_0_to_1():
    np.testing.assert_array_equal(_stored(_tiff(_GREY.astype(np.float32) / 255)), _GREY)


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (_GREY.astype(np.int16) * 8 - 1000, f"integer samples outside 0 to 65535: {_UNSTATED}"),
        (_GREY.astype(np.int32) * 1000, f"integer samples outside 0 to 65535: {_UNSTATED}"),
        (_GREY.astype(np.float32), f"floating-point samples outside 0 to 1: {_UNSTATED}"),
        (_GREY.astype(np.float32) * np.nan, f"floating-point samples outside 0 to 1: {_UNSTATED}"),
        (
            _GREY / 255,
            "a TIFF file with 1 floating-point sample of 64 bits is not read; save 8 or 16 bits, unsigned",
        ),
        (
            _COLOURS.astype(np.float32) / 255,
            "a TIFF file with 3 floating-point samples of 32 bits is not read; save 8 or 16 bits, unsigned",
        ),
        (
            _COLOURS.astype(np.int16),
            "a TIFF file with 3 signed samples of 16 bits is not read; save 8 or 16 bits, unsigned",
        ),
    ],
    ids=["int16", "int32", "float", "not numbers", "double", "float rgb", "int16 rgb"],
)
@pytest.mark.parametrize("order", "<>")
def test_what_has_no_known_black_and_white_is_refused_for_this(samples: npt.NDArray[Any], reason: str, order: str):
    data = _tiff(samples, byteorder=order, photometric="rgb" if samples.ndim == 3 else "minisblack")
    for judge in (examine, normalise):
        with pytest.raises(Refused) as refused:
            judge(data, _LIMIT)
        assert str(refused.value) == reason
