"""How near the heavy steps come to the limit: to the bare backbone, and that to the machine's products of matrices.

    python -m benchmarks.limit [--pictures N] [--engine NAME] [--work DIR]

A run of the pipeline on made-up pictures (VGG16 at 224x224, random weights) leaves examples, features and a model in
the work folder. On its training pictures, in this process and in turn, each warm and the fastest of three rounds:

- extraction, which reads examples and writes features, against the bare backbone in the same engine and precision;
- stage 2, two epochs with their validation, against the same passes over activations in memory;
- the model as it is served, which takes serialized examples, against the bare classifier.

Times are for one picture. `gflops` counts the floating-point operations of the model's convolutions, in billions a
second. `share_of_bare` is the bare time over the row's; `share_of_peak` its `gflops` over those of a product of two
matrices of 4,096 rows in the same precision. Those with `cpu_` are the same by processor time, for a machine that does
other work meanwhile.
"""

import argparse
import functools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import keras
import tensorflow as tf

from benchmarks import bare, made_up, pipeline_runs, results
from benchmarks.measuring import Usage
from benchmarks.results import AT_LEAST, Result, Row, Target
from common import example_records
from common.examples import EVAL, TRAIN
from components.feature_extractor.augmentation import Augmentation
from components.feature_extractor.decoding import Shard
from components.feature_extractor.extractor import Extractor
from components.feature_extractor.layers import Settings
from components.trainer import fit
from components.trainer.batches import Features
from modeling import backbones, devices, engines
from modeling.engines import Engine
from modeling.features import ACTIVATIONS
from modeling.head import build_head, on_feature_maps
from modeling.signatures import SERVE_EXAMPLES

_SETTINGS = {"backbone.weights": "random", "trainer.fine_tune_epochs": 1, **pipeline_runs.OPEN_GATE}
_PRECISIONS = ("float32", "bfloat16")
_SUFFIX_GFLOPS = 2.77  # of a picture's pass through block5, 3 convolutions of 14x14x512
_TRAINING_PASSES = 8 / 3  # with the gradients of three kernels, and of the inputs of all but the first
_EPOCHS = 2
_CLASSES = len(made_up.CLASSES)


class _Artifacts(NamedTuple):
    """Folders that a run of the pipeline left."""

    examples: str
    transform_graph: str
    features: str
    model: str


class _Pace(NamedTuple):
    """What was measured for a picture, and the billions of operations that it takes."""

    usage: Usage
    gflops: float


