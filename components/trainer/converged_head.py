"""Stage 1 without epochs: multinomial logistic regression on bottlenecks, by scikit-learn, until it converges.

Each value of the bottlenecks is centred, and all of them are divided by one scale, so that their variance is 1 on
average over the training split: the same L2 penalty then means the same for each backbone. A scale of its own for each
value would let those that hardly vary count as much as the others, which costs accuracy where pictures are few
(`benchmarks/recipes.py`). Scaling and classifier are then folded into the head's Dense layer:

    softmax((x - mean) / scale @ W + b) = softmax(x @ (W / scale) + b - mean / scale @ W)

What is minimised is the mean cross-entropy over training pictures, weighed by class, plus penalty / 2 times the sum of
the squares of W: Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, 2nd edition, sections 4.4 and
18.3.2. Kornblith, Shlens and Le (2019), "Do Better ImageNet Models Transfer Better?", section 3, train heads like this.
"""

import time
import warnings
from typing import NamedTuple

import keras
import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from common import progress
from common.examples import EVAL, TRAIN
from components.trainer.batches import Features
from modeling import features
from modeling.training_results import Trial

# Half a decade apart. The best falls with the number of pictures; a few on the eval split may favour one far below it
# by chance, so that weaker ones than the first five are tried only with more pictures.
_PENALTIES = tuple(10.0 ** (exponent / 2) for exponent in range(0, -9, -1))
_ALWAYS_TRIED = 5
_LEAST_BY_PICTURES = 5.0  # penalty times pictures
_MAX_ITERATIONS = 1000  # 30 to 300 are usual
_TOLERANCE = 1e-5  # largest slope, of the loss, that counts as none; tenfold leaves probabilities a few 1e-3 off
_MAX_BYTES = 512 * 2**20  # of bottlenecks, float32; at its peak training takes six times as much

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]


class _Scaling(NamedTuple):
    mean: _Floats
    scale: float

    @classmethod
    def of(cls, values: npt.NDArray[np.float32]) -> "_Scaling":
        mean = values.mean(axis=0, dtype=np.float64)
        return cls(mean, float(np.sqrt(values.var(axis=0, dtype=np.float64).mean())) or 1.0)

    def apply(self, values: npt.NDArray[np.float32]) -> _Floats:
        return (values - self.mean) / self.scale


def fits_in_memory(data: Features) -> bool:
    """Whether the training split's bottlenecks, all views together, are few enough for `fit`."""
    (channels,) = data.info.shapes[features.BOTTLENECKS]
    return 4 * channels * data.info.pictures[TRAIN] * data.info.views <= _MAX_BYTES


def penalties_for(pictures: int) -> list[float]:
    """The penalties to choose from, the strongest first; with more training pictures also weaker ones."""
    return [
        penalty
        for number, penalty in enumerate(_PENALTIES)
        if number < _ALWAYS_TRIED or penalty * pictures >= _LEAST_BY_PICTURES
    ]


def fit(
    head: keras.Model, data: Features, class_weights: dict[int, float] | None, penalty: float | None
) -> list[Trial]:
    """Gives a head the weights that minimise the penalised loss.

    Args:
      head: as `modeling.head.build_head` returns it, without a hidden layer.
      data: bottlenecks of all views of the training split and of the eval split.
      class_weights: weight of each class in the loss, or None for equal ones.
      penalty: as the module describes it; None tries `penalties_for` the pictures, the strongest first, and takes the
        one of the least loss on eval.

    Returns:
      What was tried, in that order; one of them is chosen.
    """
    stored, labels = data.in_memory(TRAIN, features.BOTTLENECKS)
    scaling = _Scaling.of(stored)
    values = scaling.apply(stored)
    stored, held_out_labels = data.in_memory(EVAL, features.BOTTLENECKS)
    held_out = scaling.apply(stored)
    # Each penalty goes on from the last one's weights, which are near.
    model = LogisticRegression(class_weight=class_weights, tol=_TOLERANCE, max_iter=_MAX_ITERATIONS, warm_start=True)
    penalties = penalties_for(len(labels)) if penalty is None else [penalty]
    trials: list[Trial] = []
    progress.start(len(penalties), "penalties of stage 1")
    for tried in penalties:
        began = time.monotonic()
        model.C = 1 / (tried * len(labels))
        _converge(model, values, labels)
        loss, accuracy = _evaluate(model, values, labels)
        val_loss, val_accuracy = _evaluate(model, held_out, held_out_labels)
        seconds = round(time.monotonic() - began, 3)
        trials.append(Trial(tried, loss, accuracy, val_loss, val_accuracy, seconds))
        progress.advance()
        if val_loss <= min(trial.val_loss for trial in trials):
            _fold(scaling, model, head)
            trials = [trial._replace(chosen=trial is trials[-1]) for trial in trials]
    return trials


def _converge(model: LogisticRegression, values: _Floats, labels: _Ints) -> None:
    with warnings.catch_warnings():
        # Weights that are nearly there are as good; the loss on eval judges them.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(values, labels)


def _evaluate(model: LogisticRegression, values: _Floats, labels: _Ints) -> tuple[float, float]:
    logarithms = model.predict_log_proba(values)
    loss = -logarithms[np.arange(len(labels)), labels].mean()
    return float(loss), float((logarithms.argmax(axis=1) == labels).mean())


def _fold(scaling: _Scaling, model: LogisticRegression, head: keras.Model) -> None:
    """Scaling and classifier as weights of the Dense layer on plain bottlenecks."""
    weights, bias = model.coef_.T, model.intercept_
    if len(model.classes_) == 2:  # of two classes scikit-learn keeps the difference of the logits
        weights, bias = np.hstack([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
    kernel = weights / scaling.scale
    head.get_layer("probabilities").set_weights([kernel, bias - scaling.mean @ kernel])
