"""A published model in Python: load it, predict pictures.

    from pipeline import load

    classifier = load("output")
    answer = classifier.predict("cat.jpg")
    answer.label, answer.score, answer.probabilities

Imports neither TensorFlow nor NumPy before a model is loaded, and never TFX.
"""

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, Union, overload

from common import escaping
from common.errors import UserError
from modeling.prediction_formats import File, Loaded
from pipeline.predict_inputs import find_model

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from PIL import Image

    from modeling.predictor import Predictor

Picture: TypeAlias = Union[str, "os.PathLike[str]", bytes, "Image.Image", "npt.NDArray[np.uint8]"]


class Answer(NamedTuple):
    """What a model says about a picture.

    Attributes:
      label: the most probable class.
      score: its probability, 0 to 1.
      probabilities: of each class, the most probable first; they add up to 1.
    """

    label: str
    score: float
    probabilities: dict[str, float]


def load(folder: "str | os.PathLike[str]") -> "Classifier":
    """Loads a published model. A SavedModel is a program: load only what you trust.

    Args:
      folder: a run's output folder, a folder of versions, whose highest number is taken, or a version's folder.

    Raises:
      UserError: no version is there, or it cannot be loaded; a message of one line.
    """
    model = find_model(os.fspath(folder))
    from modeling.predictor import Predictor

    return Classifier(Predictor(model), model)


class Classifier:
    """A loaded model, which `load` gives. Threads may share it.

    Attributes:
      folder: of the version that is loaded.
      classes: the names of the classes, sorted.
    """

    def __init__(self, predictor: "Predictor", folder: str) -> None:
        """Takes a loaded model and where it came from."""
        self._predictor = predictor
        self.folder = folder
        self.classes = tuple(predictor.classes)

    @overload
    def predict(self, pictures: Picture) -> Answer: ...  # type: ignore[overload-overlap]  # a str is a sequence of str

    @overload
    def predict(self, pictures: Sequence[Picture]) -> list[Answer]: ...

    def predict(self, pictures: Picture | Sequence[Picture]) -> Answer | list[Answer]:
        """Predicts pictures; each goes through what ingestion does to a file.

        Args:
          pictures: one, or a list or tuple of them: a file's path; a file's bytes; a PIL image; or an array, uint8
            [height, width] (grey), [height, width, 3] (RGB) or [height, width, 4] (RGBA). Files may be JPEG, PNG, WebP,
            BMP, TIFF or GIF, of any orientation and depth that ingestion takes.

        Returns:
          The answer; for a list, one for each picture, in their order.

        Raises:
          UserError: one of them is no picture, or not a whole one, or too large; a message of one line that names it.
        """
        if isinstance(pictures, (list, tuple)):
            return self._predict(_file(one, f"picture {index}") for index, one in enumerate(pictures))
        return self._predict([_file(pictures, "the picture")])[0]

    def _predict(self, files: Iterable[File | Loaded]) -> list[Answer]:
        answers = []
        for batch in self._predictor.predict(files, top=len(self.classes)):
            for prediction in batch:
                if prediction.problem:
                    raise UserError(f"{escaping.escape(prediction.file)}: {prediction.problem}")
                answers.append(Answer(*prediction.top[0], dict(prediction.top)))
        return answers


def _file(picture: Any, name: str) -> File | Loaded:
    """What the predictor takes; the name is told where there is no path."""
    import numpy as np
    from PIL import Image

    from imaging import normalising

    if isinstance(picture, (str, os.PathLike)):
        return File(os.fspath(picture))
    if isinstance(picture, bytes):
        return Loaded(name, picture)
    if isinstance(picture, np.ndarray):
        picture = _image(picture, name)
    if not isinstance(picture, Image.Image):
        raise UserError(f"{name}: got {type(picture).__name__}, expected a path, bytes, a PIL image or an array")
    try:
        return Loaded(name, normalising.encode(picture))
    except normalising.Refused as error:
        raise UserError(f"{name}: {error}") from error


def _image(array: "npt.NDArray[Any]", name: str) -> "Image.Image":
    from PIL import Image

    is_grey, is_coloured = array.ndim == 2, array.ndim == 3 and array.shape[2] in (3, 4)
    if array.dtype != "uint8" or not (is_grey or is_coloured) or not array.size:
        raise UserError(
            f"{name}: got {array.dtype} {list(array.shape)}, expected uint8 [height, width], [height, width, 3] or "
            f"[height, width, 4]"
        )
    return Image.fromarray(array)
