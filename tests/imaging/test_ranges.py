"""A picture's ranges: the ends belong where their names say."""

import pytest

from imaging import ranges


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (63, 500, "below 64 px"),
        (500, 64, "64-127 px"),
        (127, 127, "64-127 px"),
        (128, 4000, "128-255 px"),
        (1023, 1024, "512-1023 px"),
        (1024, 1024, "1024 px or more"),
    ],
)
def test_the_shorter_side_decides(height: int, width: int, expected: str) -> None:
    assert ranges.size_range(height, width) == expected
    assert expected in ranges.SIZE_RANGES


@pytest.mark.parametrize(
    ("brightness", "expected"), [(0.0, "0.0-0.2"), (0.199, "0.0-0.2"), (0.2, "0.2-0.4"), (1.0, "0.8-1.0")]
)
def test_brightness_is_cut_into_fifths(brightness: float, expected: str) -> None:
    assert ranges.brightness_range(brightness) == expected
