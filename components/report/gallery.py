"""Which test pictures a report shows, and how."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from components.report import album, numbers
from components.report.album import Photo
from modeling.probabilities import Predictions
from modeling.saliency import Saliency, overlay

MISTAKES = "mistakes"
RIGHT = "right"
GAINED = "gained"
LOST = "lost"
_MOST = {MISTAKES: 12, RIGHT: 12, GAINED: 6, LOST: 6}


class Chosen(NamedTuple):
    """Test pictures for one wall of the gallery.

    Attributes:
      wall: MISTAKES, RIGHT, GAINED or LOST.
      places: their places in the predictions.
      sha256s: their hashes.
    """

    wall: str
    places: list[int]
    sha256s: list[str]


class Frame(NamedTuple):
    """A picture as the page shows it.

    Attributes:
      file_name: relative to the data folder, printable.
      label: name of its class.
      predicted: name of the class that the candidate gives it.
      score: the probability of that, 0 to 1.
      before: name of the class that the baseline gives it; empty without one.
      picture: data URI.
      saliency: data URI of where the candidate looked for the class it predicts; empty where it is not shown.
    """

    file_name: str
    label: str
    predicted: str
    score: float
    before: str
    picture: str
    saliency: str


def choose(
    predictions: Predictions, is_right: npt.NDArray[np.bool_], comparison: numbers.Comparison | None
) -> list[Chosen]:
    """The surest mistakes, some right ones of each class, and those that changed sides since the last blessed model.

    Args:
      predictions: those of the test pictures.
      is_right: bool [pictures], whether the candidate is.
      comparison: with the baseline, if any.
    """
    scores = predictions.probabilities.max(axis=1)
    found = {
        MISTAKES: numbers.surest(np.flatnonzero(~is_right), scores, _MOST[MISTAKES]),
        RIGHT: numbers.in_turn(np.flatnonzero(is_right), predictions.labels, _MOST[RIGHT]),
    }
    if comparison is not None:
        found[GAINED] = numbers.surest(comparison.gained, scores, _MOST[GAINED])
        found[LOST] = numbers.surest(comparison.lost, scores, _MOST[LOST])
    return [Chosen(wall, places, [predictions.sha256s[place] for place in places]) for wall, places in found.items()]


def hang(
    chosen: list[Chosen],
    photos: Mapping[str, Photo],
    predictions: Predictions,
    classes: list[str],
    saliency: Saliency,
    image_size: int,
    resize: str,
) -> dict[str, list[Frame]]:
    """Makes the pictures ready for the page, by wall.

    Args:
      chosen: as `choose` returns them.
      photos: at least these pictures, by hash.
      predictions: those of the test pictures.
      classes: names by class id.
      saliency: of the candidate; mistakes are shown with it.
      image_size: side of the model's pictures in pixels.
      resize: how they become squares, as `picture_graph.preprocessing_fn` has it.
    """
    predicted = predictions.probabilities.argmax(axis=1)
    before = None if predictions.baseline is None else predictions.baseline.argmax(axis=1)
    walls: dict[str, list[Frame]] = {}
    for one in chosen:
        shown = [photos[sha256] for sha256 in one.sha256s]
        looked = None
        if one.wall == MISTAKES and shown:
            pictures = album.as_the_model_sees(shown, image_size, resize)
            looked = _looked(pictures, predicted[one.places], saliency)
        walls[one.wall] = [
            Frame(
                file_name=photo.file_name,
                label=classes[predictions.labels[place]],
                predicted=classes[predicted[place]],
                score=float(predictions.probabilities[place].max()),
                before="" if before is None else classes[before[place]],
                picture=looked[row][0] if looked else photo.uri,
                saliency=looked[row][1] if looked else "",
            )
            for row, (place, photo) in enumerate(zip(one.places, shown, strict=True))
        ]
    return walls


def _looked(
    pictures: npt.NDArray[np.float32], class_ids: npt.NDArray[np.int64], saliency: Saliency
) -> list[tuple[str, str]]:
    """Data URIs of each picture, as the model sees it, and of where the model looked."""
    maps = saliency.maps(pictures, class_ids)
    return [
        (album.data_uri(picture), album.data_uri(overlay(picture, found)))
        for picture, found in zip(pictures, maps, strict=True)
    ]
