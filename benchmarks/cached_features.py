"""What a backbone's frozen layers make of the pictures in class folders."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from common.examples import IMAGE
from components.feature_extractor.augmentation import Augmentation, augment
from imaging import normalising
from modeling import backbones, picture_graph, weights
from modeling.precision import arithmetic, resolve

BACKBONE = "VGG16"
SIZE = 224
_MAX_PIXELS = 50_000_000
_BATCH = 32
# As in configs/default.yaml.
_AUGMENTATION = Augmentation(flip=True, rotation=0.05, zoom=0.1)

# From pictures, the hashes of their files and the number of a view to that view.
_Change = Callable[[tf.Tensor, list[bytes], int], tf.Tensor]


class Pictures(NamedTuple):
    """The pictures of a data set, each content once, in the order of their hashes: which is no order at all.

    Attributes:
      name: the folder's.
      paths: of the files.
      labels: class ids, int64 [pictures].
      classes: class names by class id.
    """

    name: str
    paths: list[Path]
    labels: npt.NDArray[np.int64]
    classes: list[str]


class Views(NamedTuple):
    """One view of each picture, after the frozen layers.

    Attributes:
      bottlenecks: float32 [pictures, channels].
      activations: at the cut of stage 2, float16 [pictures, height, width, channels]; on disk.
    """

    bottlenecks: npt.NDArray[np.float32]
    activations: npt.NDArray[np.float16]


def read_pictures(folder: Path, most: int) -> Pictures:
    """Lists what can be used of a folder of class folders.

    Args:
      folder: its subfolders are the classes, and their files the pictures, at any depth.
      most: pictures in all; of more, those with the lowest hashes.
    """
    classes = sorted(path.name for path in folder.iterdir() if path.is_dir())
    by_hash: dict[str, tuple[Path, int]] = {}
    for label, name in enumerate(classes):
        for path in sorted(path for path in (folder / name).rglob("*") if path.is_file()):
            data = path.read_bytes()
            try:
                normalising.normalise(data, _MAX_PIXELS)
            except normalising.Refused:
                continue
            by_hash.setdefault(hashlib.sha256(data).hexdigest(), (path, label))
    chosen = [by_hash[sha256] for sha256 in sorted(by_hash)][:most]
    labels = np.array([label for _, label in chosen])
    return Pictures(folder.name, [path for path, _ in chosen], labels, classes)


def views(pictures: Pictures, cache: Path, mirrored: bool) -> Views:
    """The features of each picture, or of each picture mirrored left to right; in bfloat16 where the product does so.

    They are computed once, and kept on disk.

    Args:
      pictures: the pictures.
      cache: folder where the features of all data sets are kept.
      mirrored: whether the pictures are mirrored before they enter the backbone.
    """
    identity = hashlib.sha256("\n".join(map(str, pictures.paths)).encode()).hexdigest()[:12]
    folder = cache / f"{pictures.name}-{identity}-{'mirrored' if mirrored else 'plain'}"
    if not folder.exists():
        _extract(pictures.paths, mirrored, folder)
    return Views(np.load(folder / "bottlenecks.npy"), np.load(folder / "activations.npy", mmap_mode="r"))


def augmented(paths: Sequence[Path], how: str, count: int, seed: int) -> npt.NDArray[np.float16]:
    """Activations of random views, at the cut of stage 2; in bfloat16 where the product does so.

    Args:
      paths: the pictures' files.
      how: "product", as the product augments by default; or "randaugment", as Keras' layer does by default.
      count: views of each picture.
      seed: fixes the views.

    Returns:
      float16 [count, pictures, height, width, channels].
    """
    change = {"product": _by_product, "randaugment": _by_randaugment}[how](seed)
    prefix = _build_cut().prefix
    batches = [
        np.stack([_halves(prefix(change(batch, sha256s, view), training=False)) for view in range(count)])
        for sha256s, batch in _batches(paths)
    ]
    return np.concatenate(batches, axis=1)


def build_backbone() -> keras.Model:
    """The backbone with ImageNet weights, in the arithmetic that is set."""
    backbone = backbones.build(BACKBONE, SIZE)
    weights.load_into(backbone, BACKBONE, "imagenet")
    return backbone


def cut(backbone: keras.Model) -> backbones.Cut:
    """The backbone in two, where the product cuts it by default; the prefix is frozen."""
    index = backbones.fine_tune_index(backbone, BACKBONE, None)
    backbones.freeze_below(backbone, index)
    return backbones.cut(backbone, BACKBONE, index)


def _by_product(seed: int) -> _Change:
    return lambda pictures, sha256s, view: augment(pictures, tf.constant(sha256s), view, seed, _AUGMENTATION)


def _by_randaugment(seed: int) -> _Change:
    layer = keras.layers.RandAugment((0, 255), seed=seed)
    layer.build((1, SIZE, SIZE, 3))

    @tf.function
    def one_by_one(pictures: tf.Tensor) -> tf.Tensor:
        """All pictures of a batch would undergo the same operations."""
        return tf.map_fn(lambda picture: layer(picture[None])[0], pictures, parallel_iterations=1)

    return lambda pictures, _sha256s, _view: one_by_one(pictures)


def _build_cut() -> backbones.Cut:
    """The backbone in two, in the arithmetic of the product's FeatureExtractor."""
    with arithmetic(resolve("auto")):
        return cut(build_backbone())


def _halves(values: tf.Tensor) -> npt.NDArray[np.float16]:
    # Not from bfloat16, which is no type of NumPy's.
    return tf.cast(values, tf.float32).numpy().astype(np.float16)


def _extract(paths: Sequence[Path], mirrored: bool, folder: Path) -> None:
    parts = _build_cut()
    assert parts.suffix is not None
    partial = folder.with_name(f"{folder.name}.partial")
    partial.mkdir(parents=True, exist_ok=True)
    shape = (len(paths), *parts.prefix.output.shape[1:])
    activations = np.lib.format.open_memmap(partial / "activations.npy", "w+", np.float16, shape)
    bottlenecks = np.empty((len(paths), parts.suffix.output.shape[-1]), np.float32)
    start = 0
    for _, batch in _batches(paths):
        values = parts.prefix(batch[:, :, ::-1] if mirrored else batch, training=False)
        maps = tf.cast(parts.suffix(values, training=False), tf.float32)
        activations[start : start + len(batch)] = _halves(values)
        bottlenecks[start : start + len(batch)] = tf.reduce_mean(maps, axis=[1, 2]).numpy()
        start += len(batch)
        print(f"\r{folder.name}: {start} of {len(paths)} pictures", end="", flush=True)
    print()
    activations.flush()
    np.save(partial / "bottlenecks.npy", bottlenecks)
    partial.rename(folder)


def _batches(paths: Sequence[Path]) -> Iterator[tuple[list[bytes], tf.Tensor]]:
    """Hashes of the files in hexadecimal, and the pictures, float32 [batch, SIZE, SIZE, 3], RGB, 0 to 255."""
    for start in range(0, len(paths), _BATCH):
        files = [path.read_bytes() for path in paths[start : start + _BATCH]]
        encoded = [normalising.normalise(data, _MAX_PIXELS) for data in files]
        config = {"image_size": SIZE, "resize": "squash", "max_pixels": _MAX_PIXELS}
        batch = picture_graph.preprocessing_fn({IMAGE: tf.constant(encoded)}, config)
        yield [hashlib.sha256(data).hexdigest().encode() for data in files], batch[picture_graph.PICTURE]
