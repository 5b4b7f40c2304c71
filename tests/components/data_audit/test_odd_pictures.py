"""Pictures that differ from the others in what ingestion measured are told by what is odd about them."""

from typing import Any

import numpy as np

from common.examples import Example
from components.data_audit import odd_pictures


def _examples(pictures: int = 200) -> list[Example]:
    """Unlike each other, as in a real data set, but none odd."""
    rng = np.random.default_rng(0)
    usual = Example(b"", 0, "cat", "", "", 480, 640, 0.5, 0.01, "", "")
    return [
        usual._replace(
            brightness=float(np.clip(rng.normal(0.5, 0.06), 0, 1)),
            sharpness=float(np.exp(rng.normal(np.log(0.01), 0.5))),
            height=int(rng.integers(400, 560)),
            width=int(rng.integers(560, 720)),
        )
        for _ in range(pictures)
    ]


def _odd(examples: list[Example]) -> list[tuple[int, str]]:
    return [(one.place, one.oddity) for one in odd_pictures.find(examples, image_size=224)]


def test_nothing_is_odd_among_usual_pictures_or_without_any() -> None:
    assert _odd(_examples()) == []
    assert _odd([]) == []
    assert _odd(_examples(1)) == []


def test_each_oddity_is_told_the_oddest_of_each_kind_first() -> None:
    examples = _examples()
    changed: dict[int, dict[str, Any]] = {
        1: {"sharpness": 0.0},
        2: {"sharpness": 0.0005},
        3: {"sharpness": 0.0001},
        4: {"brightness": 0.02},
        5: {"brightness": 0.98},
        6: {"height": 90, "width": 120},
        7: {"height": 200, "width": 1000},
        8: {"height": 1000, "width": 400},
    }
    for place, changes in changed.items():
        examples[place] = examples[place]._replace(**changes)
    first = [(1, "blank"), (3, "blurred"), (4, "dark"), (5, "bright"), (6, "small"), (7, "wide"), (8, "tall")]
    assert _odd(examples) == [*first, (2, "blurred")]
    blank, blurred, *_ = odd_pictures.find(examples, image_size=224)
    assert (blank.value, blurred.value) == (0.0, 0.0001)
    assert 0.008 < blank.usual == blurred.usual < 0.012


def test_what_all_pictures_have_is_not_odd() -> None:
    examples = [one._replace(brightness=0.05, sharpness=1e-5, height=28, width=28) for one in _examples()]
    assert _odd(examples) == []
