"""What share of a fast device's time FeatureExtractor's input and output reach. Not run on a GPU.

    python -m benchmarks.feeding [--device NAME=PICTURES_PER_SECOND] [--threads N ...]

A stub stands in for the forward pass: it sleeps as long as a device of that speed would compute, and returns features
of VGG16's shapes. The way in and out is the product's: records, the Transform graph, encoding, files. Small pictures
are as large as the web's, large ones have 12 million pixels; both are made up.

Rows that end with "by stage" hold the processor time of each stage for a picture, measured one after the other; a GPU
would augment and cast by itself. Rows that end with "here" were measured with the stub, on the processors that there
are. All others are estimates, not measurements, as one thread encodes and writes:

    pictures/s = min(threads * 1000 / (read_ms + decode_ms + encode_ms + write_ms), 1000 / (encode_ms + write_ms))
    share      = min(1, pictures/s / the device's pictures/s)

The speeds by default are 40% of what the vendor's data sheet promises, over the 30.7 GFLOP of a picture of 224x224:
dense bfloat16 for H100 (989 TFLOPS) and A100 (312), float32 for T4 (8.1), which has no bfloat16.
"""

import argparse
import functools
import hashlib
import io
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import apache_beam as beam
import tensorflow as tf
import tensorflow_transform.beam as tft_beam
from PIL import Image
from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils

from benchmarks import bare, made_up, measuring, results
from benchmarks.results import Result, Row
from common import example_records
from common.examples import IMAGE, Example
from components.feature_extractor.augmentation import Augmentation, augment
from components.feature_extractor.decoding import Batch, Reader, Shard
from components.feature_extractor.extractor import Extractor
from modeling import features, picture_graph
from modeling.features import ACTIVATIONS, BOTTLENECKS

_TFLOPS = {"H100": 989, "A100": 312, "T4": 8.1}
_DEVICES = [f"{name}={0.4 * tflops * 1000 / bare.GFLOPS:.0f}" for name, tflops in _TFLOPS.items()]
_SHAPES = {BOTTLENECKS: [512], ACTIVATIONS: [14, 14, 512]}
_SIDES = {"small": None, "large": (4000, 3000)}
_DISTINCT = 16
_AUGMENTATION = Augmentation(flip=True, rotation=0.05, zoom=0.1)


class _Stub:
    """Takes the time of a device's forward pass, and no processor's."""

    def __init__(self, pictures_per_second: float) -> None:
        self._pictures_per_second = pictures_per_second
        self._made = _made_features()

    def shapes(self) -> dict[str, list[int]]:
        return _SHAPES

    def compute(self, batch: Batch) -> list[dict[str, tf.Tensor]]:
        count = len(batch.labels)
        time.sleep(count / self._pictures_per_second)
        return [{family: features.stored(family, values[:count]) for family, values in self._made.items()}]


class _StubExtractor(Extractor):
    """The product's way from shard to shard, around a stub."""

    def __init__(self, reader: Reader, pictures_per_second: float) -> None:
        self._reader = reader
        self._layers = [_Stub(pictures_per_second)]  # type: ignore[list-item]


