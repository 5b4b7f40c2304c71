"""Weights from a file of the user's, taken as numbers only.

Of a `.keras` file the model's description, which may name code to run, is not looked at.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import h5py

from common.errors import UserError
from modeling.weights import efficientnet

if TYPE_CHECKING:
    import keras

_WEIGHTS_IN_KERAS_FILE = "model.weights.h5"
# A whole classifier with Adam's two moments has three times the backbone's numbers, and its head.
_LARGEST_RATIO = 4
_LARGEST_HEAD_BYTES = 64 << 20


def check(path: Path) -> None:
    """Raises UserError unless `path` is a whole HDF5 file, *.weights.h5, or a Keras archive, *.keras."""
    if not path.name.endswith((".weights.h5", ".keras")):
        raise UserError(
            f"backbone.weights: got {path}, expected a file that ends in .weights.h5 or .keras "
            "(a _notop.h5 file of Keras' own goes into Keras' cache, for backbone.weights: imagenet)"
        )
    if not path.is_file():
        raise UserError(f"backbone.weights: no file {path}")
    with _readable(path):
        if path.suffix == ".keras":
            with zipfile.ZipFile(path) as archive:
                _packed_weights(archive)
        else:
            h5py.File(path, "r").close()


def load_into(backbone: keras.Model, name: str, path: Path) -> None:
    """Loads the weights of a backbone, or of a classifier among whose own layers are those of the backbone.

    Args:
      backbone: built.
      name: what messages call it.
      path: `.weights.h5` or `.keras` file.

    Raises:
      UserError: no such weights, or not of this backbone; says which layer differs.
    """
    check(path)
    with tempfile.TemporaryDirectory(prefix="weights-") as folder:
        # Keras fills in a file of its own making; the user's only ever lends it numbers.
        own = Path(folder, "backbone.weights.h5")
        backbone.save_weights(own)
        with (
            _readable(path),
            _open(path, Path(folder), own.stat().st_size) as source,
            h5py.File(own, "r+") as target,
        ):
            _copy(source, target, [layer.name for layer in backbone.layers], f"{path} does not fit {name}")
            is_rescaled = efficientnet.is_one(name) and efficientnet.RESCALING in source
        backbone.load_weights(own)
        if is_rescaled:
            efficientnet.fold_rescaling(backbone)


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # h5py raises nearly anything for a damaged file
        reason = " ".join(str(error).split())
        raise UserError(f"backbone.weights: {path} is damaged or no weights file: {reason}") from error


@contextlib.contextmanager
def _open(path: Path, folder: Path, backbone_bytes: int) -> Iterator[h5py.File]:
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            info = _packed_weights(archive)
            limit = _LARGEST_RATIO * backbone_bytes + _LARGEST_HEAD_BYTES
            if info.file_size > limit:
                raise UserError(f"backbone.weights: {path} unpacks to {info.file_size} bytes, expected up to {limit}")
            path = folder / "unpacked.weights.h5"
            with archive.open(info) as packed, path.open("wb") as unpacked:
                shutil.copyfileobj(packed, unpacked)
    with h5py.File(path, "r") as file:
        yield file


def _packed_weights(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    info = archive.getinfo(_WEIGHTS_IN_KERAS_FILE)
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # others may ask for gigabytes to unpack
        raise ValueError(f"{info.filename} is neither stored nor deflated")
    return info


def _copy(source: h5py.File, target: h5py.File, layers: list[str], mismatch: str) -> None:
    """Copies each dataset of `target` from `source`; goes by layer, so that the first mismatch is reported."""
    owners = {}

    def visit(path: str, node: h5py.Group | h5py.Dataset) -> None:
        if isinstance(node, h5py.Dataset):
            owners[path] = node.parent.attrs["name"]

    target.visititems(visit)
    position = {layer: index for index, layer in enumerate(layers)}
    for path in sorted(owners, key=lambda path: position.get(owners[path], len(layers))):
        expected, found = target[path], _dataset(source, path)
        if found is None or found.shape != expected.shape or found.dtype.kind not in "fiu":
            received = "nothing" if found is None else f"{found.dtype} {found.shape}"
            raise UserError(
                f"backbone.weights: {mismatch}: layer {owners[path]}: "
                f"expected {expected.dtype} {expected.shape}, found {received}"
            )
        expected[...] = found[...]


def _dataset(file: h5py.File, path: str) -> h5py.Dataset | None:
    """A dataset whose numbers lie in this very file, as they are.

    HDF5 can point into any other file of the machine. To unpack numbers it runs whatever shared library it finds for
    that, and takes as much memory as the file asks for, whatever the dataset's shape.
    """
    node = file
    for part in path.split("/"):
        link = node.get(part, getlink=True) if isinstance(node, h5py.Group) else None
        if link is None:
            return None
        if not isinstance(link, h5py.HardLink):
            raise ValueError(f"{path} is a link")
        node = node[part]
    if not isinstance(node, h5py.Dataset):
        return None
    if node.external or node.is_virtual:
        raise ValueError(f"{path} lies in another file")
    if node.chunks is not None:
        raise ValueError(f"{path} is stored in pieces, as compressed numbers are")
    return node
