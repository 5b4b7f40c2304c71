"""Colour profiles: pictures are stored as seen, in sRGB, and no profile stops one."""

import io
import struct

import numpy as np
import pytest
from pictures import Pixels, encode, exif, make_pixels
from PIL import Image, ImageCms

from imaging.normalising import examine, normalise

_LIMIT = 10_000
_PIXELS = make_pixels(0)
_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _profile(*colours: tuple[float, float, float], gamma: float = 2.2) -> bytes:
    """An ICC profile with these primaries, red, green and blue as X, Y and Z under D50."""

    def numbers(*values: float) -> bytes:
        return b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    tags = {b"wtpt": b"XYZ \0\0\0\0" + numbers(0.9642, 1, 0.8249)}
    for name, colour in zip("rgb", colours, strict=True):
        tags[f"{name}XYZ".encode()] = b"XYZ \0\0\0\0" + numbers(*colour)
        tags[f"{name}TRC".encode()] = b"curv\0\0\0\0" + struct.pack(">IHxx", 1, round(gamma * 256))
    start, table, body = 132 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for tag, data in tags.items():
        table, body = table + tag + struct.pack(">II", start + len(body), len(data)), body + data
    head = struct.pack(">IIIIII12xI", start + len(body), 0, 0x02400000, 0x6D6E7472, 0x52474220, 0x58595A20, 0x61637370)
    return head + bytes(28) + numbers(0.9642, 1, 0.8249) + bytes(48) + table + body


_P3 = _profile((0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841))
_LIKE_SRGB = _profile((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141))


def _seen(pixels: Pixels) -> Pixels:
    """Display P3 numbers as sRGB, by the matrix of their definitions."""
    light = (pixels / 255) ** 2.2
    matrix = [[1.2249, -0.2247, 0], [-0.0420, 1.0419, 0], [-0.0197, -0.0786, 1.0979]]
    light = np.clip(light @ np.array(matrix).T, 0, 1)
    encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.round(encoded * 255).astype(np.uint8)


def _stored(data: bytes) -> Pixels:
    assert not examine(data, _LIMIT).as_stored
    stored = normalise(data, _LIMIT)
    assert normalise(stored, _LIMIT) == stored
    return np.asarray(Image.open(io.BytesIO(stored)).convert("RGB")).astype(int)


@pytest.mark.parametrize("format", ["PNG", "TIFF", "JPEG"])
def test_colours_are_stored_as_seen(format: str):
    data = encode(_PIXELS, format, icc_profile=_P3, **({"quality": 98, "subsampling": 0} if format == "JPEG" else {}))
    assert np.abs(_seen(_PIXELS).astype(int) - _PIXELS).max() > 8
    difference = np.abs(_stored(data) - _seen(_PIXELS))
    # JPEG halves the resolution of colours, which in a picture this small costs most of its error.
    assert difference.mean() < (5 if format == "JPEG" else 1)
    assert difference.max() <= (40 if format == "JPEG" else 3)


def test_a_converted_jpeg_stays_a_jpeg_and_is_turned_too():
    data = encode(_PIXELS, "JPEG", icc_profile=_P3, exif=exif(6))
    assert normalise(data, _LIMIT).startswith(b"\xff\xd8\xff")
    assert _stored(data).shape == (32, 24, 3)


def test_transparency_is_kept_apart_from_colours():
    rgba = np.dstack([_PIXELS, np.full((24, 32), 255, np.uint8)])
    rgba[0, :, 3] = 0
    stored = _stored(encode(rgba, icc_profile=_P3))
    assert (stored[0] == 255).all()
    np.testing.assert_allclose(stored[1:], _seen(_PIXELS)[1:].astype(int), atol=3)


@pytest.mark.parametrize("profile", [_SRGB, _LIKE_SRGB, b"x" * 600, _P3[:200], _P3 + bytes(5 << 20), bytes(3000)])
def test_srgb_by_any_name_and_what_is_no_profile_leave_a_picture_as_it_is(profile: bytes):
    assert examine(encode(_PIXELS, "JPEG", icc_profile=profile), _LIMIT).as_stored


def test_damaged_profiles_stop_no_picture():
    rng = np.random.default_rng(0)
    for _ in range(100):
        damaged = np.frombuffer(_P3, np.uint8).copy()
        damaged[rng.integers(0, len(damaged), 8)] = rng.integers(0, 256, 8)
        examine(encode(_PIXELS, "PNG", icc_profile=damaged.tobytes()), _LIMIT)