def main() -> None:
    """Measures, prints the table, and writes the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=512, help="small ones; of large ones an eighth; default 512")
    parser.add_argument("--device", action="append", help=f"default {', '.join(_DEVICES)}")
    parser.add_argument("--threads", type=int, nargs="+", default=[8, 16], help="of the estimates; default 8 16")
    results.add_arguments(parser)
    options = parser.parse_args()
    speeds = {name: float(speed) for name, _, speed in (one.partition("=") for one in options.device or _DEVICES)}
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        reader = Reader(_transform_graph(Path(folder)), bare.BATCH)
        for kind, pictures in (("small", options.pictures), ("large", options.pictures // 8)):
            shards = _write_shards(kind, pictures, Path(folder, kind))
            stages = _stages(reader, shards, pictures)
            rows.append({"row": f"{kind}, by stage", **stages})
            rows += [_here(kind, name, reader, shards, pictures, speed) for name, speed in speeds.items()]
            for threads in options.threads:
                rows += [_estimate(kind, name, threads, stages, speed) for name, speed in speeds.items()]
    settings = {"pictures": options.pictures, "devices": speeds, "threads": options.threads}
    results.finish(Result("feeding", settings, rows, []), options)


def _stages(reader: Reader, shards: Sequence[Shard], pictures: int) -> dict[str, float]:
    """Milliseconds of processor time that each stage takes for a picture."""
    made, sha256s = _made_features(), tf.constant([b"00" * 32] * bare.BATCH)
    noise, view = tf.constant(bare.noise(bare.BATCH)), tf.constant(0, tf.int64)
    augmented = tf.function(lambda: augment(noise, sha256s, view, 0, _AUGMENTATION))
    stored = tf.function(lambda: {family: features.stored(family, values) for family, values in made.items()})
    arrays = {family: values.numpy() for family, values in stored().items()}
    rows = [row for values in arrays.values() for row in values]
    encoded = [features.encode(row, 0, b"00" * 32) for row in rows]

    def write() -> None:
        with tempfile.TemporaryDirectory() as folder, tf.io.TFRecordWriter(f"{folder}/features") as writer:
            for record in encoded:
                writer.write(record)

    read = _milliseconds(lambda: _exhaust(tf.data.TFRecordDataset([shard.examples for shard in shards])), pictures)
    return {
        "read_ms": read,
        "decode_ms": _milliseconds(lambda: _exhaust(reader.batches(shards)), pictures) - read,
        "augment_ms": _milliseconds(augmented, bare.BATCH),
        "cast_ms": _milliseconds(stored, bare.BATCH),
        "encode_ms": _milliseconds(lambda: _exhaust(features.encode(row, 0, b"00" * 32) for row in rows), bare.BATCH),
        "write_ms": _milliseconds(write, bare.BATCH),
    }


def _milliseconds(work: Callable[[], object], pictures: int) -> float:
    work()
    return min(measuring.call(work).cpu_seconds for _ in range(3)) / pictures * 1000


def _here(kind: str, name: str, reader: Reader, shards: Sequence[Shard], pictures: int, speed: float) -> Row:
    with tempfile.TemporaryDirectory() as folder:
        usage = measuring.call(
            lambda: _StubExtractor(reader, speed).extract(shard._replace(output_dir=folder) for shard in shards)
        )
    found = pictures / usage.seconds
    measured = {"cpu_ms": usage.cpu_seconds / pictures * 1000, "others": usage.others}
    return {"row": f"{kind}, {name}, here", "pictures_per_second": found, "share": min(1, found / speed), **measured}


def _estimate(kind: str, name: str, threads: int, stages: dict[str, float], speed: float) -> Row:
    writing = stages["encode_ms"] + stages["write_ms"]
    found = min(threads * 1000 / (stages["read_ms"] + stages["decode_ms"] + writing), 1000 / writing)
    row = f"{kind}, {name}, {threads} threads, estimated"
    return {"row": row, "pictures_per_second": found, "share": min(1, found / speed)}


def _made_features() -> dict[str, tf.Tensor]:
    return {family: tf.random.uniform([bare.BATCH, *shape]) for family, shape in _SHAPES.items()}


def _exhaust(items: Iterable[object]) -> None:
    for _ in items:
        pass


def _write_shards(kind: str, pictures: int, folder: Path) -> list[Shard]:
    """Shards of at most 256 pictures, as ImageExampleGen makes them; a few distinct ones in turn."""
    made_up.write(folder, _DISTINCT)
    files = sorted(folder.rglob("*.jpg"))
    examples = [_example(path, _SIDES[kind]) for path in files]
    starts = range(0, pictures, 256)
    for number, start in enumerate(starts):
        with tf.io.TFRecordWriter(str(folder / f"examples-{number}")) as writer:
            for index in range(start, min(start + 256, pictures)):
                writer.write(example_records.encode(examples[index % _DISTINCT]))
    return [Shard(str(folder / f"examples-{number}"), "", number, len(starts), 0) for number in range(len(starts))]


def _example(path: Path, sides: tuple[int, int] | None) -> Example:
    data = path.read_bytes()
    if sides is not None:
        file = io.BytesIO()
        Image.open(path).resize(sides).save(file, "JPEG", quality=90)
        data = file.getvalue()
    return Example(data, 0, "made up", hashlib.sha256(data).hexdigest(), path.name, 1, 1, 0.5, 0.1, "", "")


def _transform_graph(folder: Path) -> str:
    """What the Transform step exports."""
    config = {"image_size": bare.SIZE, "resize": "squash", "max_pixels": 50_000_000}
    schema = schema_utils.schema_from_feature_spec({IMAGE: tf.io.FixedLenFeature([], tf.string)})
    metadata = dataset_metadata.DatasetMetadata(schema)
    with beam.Pipeline() as pipeline, tft_beam.Context(temp_dir=str(folder / "tmp")):
        rows = pipeline | beam.Create([{IMAGE: b""}])
        preprocessing_fn = functools.partial(picture_graph.preprocessing_fn, custom_config=config)
        function = (rows, metadata) | tft_beam.AnalyzeDataset(preprocessing_fn)
        _ = function | tft_beam.WriteTransformFn(str(folder / "graph"))
    return str(folder / "graph")


if __name__ == "__main__":
    main()
