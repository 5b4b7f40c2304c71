"""Examples as records: serialized tf.train.Examples in TFRecord files."""

import os
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from common.examples import Example, split_folder

_LIST_OF = {bytes: "bytes_list", str: "bytes_list", int: "int64_list", float: "float_list"}


def encode(example: Example) -> bytes:
    """Makes a record."""
    values = example._asdict()
    feature = {name: _feature(kind, values[name]) for name, kind in Example.__annotations__.items()}
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString(deterministic=True)


def decode(record: bytes) -> Example:
    """The example that `encode` made a record of."""
    feature = tf.train.Example.FromString(record).features.feature
    return Example(**{name: _value(kind, feature[name]) for name, kind in Example.__annotations__.items()})


def shards(uri: str, split: str) -> list[str]:
    """The files of a split, sorted.

    Args:
      uri: folder of the examples.
      split: its name.
    """
    folder = split_folder(uri, split)
    return sorted(os.path.join(folder, name) for name in tf.io.gfile.listdir(folder))


def read(uri: str, split: str) -> Iterator[Example]:
    """The examples of a split, in the order of its files; the arguments are as in `shards`."""
    return map(decode, tf.data.TFRecordDataset(shards(uri, split)).as_numpy_iterator())


def _feature(kind: type, value: Any) -> tf.train.Feature:
    return tf.train.Feature(**{_LIST_OF[kind]: {"value": [value.encode() if kind is str else value]}})


def _value(kind: type, feature: tf.train.Feature) -> Any:
    (value,) = getattr(feature, _LIST_OF[kind]).value
    return value.decode() if kind is str else value
