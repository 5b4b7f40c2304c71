"""The files of ImageNet weights that `keras.applications` downloads: where each is, and whether Keras' cache has it.

Keras itself tells whether its cache has a file only by downloading it where not.
"""

from __future__ import annotations

import hashlib
import os
import re
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
from modeling.weights import shared

if TYPE_CHECKING:
    import keras

CACHE, DOWNLOAD = "Keras' cache", "Keras' download"  # what people read of where weights are from

SERVER = "https://storage.googleapis.com/"
_KERNELS = "{name}_weights_tf_dim_ordering_tf_kernels_notop.h5"
# By module of `keras.applications`; `variant` is the last word of the backbone's name.
_FILES = {
    "vgg16": f"tensorflow/keras-applications/vgg16/{_KERNELS}",
    "vgg19": f"tensorflow/keras-applications/vgg19/{_KERNELS}",
    "resnet": f"tensorflow/keras-applications/resnet/{_KERNELS}",
    "resnet_v2": f"tensorflow/keras-applications/resnet/{_KERNELS}",
    "densenet": f"tensorflow/keras-applications/densenet/{_KERNELS}",
    "efficientnet": "keras-applications/{name}_notop.h5",
    "efficientnet_v2": "tensorflow/keras-applications/efficientnet_v2/{name}_notop.h5",
    "mobilenet": "tensorflow/keras-applications/mobilenet/mobilenet_1_0_{size}_tf_no_top.h5",
    "mobilenet_v2": "tensorflow/keras-applications/mobilenet_v2/"
    "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_{size}_no_top.h5",
    "mobilenet_v3": "tensorflow/keras-applications/mobilenet_v3/"
    "weights_mobilenet_v3_{variant}_224_1.0_float_no_top_v2.h5",
    "convnext": "tensorflow/keras-applications/convnext/convnext_{variant}_notop.h5",
    "xception": f"tensorflow/keras-applications/xception/{_KERNELS}",
    "inception_v3": "tensorflow/keras-applications/inception_v3/"
    "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
    "inception_resnet_v2": "tensorflow/keras-applications/inception_resnet_v2/"
    "inception_resnet_v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
    "nasnet": "tensorflow/keras-applications/nasnet/NASNet-{variant}-no-top.h5",
}
_CACHED_AS = {"nasnet": "nasnet_{variant}_no_top.h5"}  # others have one name on the server and in the cache
# Pictures' sides for each of which these have a file; for other sizes Keras takes the last.
_SIZES = {"mobilenet": (128, 160, 192, 224), "mobilenet_v2": (96, 128, 160, 192, 224)}
# As Keras' source gives them: MD5, or SHA-256 with twice as many digits. It has none for MobileNet and MobileNetV2.
HASHES = {
    "VGG16": "6d6bbae143d832006294945121d1f1fc",
    "VGG19": "253f8cb515780f3b799900260a226db6",
    "ResNet50": "4d473c1dd8becc155b73f8504c6f6626",
    "ResNet101": "88cf7a10940856eca736dc7b7e228a21",
    "ResNet152": "ee4c566cf9a93f14d82f913c2dc6dd0c",
    "ResNet50V2": "fac2f116257151a9d068a22e544a4917",
    "ResNet101V2": "c0ed64b8031c3730f411d2eb4eea35b5",
    "ResNet152V2": "ed17cf2e0169df9d443503ef94b23b33",
    "DenseNet121": "30ee3e1110167f948a6b9946edeeb738",
    "DenseNet169": "b8c4d4c20dd625c148057b9ff1c1176b",
    "DenseNet201": "c13680b51ded0fb44dff2d8f86ac8bb1",
    "EfficientNetB0": "50bc09e76180e00e4465e1a485ddc09d",
    "EfficientNetB1": "74c4e6b3e1f6a1eea24c589628592432",
    "EfficientNetB2": "111f8e2ac8aa800a7a99e3239f7bfb39",
    "EfficientNetB3": "af6d107764bb5b1abb91932881670226",
    "EfficientNetB4": "ebc24e6d6c33eaebbd558eafbeedf1ba",
    "EfficientNetB5": "38879255a25d3c92d5e44e04ae6cec6f",
    "EfficientNetB6": "9ecce42647a20130c1f39a5d4cb75743",
    "EfficientNetB7": "cbcfe4450ddf6f3ad90b1b398090fe4a",
    "EfficientNetV2B0": "893217f2bb855e2983157299931e43ff",
    "EfficientNetV2B1": "0e80663031ca32d657f9caa404b6ec37",
    "EfficientNetV2B2": "1dfe2e7a5d45b6632553a8961ea609eb",
    "EfficientNetV2B3": "f6abf7b5849ac99a89b50dd3fd532856",
    "EfficientNetV2S": "af0682fb74e8c54910f2d4393339c070",
    "EfficientNetV2M": "1b8dc055df72dde80d614482840fe342",
    "EfficientNetV2L": "b0b66b5c863aef5b46e8608fe1711615",
    "MobileNetV3Small": "d3e8ec802a04aa4fc771ee12a9a9b836",
    "MobileNetV3Large": "07fb09a5933dd0c8eaafa16978110389",
    "ConvNeXtTiny": "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
    "ConvNeXtSmall": "6fc8009faa2f00c1c1dfce59feea9b0745eb260a7dd11bee65c8e20843da6eab",
    "ConvNeXtBase": "40a20c5548a5e9202f69735ecc06c990e6b7c9d2de39f0361e27baeb24cb7c45",
    "ConvNeXtLarge": "96f02b6f0753d4f543261bc9d09bed650f24dd6bc02ddde3066135b63d23a1cd",
    "ConvNeXtXLarge": "de3f8a54174130e0cecdc71583354753d557fcf1f4487331558e2a16ba0cfe05",
    "Xception": "b0042744bf5b25fce3cb969f33bebb97",
    "InceptionV3": "bcbd6486424b2319ff4ef7d526e38f63",
    "InceptionResNetV2": "d19885ff4a710c122648d3b5c3b684e4",
    "NASNetMobile": "1ed92395b5b598bdda52abe5c0dbfd63",
    "NASNetLarge": "d81d89dc07e6e56530c4e77faddd61b5",
}

