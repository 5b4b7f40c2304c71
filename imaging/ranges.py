"""Which range of sizes, or of brightness, a picture falls into: an evaluation is sliced by these."""

import bisect
import itertools

_SIDES = (64, 128, 256, 512, 1024)
_STEPS = 5

# Of the shorter side, from small to large.
SIZE_RANGES = (
    f"below {_SIDES[0]} px",
    *(f"{low}-{high - 1} px" for low, high in itertools.pairwise(_SIDES)),
    f"{_SIDES[-1]} px or more",
)


def size_range(height: int, width: int) -> str:
    """The range of a picture's shorter side, in pixels: one of SIZE_RANGES."""
    return SIZE_RANGES[bisect.bisect_right(_SIDES, min(height, width))]


def brightness_range(brightness: float) -> str:
    """The range of a picture's mean luma, 0 (black) to 1 (white), in fifths: "0.0-0.2" up to "0.8-1.0"."""
    place = min(int(brightness * _STEPS), _STEPS - 1)
    return f"{place / _STEPS:.1f}-{(place + 1) / _STEPS:.1f}"
