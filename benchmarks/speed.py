"""Pictures a second of each heavy part, against doing it the plain way, in one run on this machine.

    python -m benchmarks.speed [--pictures N] [--backbone NAME]

The plain way is what a Keras script does: the whole model, frozen layers included, sees each picture in each epoch.
Weights are random and pictures are noise, which take as long as any others. The floor of VGG16 is 30.7 GFLOP a picture
and forward pass at 224x224.
"""

import argparse
import time
from collections.abc import Callable

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from modeling import backbones
from modeling.head import build_head, on_feature_maps
from modeling.precision import arithmetic, resolve

SIZE = 224
BATCH = 32
CLASSES = 2


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=128, help="pictures of each measurement; default 128")
    parser.add_argument("--backbone", default="VGG16", help="a class of keras.applications; default VGG16")
    options = parser.parse_args()
    pictures = np.random.default_rng(0).uniform(0, 255, (options.pictures, SIZE, SIZE, 3)).astype(np.float32)
    labels = np.arange(options.pictures) % CLASSES

    print(f"{options.backbone}, {options.pictures} pictures of {SIZE}x{SIZE}; auto precision: {resolve('auto')}")
    for precision in ("float32", "bfloat16"):
        with arithmetic(precision):
            backbone = backbones.build(options.backbone, SIZE)
            index = backbones.fine_tune_index(backbone, options.backbone, None)
            cut = backbones.cut(backbone, options.backbone, index)
        _report(f"extraction, {precision}", _forward(backbone, options.backbone, pictures), len(pictures))

    backbone = backbones.build(options.backbone, SIZE)
    cut = backbones.cut(backbone, options.backbone, index)
    assert cut.suffix is not None
    activations = cut.prefix.predict(pictures, batch_size=BATCH, verbose=0)
    bottlenecks = cut.suffix.predict(activations, batch_size=BATCH, verbose=0).mean(axis=(1, 2))

    head = build_head(bottlenecks.shape[1], CLASSES, 0.1)
    _report("stage 1 epoch, from bottlenecks", _fit(head, bottlenecks, labels), len(pictures))
    backbone.trainable = False
    _report("stage 1 epoch, the plain way", _fit(_whole(backbone, options.backbone), pictures, labels), len(pictures))
    backbone.trainable = True
    backbones.freeze_below(backbone, index)
    tuned = on_feature_maps(cut.suffix, build_head(bottlenecks.shape[1], CLASSES, 0.1), "tuned")
    _report("stage 2 epoch, from activations", _fit(tuned, activations, labels), len(pictures))
    _report("stage 2 epoch, the plain way", _fit(_whole(backbone, options.backbone), pictures, labels), len(pictures))


def _whole(backbone: keras.Model, name: str) -> keras.Model:
    picture = keras.Input((SIZE, SIZE, 3))
    maps = keras.Model(picture, backbone(backbones.preprocess(name, picture)))
    return on_feature_maps(maps, build_head(maps.output.shape[-1], CLASSES, 0.1), "whole")


def _forward(backbone: keras.Model, name: str, pictures: npt.NDArray[np.float32]) -> Callable[[], object]:
    picture = keras.Input((SIZE, SIZE, 3))
    whole = keras.Model(picture, backbone(backbones.preprocess(name, picture)))
    return lambda: whole.predict(pictures, batch_size=BATCH, verbose=0)


def _fit(trained: keras.Model, inputs: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]) -> Callable[[], object]:
    trained.compile(keras.optimizers.Adam(1e-5), loss="sparse_categorical_crossentropy")
    dataset = tf.data.Dataset.from_tensor_slices((inputs, labels)).batch(BATCH)
    return lambda: trained.fit(dataset, verbose=0)


def _report(what: str, work: Callable[[], object], pictures: int) -> None:
    work()  # builds the graph
    began = time.perf_counter()
    work()
    seconds = time.perf_counter() - began
    print(f"{what:<34} {seconds:8.2f} s {pictures / seconds:10.1f} pictures/s", flush=True)


if __name__ == "__main__":
    main()