def main() -> None:
    """Measures, prints the table, and writes the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=96, help="70%% of them are the training split; default 96")
    parser.add_argument("--engine", default="auto", help="of extraction, as features.engine has it; default auto")
    parser.add_argument("--work", type=Path, default=Path("output", "limit"), help="default output/limit")
    results.add_arguments(parser)
    options = parser.parse_args()
    artifacts = _prepare(options.pictures, options.work.resolve() / str(options.pictures))
    engine = engines.resolve(options.engine, "auto", bare.BACKBONE)
    peaks = {name: _Pace(*bare.products(name)) for name in _PRECISIONS}
    alone = {name: _Pace(bare.pace(name), bare.GFLOPS) for name in _PRECISIONS}
    extraction, extraction_alone = _extraction(artifacts, engine)
    stage_2, stage_2_alone = _stage_2(artifacts)
    served, classifier = _served(artifacts)
    rows = [
        *(_row(f"product of matrices, {name}", pace) for name, pace in peaks.items()),
        *(_row(f"bare backbone, {name}", pace, peak=peaks[name]) for name, pace in alone.items()),
        _row(f"bare backbone, {' in '.join(engine)}", extraction_alone, peak=peaks[engine.precision]),
        _row(f"extraction, {' in '.join(engine)}", extraction, extraction_alone, peaks[engine.precision]),
        _row("bare stage 2, float32", stage_2_alone, peak=peaks["float32"]),
        _row("stage 2, float32", stage_2, stage_2_alone, peaks["float32"]),
        _row("bare classifier, float32", classifier, peak=peaks["float32"]),
        _row("served model, float32", served, classifier, peaks["float32"]),
    ]
    results.finish(
        Result("limit", {"pictures": options.pictures, "engine": options.engine}, rows, list(_targets(rows))), options
    )


def _prepare(pictures: int, work: Path) -> _Artifacts:
    """Runs the pipeline, or takes what an earlier run left, all from the cache where nothing changed."""
    data = made_up.write(work / "pictures", pictures)
    run = pipeline_runs.run(data, work / "run", _SETTINGS)
    steps = work / "run" / "pipeline"
    graph, features = (
        str(max((steps / path).iterdir(), key=lambda folder: int(folder.name)))
        for path in ("Transform/transform_graph", "FeatureExtractor/features")
    )
    return _Artifacts(run.summary["examples"], graph, features, run.summary["model"])


def _extraction(artifacts: _Artifacts, engine: Engine) -> tuple[_Pace, _Pace]:
    """Extraction and the bare backbone."""
    settings = Settings(
        transform_graph=artifacts.transform_graph,
        backbone=bare.BACKBONE,
        weights="random",
        image_size=bare.SIZE,
        fine_tune=True,
        fine_tune_at=None,
        augmentation=Augmentation(flip=False, rotation=0, zoom=0),
        engine=engine,
        batch_size=bare.BATCH,
        seed=0,
    )
    extractor = Extractor(settings, threads=len(os.sched_getaffinity(0)))
    files = example_records.shards(artifacts.examples, TRAIN)
    pictures = Features(artifacts.features, bare.BATCH, 0).info.pictures[TRAIN]

    def extract() -> None:
        with tempfile.TemporaryDirectory() as folder:
            extractor.extract(Shard(file, folder, number, len(files), views=0) for number, file in enumerate(files))

    usages = bare.fastest(extract, bare.engine_passes(engine, bare.noise(pictures)))
    product, alone = (_Pace(bare.each(usage, pictures), bare.GFLOPS) for usage in usages)
    return product, alone


def _stage_2(artifacts: _Artifacts) -> tuple[_Pace, _Pace]:
    """Stage 2 as Trainer runs it, and its passes over activations in memory: epochs of training with validation."""
    data = Features(artifacts.features, bare.BATCH, seed=0)
    tuned = _tuned()
    values, labels = data.in_memory(TRAIN, ACTIVATIONS)
    held_out, _ = data.in_memory(EVAL, ACTIVATIONS)
    train, validate = bare.training(tuned, values, labels), bare.passes(tuned, held_out)

    def alone() -> None:
        for _ in range(_EPOCHS):
            train()
            validate()

    trained = _tuned()
    # A first epoch alone holds the same building of graphs.
    first, more, bare_usage = bare.fastest(
        functools.partial(_fit, trained, data, 1), functools.partial(_fit, trained, data, 1 + _EPOCHS), alone
    )
    usage = Usage(more.seconds - first.seconds, more.cpu_seconds - first.cpu_seconds, more.others)
    pictures = _EPOCHS * len(values)
    gflops = _SUFFIX_GFLOPS * (_TRAINING_PASSES + len(held_out) / len(values))
    return _Pace(bare.each(usage, pictures), gflops), _Pace(bare.each(bare_usage, pictures), gflops)


def _tuned() -> keras.Model:
    backbone = backbones.build(bare.BACKBONE, bare.SIZE)
    index = backbones.fine_tune_index(backbone, bare.BACKBONE, None)
    backbones.freeze_below(backbone, index)
    suffix = backbones.cut(backbone, bare.BACKBONE, index).suffix
    assert suffix is not None
    return on_feature_maps(suffix, build_head(suffix.output.shape[-1], _CLASSES, 0.1), "fine_tuned")


def _fit(model: keras.Model, data: Features, epochs: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run = fit.Run(devices.strategy(), folder, folder, "constant", patience=epochs, class_weights=None)
        run.fit(2, model, data, ACTIVATIONS, epochs, 1e-5)


def _served(artifacts: _Artifacts) -> tuple[_Pace, _Pace]:
    """The exported model's signature that the gate asks, and the classifier in it."""
    model = tf.saved_model.load(f"{artifacts.model}/Format-Serving")
    serve = model.signatures[SERVE_EXAMPLES]
    shards = example_records.shards(artifacts.examples, TRAIN)
    records = tf.constant(list(tf.data.TFRecordDataset(shards).as_numpy_iterator()))
    classifier = keras.models.load_model(f"{artifacts.model}/model.keras")
    pictures = len(records)
    usages = bare.fastest(lambda: serve(examples=records), bare.passes(classifier, bare.noise(pictures)))
    product, alone = (_Pace(bare.each(usage, pictures), bare.GFLOPS) for usage in usages)
    return product, alone


def _row(name: str, pace: _Pace, alone: _Pace | None = None, peak: _Pace | None = None) -> Row:
    """Shares are of paces in operations, which the same passes have as many of."""
    cores = results.machine()["cores"]
    row: Row = {"row": name, **pace.usage._asdict(), "gflops": pace.gflops / pace.usage.seconds}
    row["cpu_gflops"] = cores * pace.gflops / pace.usage.cpu_seconds
    for what, other in (("bare", alone), ("peak", peak)):
        if other is not None:
            for prefix, time in (("", "seconds"), ("cpu_", "cpu_seconds")):
                speeds = [one.gflops / getattr(one.usage, time) for one in (pace, other)]
                row[f"{prefix}share_of_{what}"] = speeds[0] / speeds[1]
    return row


def _targets(rows: list[Row]) -> Iterator[Target]:
    time, by = results.clock(row["others"] for row in rows)
    share = {"seconds": "share_of_bare", "cpu_seconds": "cpu_share_of_bare"}[time]
    for row in rows:
        if share in row:
            yield Target(f"{row['row']}: share of the bare pace by {by}", AT_LEAST, 0.9, row[share])


if __name__ == "__main__":
    main()
