"""Which range of sizes, or of brightness, a picture falls into: an evaluation is sliced by these."""

import bisect

_SIDES = (64, 128, 256, 512, 1024)
_STEPS = 5


def size_range(height: int, width: int) -> str:
    """The range of a picture's shorter side, in pixels: "below 64 px", "64-127 px", up to "1024 px or more"."""
    place = bisect.bisect_right(_SIDES, min(height, width))
    if place == 0:
        return f"below {_SIDES[0]} px"
    if place == len(_SIDES):
        return f"{_SIDES[-1]} px or more"
    return f"{_SIDES[place - 1]}-{_SIDES[place] - 1} px"


def brightness_range(brightness: float) -> str:
    """The range of a picture's mean luma, 0 (black) to 1 (white), in fifths: "0.0-0.2" up to "0.8-1.0"."""
    place = min(int(brightness * _STEPS), _STEPS - 1)
    return f"{place / _STEPS:.1f}-{(place + 1) / _STEPS:.1f}"
