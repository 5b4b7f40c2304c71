"""Predicts pictures with a model that the pipeline made.

It needs TensorFlow and Pillow alone, and each picture goes through what ingestion does to it. A SavedModel is a
program: load only what you trust.
"""

import functools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from common.errors import UserError
from imaging import normalising, picture_files
from modeling.model_assets import ModelAssets
from modeling.prediction_formats import File, Loaded, Prediction

_SIGNATURE, _INPUT, _OUTPUT, _ERROR = "serving_default", "image_bytes", "probabilities", "error"
_BATCH = 32  # pictures; the model itself works in chunks of as many
_BATCH_BYTES = 64 << 20  # a batch ends early here: a TIFF of 12 megapixels becomes a PNG of 20 MB
_THREADS = os.cpu_count() or 1


class _Picture(NamedTuple):
    """A file's path, and its normalised bytes or why there are none."""

    file: str
    data: bytes
    problem: str = ""


class Predictor:
    """A loaded model."""

    def __init__(self, folder: str) -> None:
        """Loads a SavedModel that `modeling.signatures` wrote.

        Args:
          folder: of one version.

        Raises:
          UserError: it cannot be loaded, or is none of ours.
        """
        try:
            self._model = tf.saved_model.load(folder)  # dropped, it would take its variables with it
            self.classes, self._max_pixels = ModelAssets.read(folder)
        except Exception as error:  # damaged files raise nearly anything
            reason = str(error).strip().partition("\n")[0]
            raise UserError(f"model: {folder!r} cannot be loaded ({reason or type(error).__name__})") from error
        self._serve = _signature(self._model, folder)
        shape = self._serve.structured_outputs[_OUTPUT].shape
        if not shape.is_compatible_with([None, len(self.classes)]):
            raise UserError(f"model: {folder!r} names {len(self.classes)} classes, and its probabilities are {shape}")
        # Models of earlier releases, which turn no picture upright, name no errors either.
        self._names_errors = _ERROR in self._serve.structured_outputs

    def predict(self, files: Iterable[File | Loaded], *, top: int) -> Iterator[list[Prediction]]:
        """Predicts files, in their order and in batches. While the model has one, threads read and decode the next.

        Memory does not grow with the number of files. A file that cannot be predicted leaves the others as they are. A
        picture larger than the model's own ingestion took is refused before it is decoded.

        Args:
          files: what to read, or has been read.
          top: how many classes of each prediction to give; all where there are fewer.
        """
        readers, runner = ThreadPoolExecutor(_THREADS), ThreadPoolExecutor(1)
        try:
            running: Future[list[Prediction]] | None = None
            read = functools.partial(_read, max_pixels=self._max_pixels, upright=not self._names_errors)
            for batch in _batches(_read_ahead(files, read, readers)):
                submitted = runner.submit(self._answer, batch, top)
                if running is not None:
                    yield running.result()
                running = submitted
            if running is not None:
                yield running.result()
        finally:
            for pool in (readers, runner):
                pool.shutdown(wait=False, cancel_futures=True)

    def probabilities(self, images: list[bytes]) -> npt.NDArray[np.float32]:
        """What the model says of encoded JPEG or PNG pictures: float32 [pictures, classes], 0 if one has an error."""
        return self._ask(images)[_OUTPUT].numpy()

    def _ask(self, images: list[bytes]) -> dict[str, tf.Tensor]:
        return self._serve(**{_INPUT: tf.constant(images)})

    def _answer(self, batch: list[_Picture], top: int) -> list[Prediction]:
        images = [picture.data for picture in batch if not picture.problem]
        rows = iter(self._rows(images) if images else ())
        return [
            Prediction(file, problem=problem) if problem else self._rank(file, *next(rows), top)
            for file, _, problem in batch
        ]

    def _rows(self, images: list[bytes]) -> Iterable[tuple[npt.NDArray[np.float32], str]]:
        answer = self._ask(images)
        errors = answer[_ERROR].numpy() if self._names_errors else [b""] * len(images)
        return zip(answer[_OUTPUT].numpy(), (error.decode() for error in errors), strict=True)

    def _rank(self, file: str, probabilities: npt.NDArray[np.float32], error: str, top: int) -> Prediction:
        if error:
            return Prediction(file, problem=error)
        if not np.isfinite(probabilities).all():
            return Prediction(file, problem="the model gives no number for it")
        best = np.argsort(-probabilities, kind="stable")[:top]
        return Prediction(file, tuple((self.classes[index], _shortest(probabilities[index])) for index in best))


def _shortest(value: np.float32) -> float:
    """The number that is shortest as text, without the noise of a float32's digits as a float64."""
    return float(str(value))


def _signature(model: Any, folder: str) -> Any:
    serve = model.signatures.get(_SIGNATURE)
    if serve is None or set(serve.structured_input_signature[1]) != {_INPUT} or _OUTPUT not in serve.structured_outputs:
        raise UserError(
            f"model: {folder!r} has no signature {_SIGNATURE!r} from {_INPUT!r} to {_OUTPUT!r}; "
            f"expected a model that the pipeline published"
        )
    return serve


def _read_ahead(
    files: Iterable[File | Loaded], read: Callable[[File | Loaded], _Picture], readers: ThreadPoolExecutor
) -> Iterator[_Picture]:
    """Reads in threads, and no further ahead than keeps all of them busy: pictures are large."""
    ahead: deque[Future[_Picture]] = deque()
    for file in files:
        ahead.append(readers.submit(read, file))
        if len(ahead) > _THREADS:
            yield ahead.popleft().result()
    while ahead:
        yield ahead.popleft().result()


def _batches(read: Iterable[_Picture]) -> Iterator[list[_Picture]]:
    batch: list[_Picture] = []
    for picture in read:
        batch.append(picture)
        if len(batch) == _BATCH or sum(len(one.data) for one in batch) >= _BATCH_BYTES:
            yield batch
            batch = []
    if batch:
        yield batch


def _read(file: File | Loaded, max_pixels: int, upright: bool) -> _Picture:
    if isinstance(file, Loaded):
        return _normalised(file.name, file.data, max_pixels, upright)
    if file.problem:
        return _Picture(file.path, b"", file.problem)
    try:
        data = picture_files.read(file.path, max_pixels)
    except OSError as error:
        return _Picture(file.path, b"", f"cannot be read: {error.strerror}")
    except normalising.Refused as error:
        return _Picture(file.path, b"", str(error))
    return _normalised(file.path, data, max_pixels, upright)


def _normalised(name: str, data: bytes, max_pixels: int, upright: bool) -> _Picture:
    try:
        return _Picture(name, normalising.normalise(data, max_pixels, upright=upright))
    except normalising.Refused as error:
        return _Picture(name, b"", str(error))
