"""The page of a comparison: one HTML file without a script, as a run's report is."""

from collections.abc import Sequence
from typing import NamedTuple

from common.examples import TEST
from components.report import album, charts, numbers, templates
from components.report.album import Photo
from modeling.backbone_names import BACKBONES
from pipeline.comparison.latency import BATCH
from pipeline.comparison.measured import TIMED, Measured
from pipeline.comparison.pairs import Pair
from pipeline.comparison.results import Results

_MOST = 6  # pictures of each wall


class Shown(NamedTuple):
    """A test picture that one backbone gets right and another does not.

    Attributes:
      file_name: relative to the data folder, printable.
      label: name of its class, which the one predicts.
      taken_for: name of the class that the other predicts.
      score: the probability that the other gives that, 0 to 1.
      picture: data URI.
    """

    file_name: str
    label: str
    taken_for: str
    score: float
    picture: str


class Wall(NamedTuple):
    """Some of the pictures that one backbone gets right and another does not, and how many there are."""

    right: str
    wrong: str
    pictures: list[Shown]
    total: int


def render(results: Results) -> str:
    """The page as HTML."""
    backbones = results.backbones
    seconds = charts.Bars(
        [one.name for one in backbones], [[*one.seconds.values()] for one in backbones], [*TIMED.values()]
    )
    environment = templates.environment("pipeline.comparison")
    environment.filters.update(megabytes=_megabytes, millions=_millions, milliseconds=_milliseconds)
    return environment.get_template("comparison.html.j2").render(
        **results._asdict(),
        configuration=results.configuration,
        walls=_walls(backbones, results.pairs, results.classes),
        timed=TIMED.values(),
        times=charts.bars(seconds, "Time of each backbone's steps", "seconds"),
        natural_sizes={one.name: BACKBONES[one.name].picture_size for one in backbones},
        batch=BATCH,
    )


def _walls(backbones: Sequence[Measured], pairs: Sequence[Pair], classes: Sequence[str]) -> list[Wall]:
    """For each pair, the pictures where the one that is wrong is surest."""
    by_name = {one.name: one for one in backbones}
    chosen = []
    for pair in pairs:
        for right, wrong, places in (
            (pair.first, pair.second, pair.only_first),
            (pair.second, pair.first, pair.only_second),
        ):
            scores = by_name[wrong].predictions.probabilities.max(axis=1)
            chosen.append((right, wrong, numbers.surest(places, scores, _MOST), len(places)))
    sha256s = backbones[0].predictions.sha256s
    photos = album.find(backbones[0].examples, TEST, {sha256s[place] for _, _, places, _ in chosen for place in places})
    return [
        Wall(right, wrong, [_shown(by_name[wrong], place, photos[sha256s[place]], classes) for place in places], total)
        for right, wrong, places, total in chosen
    ]


def _shown(wrong: Measured, place: int, photo: Photo, classes: Sequence[str]) -> Shown:
    probabilities = wrong.predictions.probabilities[place]
    taken_for = int(probabilities.argmax())
    return Shown(
        file_name=photo.file_name,
        label=classes[wrong.predictions.labels[place]],
        taken_for=classes[taken_for],
        score=float(probabilities[taken_for]),
        picture=photo.uri,
    )


def _megabytes(value: int) -> str:
    return f"{value / 1e6:.1f} MB"


def _millions(value: int) -> str:
    return f"{value / 1e6:.1f} M"


def _milliseconds(value: float) -> str:
    return f"{1000 * value:,.0f} ms" if value >= 0.01 else f"{1000 * value:.1f} ms"
