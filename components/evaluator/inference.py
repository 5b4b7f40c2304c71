"""What the models say of the test pictures: computed in full batches, or taken from where it is kept.

TFMA's own extractor calls a model with the batches in which files are read, which begin at one picture and stay small
where a model takes long.
"""

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tensorflow_model_analysis as tfma
from apache_beam.utils import shared

from common.examples import FILE_NAME, SHA256
from modeling import picture_graph, probabilities
from modeling.signatures import SERVE_EXAMPLES

PROBABILITIES = "probabilities"
# Pictures at once. On a processor, VGG16 takes as long for each of 4 as of 32, and memory by their number.
_BATCH = 16


class Predict(beam.PTransform):
    """Adds predictions to extracts of one example each, as TFMA's own extractor does: by model, if there are two."""

    def __init__(self, models: Mapping[str, str], kept: Mapping[str, str]) -> None:
        """Loads nothing yet.

        Args:
          models: folder of each SavedModel by the model's name.
          kept: the folder of an evaluation that keeps probabilities of a model, by the model's name. Pictures that it
            lacks are computed; a model that has nothing to compute is not loaded.
        """
        super().__init__()
        self._models = [Model(name, folder, kept.get(name)) for name, folder in models.items()]

    def expand(self, extracts: beam.PCollection) -> beam.PCollection:
        batches = extracts | "Batch" >> beam.BatchElements(min_batch_size=_BATCH, max_batch_size=_BATCH)
        return batches | "Predict" >> beam.ParDo(_Predict(self._models))


class Model:
    """A model, loaded once in a process, and what is kept of it."""

    def __init__(self, name: str, folder: str, kept: str | None = None) -> None:
        """Takes a name and what `Predict` has of it."""
        self.name = name
        self._folder = folder
        self._kept = kept
        self._loaded, self._read = shared.Shared(), shared.Shared()

    # `Shared` lets go of what nobody holds.
    @functools.cached_property
    def _model(self) -> Any:
        return self._loaded.acquire(lambda: tf.saved_model.load(self._folder))

    @functools.cached_property
    def _known(self) -> "_Known":
        return self._read.acquire(lambda: _Known(self._kept))

    def probabilities(self, batch: Sequence[tfma.Extracts]) -> npt.NDArray[np.float32]:
        """Those of each example, float32 [examples, classes].

        Raises:
          UserError: a picture cannot be used.
        """
        known = self._known.of_picture
        hashes = [_feature(one, SHA256).decode() for one in batch]
        unknown = [one for one, sha256 in zip(batch, hashes, strict=True) if sha256 not in known]
        computed: Iterator[npt.NDArray[np.float32]] = iter(self._compute(unknown) if unknown else [])
        return np.array([known[sha256] if sha256 in known else next(computed) for sha256 in hashes])

    def _compute(self, batch: Sequence[tfma.Extracts]) -> npt.NDArray[np.float32]:
        examples = tf.constant([np.ravel(one[tfma.INPUT_KEY])[0] for one in batch])
        outputs = self._model.signatures[SERVE_EXAMPLES](examples=examples)
        if picture_graph.ERROR in outputs:  # models of earlier releases fail instead of naming errors
            names = [_feature(one, FILE_NAME) for one in batch]
            picture_graph.check(names, outputs[picture_graph.ERROR].numpy().tolist())
        return outputs[PROBABILITIES].numpy()


class _Known:
    """In a class, as `Shared` takes no dictionary."""

    def __init__(self, evaluation: str | None) -> None:
        self.of_picture = probabilities.of_candidate(evaluation) if evaluation else {}


class _Predict(beam.DoFn):
    def __init__(self, models: Sequence[Model]) -> None:
        super().__init__()
        self._models = models

    def process(self, batch: Sequence[tfma.Extracts]) -> Iterator[tfma.Extracts]:
        found = {model.name: model.probabilities(batch) for model in self._models}
        for index, extracts in enumerate(batch):
            by_model = {name: {PROBABILITIES: rows[index]} for name, rows in found.items()}
            # TFMA drops a model's name where there is only one.
            only, *others = by_model.values()
            yield {**extracts, tfma.PREDICTIONS_KEY: by_model if others else only}


def _feature(extracts: tfma.Extracts, name: str) -> Any:
    return np.ravel(extracts[tfma.FEATURES_KEY][name])[0]
