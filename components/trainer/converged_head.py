"""Stage 1 without epochs: `modeling.logistic_regression` in memory, until it converges.

Scaling and classifier are then folded into the head's Dense layer:

    softmax((x - mean) / scale @ W + b) = softmax(x @ (W / scale) + b - mean / scale @ W)

Kornblith, Shlens and Le (2019), "Do Better ImageNet Models Transfer Better?", section 3, train heads like this.
"""

import time

import keras
import numpy as np
from sklearn.linear_model import LogisticRegression

from common import progress
from common.examples import EVAL, TRAIN
from components.trainer.batches import Features
from modeling import features, logistic_regression
from modeling.logistic_regression import Floats, Ints, Scaling
from modeling.training_results import Trial

# Half a decade apart. The best falls with the number of pictures; a few on the eval split may favour one far below it
# by chance, so that weaker ones than the first five are tried only with more pictures.
_PENALTIES = tuple(10.0 ** (exponent / 2) for exponent in range(0, -9, -1))
_ALWAYS_TRIED = 5
_LEAST_BY_PICTURES = 5.0  # penalty times pictures
_TOLERANCE = 1e-5  # tenfold leaves probabilities a few 1e-3 off


def fits_in_memory(data: Features) -> bool:
    """Whether the training split's bottlenecks, all views together, are few enough for `fit`."""
    (channels,) = data.info.shapes[features.BOTTLENECKS]
    return 4 * channels * data.info.pictures[TRAIN] * data.info.views <= logistic_regression.MAX_BYTES


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
      penalty: as `modeling.logistic_regression` describes it; None tries `penalties_for` the pictures, the strongest
        first, and takes the one of the least loss on eval.

    Returns:
      What was tried, in that order; one of them is chosen.
    """
    stored, labels = data.in_memory(TRAIN, features.BOTTLENECKS)
    scaling = Scaling.of(stored)
    values = scaling.apply(stored)
    stored, held_out_labels = data.in_memory(EVAL, features.BOTTLENECKS)
    held_out = scaling.apply(stored)
    # Each penalty goes on from the last one's weights, which are near.
    model = logistic_regression.build(_TOLERANCE, class_weights)
    penalties = penalties_for(len(labels)) if penalty is None else [penalty]
    trials: list[Trial] = []
    progress.start(len(penalties), "penalties of stage 1")
    for tried in penalties:
        began = time.monotonic()
        logistic_regression.fit(model, tried, values, labels)
        loss, accuracy = _evaluate(model, values, labels)
        val_loss, val_accuracy = _evaluate(model, held_out, held_out_labels)
        seconds = round(time.monotonic() - began, 3)
        trials.append(Trial(tried, loss, accuracy, val_loss, val_accuracy, seconds))
        progress.advance()
        if val_loss <= min(trial.val_loss for trial in trials):
            _fold(scaling, model, head)
            trials = [trial._replace(chosen=trial is trials[-1]) for trial in trials]
    return trials


def _evaluate(model: LogisticRegression, values: Floats, labels: Ints) -> tuple[float, float]:
    logarithms = model.predict_log_proba(values)
    loss = -logarithms[np.arange(len(labels)), labels].mean()
    return float(loss), float((logarithms.argmax(axis=1) == labels).mean())


def _fold(scaling: Scaling, model: LogisticRegression, head: keras.Model) -> None:
    """Scaling and classifier as weights of the Dense layer on plain bottlenecks."""
    weights, bias = model.coef_.T, model.intercept_
    if len(model.classes_) == 2:  # of two classes scikit-learn keeps the difference of the logits
        weights, bias = np.hstack([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
    kernel = weights / scaling.scale
    head.get_layer("probabilities").set_weights([kernel, bias - scaling.mean @ kernel])
