"""Growth with the number of pictures is judged without start-up, and by work where the machine was shared."""

from typing import Any

import pytest

from benchmarks import steps

_SIZES = (1_000, 4_000, 10_000)


def _usage(seconds: float, others: float) -> dict[str, float]:
    return {"seconds": seconds, "cpu_seconds": seconds / 2, "others": others, "peak_bytes": 2e9}


def _met(each: dict[int, float], others: float = 0.0) -> dict[str, Any]:
    """Whether each target is met, if a step takes `each[size]` seconds a picture and the start 20 s."""
    runs = {size: {"Step": _usage(20 + size * each[size], others)} for size in _SIZES}
    for run in runs.values():
        run |= {"all but FeatureExtractor": run["Step"], "the command": run["Step"]}
    daily = {name: _usage(0.5, others) for name in steps._MOST_SECONDS}
    paces = {name: _usage(0.07, others) for name in ("VGG16 at 224x224, a pass", "the gate's pass at 224x224")}
    return {target.what: target.met for target in steps._targets(runs, daily, paces)}


def test_steady_growth_meets_its_targets() -> None:
    found = _met(dict.fromkeys(_SIZES, 0.005))
    missed = [what for what, met in found.items() if not met]
    assert missed == ["all but FeatureExtractor over VGG16 at 224x224, a pass, 1,000 pictures, by wall time"]


def test_growth_that_start_up_hides_is_found() -> None:
    found = _met({1_000: 0.005, 4_000: 0.005, 10_000: 0.0056})
    assert found["time a picture at 10,000 over that at 1,000, by wall time"]
    assert not found["time of each further picture up to 10,000 over that of those before, by wall time"]


@pytest.mark.parametrize(("others", "by"), [(0.0, "wall time"), (1.0, "processor time")])
def test_the_clock_is_named(others: float, by: str) -> None:
    assert all(by in what for what in _met(dict.fromkeys(_SIZES, 0.005), others) if "seconds by" in what)