_CONNECT_SECONDS = 5
_SILENCE_SECONDS = 30  # of a server in the middle of a download


class KerasFile(NamedTuple):
    """The file of a backbone's ImageNet weights, without its classifier.

    Attributes:
      name: of the backbone.
      path: in Keras' cache.
      address: on Keras' server.
      hash: of HASHES; empty where Keras knows none.
    """

    name: str
    path: Path
    address: str
    hash: str

    @classmethod
    def of(cls, name: str, image_size: int) -> KerasFile:
        """The file of a backbone, of `modeling.backbone_names`, for square pictures with sides of so many pixels."""
        module = BACKBONES[name].module
        variant = re.search(r"X?[A-Z][a-z]+$", name)
        parts = {
            "name": name.lower().replace("netv2", "netv2-"),
            "variant": variant[0].lower() if variant else "",
            "size": trained_size(name, image_size),
        }
        file = _FILES[module].format(**parts)
        cached = _CACHED_AS.get(module, file.rpartition("/")[2]).format(**parts)
        cache = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "models"
        return cls(name, cache / cached, SERVER + file, HASHES.get(name, ""))

    def at_hand(self) -> KerasFile | None:
        """The file where it is on this machine, with the numbers that Keras expects: in the cache, or shared by all.

        Raises:
          UserError: it is there, is damaged, and Keras, which knows no hash of it, would load it.
        """
        for path in shared.places(self.path, f"models/{self.path.name}"):
            if os.access(path, os.R_OK) and self._is_whole(path):
                return self._replace(path=path)
        return None

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
                if answer.length or (self.hash and not _has_hash(partial, self.hash)):
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

    def _is_whole(self, path: Path) -> bool:
        if self.hash:
            return _has_hash(path, self.hash)
        try:
            h5py.File(path).close()
        except OSError as error:
            raise self._unusable(error) from error
        return True

    def _unusable(self, error: Exception) -> UserError:
        return UserError(f"backbone.weights: Keras cannot load its ImageNet file of {self.name}: {_line(error)}")


def trained_size(name: str, image_size: int) -> int:
    """Side, in pixels, of the pictures on which the ImageNet weights were trained that `image_size` gets."""
    backbone = BACKBONES[name]
    return image_size if image_size in _SIZES.get(backbone.module, ()) else backbone.picture_size


def _has_hash(path: Path, expected: str) -> bool:
    digest = hashlib.sha256() if len(expected) == 64 else hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest() == expected


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
