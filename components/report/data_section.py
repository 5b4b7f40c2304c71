"""What a report says of the data: counts by split, and the files that were not used."""

import os
from typing import NamedTuple

import tensorflow as tf
from markupsafe import Markup
from tensorflow_metadata.proto.v0 import statistics_pb2
from tfx import types
from tfx.types import artifact_utils

from common import csv_tables
from common.examples import DUPLICATES_FILE, LEAKAGE_FILE, QUARANTINED_FILE, SLICES, SPLITS, FileCounts, read_notes
from components.report import album, charts
from imaging import ranges, thumbnails

_FILE = "FeatureStats.pb"
_MAX_BARS = 30
_MAX_ROWS = 24

# Pictures of each split by value of a feature.
Counts = dict[str, list[int]]


class Row(NamedTuple):
    """A row of a table of files: its cells, and data URIs of thumbnails where there are some."""

    cells: list[str]
    thumbnails: list[str]


class Files(NamedTuple):
    """What became of the files.

    Attributes:
      counts: how many there are of each kind.
      notes: what to know of the splits, a line each.
      quarantined: file and reason, the first of them.
      duplicates: file and the copy that is used, the first of them.
      leakage: held-out picture, split, training picture, distance, the first of them.
    """

    counts: FileCounts
    notes: list[str]
    quarantined: list[Row]
    duplicates: list[Row]
    leakage: list[Row]


def read_counts(statistics: types.Artifact) -> dict[str, Counts]:
    """Reads how many pictures of each split have each value of the features that are slices.

    Args:
      statistics: StatisticsGen's.

    Returns:
      Counts by feature; the values sorted, ranges in their order.
    """
    found: dict[str, Counts] = {feature: {} for feature in SLICES}
    for place, split in enumerate(SPLITS):
        with tf.io.gfile.GFile(os.path.join(artifact_utils.get_split_uri([statistics], split), _FILE), "rb") as file:
            (dataset,) = statistics_pb2.DatasetFeatureStatisticsList.FromString(file.read()).datasets
        for feature in dataset.features:
            name = "".join(feature.path.step)
            if name in found:
                for bucket in feature.string_stats.rank_histogram.buckets:
                    found[name].setdefault(bucket.label, [0] * len(SPLITS))[place] = round(bucket.sample_count)
    order = {name: place for place, name in enumerate(ranges.SIZE_RANGES)}
    return {
        key: dict(sorted(counts.items(), key=lambda item: (order.get(item[0], 0), item[0])))
        for key, counts in found.items()
    }


def chart(counts: Counts, title: str) -> Markup:
    """Stacked bars by split; of many values those with the fewest training pictures."""
    chosen = (
        dict(sorted(counts.items(), key=lambda item: item[1][0])[:_MAX_BARS]) if len(counts) > _MAX_BARS else counts
    )
    return charts.bars(
        charts.Bars(list(chosen), [[float(n) for n in row] for row in chosen.values()], list(SPLITS)), title, "pictures"
    )


def read_files(examples: types.Artifact) -> Files:
    """Reads the tables that ImageExampleGen wrote.

    Args:
      examples: ImageExampleGen's.
    """
    uri = examples.uri
    return Files(
        counts=FileCounts.read(examples),
        notes=read_notes(examples),
        quarantined=[
            Row(cells, _thumbnails(uri, [thumbnails.quarantined_file(row)]))
            for row, cells in enumerate(_table(uri, QUARANTINED_FILE))
        ],
        duplicates=[Row(cells, []) for cells in _table(uri, DUPLICATES_FILE)],
        leakage=[
            Row(cells, _thumbnails(uri, thumbnails.leak_files(row)))
            for row, cells in enumerate(_table(uri, LEAKAGE_FILE))
        ],
    )


def _table(uri: str, name: str) -> list[list[str]]:
    return csv_tables.read(os.path.join(uri, name), _MAX_ROWS)


def _thumbnails(uri: str, files: "list[str] | tuple[str, str]") -> list[str]:
    return [found for file in files if (found := album.stored(os.path.join(uri, file)))]
