"""What the page and the screen say of more than two backbones, and of more pictures than there is room for."""

import re

import numpy as np
import pytest
import steps
from tfx.types.standard_artifacts import Examples

from components.report import numbers
from modeling.probabilities import Predictions
from pipeline import compare
from pipeline.comparison import comparison_page, pairs
from pipeline.comparison.latency import Latency
from pipeline.comparison.measured import Measured
from pipeline.comparison.results import Results
from pipeline.config import BackboneConfig, Config

_NAMES = ["VGG16", "EfficientNetB7", "InceptionV3"]


@pytest.fixture(scope="module")
def results(examples: Examples) -> Results:
    """The first is always right, the others never, at a size that two of them were not trained on."""
    pictures = sorted(steps.read(examples, "test"), key=lambda one: one.sha256)
    labels = steps.class_ids(pictures)
    sha256s = [picture.sha256 for picture in pictures]
    assert len(pictures) > 12, "more than a wall of pictures holds"

    def measured(name: str, shift: int) -> Measured:
        probabilities = np.eye(3, dtype=np.float32)[(labels + shift) % 3]
        predictions = Predictions(sha256s, labels, probabilities, None)
        accuracy = numbers.share(0 if shift else len(labels), len(labels))
        seconds = {"features": 1.0, "training": 2.0, "evaluation": 3.0}
        return Measured(name, accuracy, 0.5, not shift, seconds, 14_700_000, 59_200_000, predictions, "", examples.uri)

    backbones = [measured(name, place) for place, name in enumerate(_NAMES)]
    return Results(
        config=Config(backbone=BackboneConfig(image_size=224)),
        classes=["apple", "berry", "cherry"],
        machine="2 cores",
        backbones=backbones,
        latencies={name: Latency(0.0051, 1.234, 20) for name in _NAMES},
        pairs=pairs.compare(backbones),
    )


@pytest.fixture(scope="module")
def text(results: Results) -> str:
    """What a person reads, in one line."""
    html = comparison_page.render(results)
    return re.sub(r"\s+", " ", re.sub(r"<style>.*?</style>|<svg.*?</svg>|<[^>]*>", " ", html, flags=re.DOTALL))


def test_each_pair_is_shown_with_a_corrected_probability(results: Results, text: str) -> None:
    count = len(results.backbones[0].predictions.labels)
    assert "p, corrected" in text
    assert "corrected by Holm's method for 3 pairs" in text
    assert f"VGG16, EfficientNetB7 {count} 0 +100.0 points" in text
    assert text.count("VGG16 is more accurate") == 2
    assert "EfficientNetB7, InceptionV3 0 0 +0.0 points" in text


def test_pictures_beyond_a_wall_are_counted(results: Results, text: str) -> None:
    count = len(results.backbones[0].predictions.labels)
    assert text.count(f"and {count - 6} more") == 2
    assert text.count("None.") == 4


def test_a_size_that_weights_were_not_trained_on_is_said(text: str) -> None:
    assert "see each picture at 224x224 pixels" in text
    assert "The weights of EfficientNetB7 were trained on 600x600" in text
    assert "The weights of InceptionV3 were trained on 299x299" in text
    assert "The weights of VGG16" not in text
    assert "The weights are random" not in text


def test_numbers_have_units(text: str) -> None:
    assert "14.7 M 59.2 MB 5.1 ms 1,234 ms" in text


def test_the_screen_names_the_correction(results: Results) -> None:
    first, _, last = (compare._verdict(pair, len(results.pairs)) for pair in results.pairs)
    assert re.fullmatch(
        r"VGG16 against EfficientNetB7: \+1\.0000 \(.*\), corrected p = .*: VGG16 is more accurate", first
    )
    assert last.endswith(", corrected p = 1: may be chance")
    assert ", p = 1: " in compare._verdict(results.pairs[2], 1)
