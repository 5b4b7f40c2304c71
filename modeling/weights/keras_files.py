"""The files of ImageNet weights that `keras.applications` downloads: where each is, and whether Keras' cache has it.

Keras itself tells whether its cache has a file only by downloading it where not.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import tempfile
import threading
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass, urlopen

import h5py

from common.errors import UserError
from modeling.backbone_names import BACKBONES

if TYPE_CHECKING:
    import keras

CACHE, DOWNLOAD = "Keras' cache", "Keras' download"  # what people read of where weights are from

SERVER = "https://storage.googleapis.com/"
_KERNELS = "{name}_weights_tf_dim_ordering_tf_kernels_notop.h5"
# By module of `keras.applications`.
_FILES = {
    "vgg16": f"tensorflow/keras-applications/vgg16/{_KERNELS}",
    "vgg19": f"tensorflow/keras-applications/vgg19/{_KERNELS}",
    "resnet": f"tensorflow/keras-applications/resnet/{_KERNELS}",
    "resnet_v2": f"tensorflow/keras-applications/resnet/{_KERNELS}",
    "densenet": f"tensorflow/keras-applications/densenet/{_KERNELS}",
    "efficientnet": "keras-applications/{name}_notop.h5",
    "efficientnet_v2": "tensorflow/keras-applications/efficientnet_v2/{name}_notop.h5",
    "mobilenet_v2": "tensorflow/keras-applications/mobilenet_v2/"
    "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_{size}_no_top.h5",
}
_SIZES = (96, 128, 160, 192, 224)  # for each of these MobileNetV2 has a file; other sizes take the last

_CONNECT_SECONDS = 5
_SILENCE_SECONDS = 30  # of a server in the middle of a download


class KerasFile(NamedTuple):
    """The file of a backbone's ImageNet weights, without its classifier.

    Attributes:
      name: of the backbone.
      path: in Keras' cache.
      address: on Keras' server.
      md5: as Keras knows it; empty where it knows none.
    """

    name: str
    path: Path
    address: str
    md5: str

    @classmethod
    def of(cls, name: str, image_size: int) -> KerasFile:
        """The file of a backbone, of `modeling.backbone_names`, for square pictures with sides of so many pixels."""
        backbone = BACKBONES[name]
        file = _FILES[backbone.module].format(
            name=name.lower().replace("netv2", "netv2-"), size=image_size if image_size in _SIZES else _SIZES[-1]
        )
        cache = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "models"
        return cls(name, cache / file.rpartition("/")[2], SERVER + file, backbone.weights_md5)

    def is_cached(self) -> bool:
        """Whether it is in Keras' cache, with the numbers that Keras expects.

        Raises:
          UserError: it is there, is damaged, and Keras, which knows no hash of it, would load it.
        """
        if not self.path.is_file():
            return False
        if self.md5:
            return _md5(self.path) == self.md5
        try:
            h5py.File(self.path).close()
        except OSError as error:
            raise self._unusable(error) from error
        return True

    def download(self) -> None:
        """Puts it into Keras' cache, whole or not at all.

        Raises:
          UserError: it cannot be had or stored.
        """
        if failure := _connection_failure(self.address):
            raise UserError(f"{DOWNLOAD}: {failure}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix="partial-", dir=self.path.parent) as folder:
                partial = Path(folder, self.path.name)
                with urlopen(self.address, timeout=_SILENCE_SECONDS) as answer, partial.open("wb") as file:
                    shutil.copyfileobj(answer, file)
                if answer.length or (self.md5 and _md5(partial) != self.md5):
                    raise OSError(f"{self.address} gave another file than expected")
                os.replace(partial, self.path)
        except (OSError, HTTPException) as error:
            raise UserError(f"{DOWNLOAD}: {_line(error)}") from error

    def load_into(self, backbone: keras.Model) -> None:
        """Puts the weights into the backbone, built without its classifier and without weights.

        Raises:
          UserError: they are those of another model.
        """
        try:
            backbone.load_weights(str(self.path))
        except Exception as error:  # Keras raises nearly anything
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> UserError:
        return UserError(f"backbone.weights: Keras cannot load its ImageNet file of {self.name}: {_line(error)}")


def _md5(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _connection_failure(url: str) -> str | None:
    """Why there is no way to a server, within seconds: looking up its name may take minutes, as may each address."""
    address = urlsplit(url)
    host = address.hostname or ""
    if address.scheme in getproxies() and not proxy_bypass(host):
        return None  # the proxy finds the way
    failures: list[str] = []

    def connect() -> None:
        try:
            socket.create_connection((host, address.port or 443), _CONNECT_SECONDS).close()
        except OSError as error:
            failures.append(f"{host}: {error.strerror or error}")

    # In a thread, since looking up a name knows no timeout and a name may stand for many addresses.
    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(_CONNECT_SECONDS)
    if thread.is_alive():
        return f"{host}: no answer in {_CONNECT_SECONDS} s"
    return failures[0] if failures else None


def _line(error: Any) -> str:
    return " ".join(str(error).split())
