"""The converged head is scikit-learn's classifier on scaled bottlenecks, as one Dense layer on plain ones."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from common.examples import EVAL, TRAIN, split_folder
from components.trainer import converged_head
from components.trainer.batches import Features
from modeling import features
from modeling.features import BOTTLENECKS, FeaturesInfo
from modeling.head import build_head
from modeling.training_results import read_trials, write_trials

_CHANNELS = 12
_PICTURES = {TRAIN: 90, EVAL: 40}


class _Stored:
    """Bottlenecks of overlapping classes, as FeatureExtractor stores them."""

    def __init__(self, directory: Path, classes: int, views: int = 1) -> None:
        rng = np.random.default_rng(classes)
        centres = rng.normal(size=(classes, _CHANNELS))
        scale, offset = 10.0 ** rng.uniform(-1, 1, _CHANNELS), rng.uniform(-5, 5, _CHANNELS)
        self.values, self.labels = {}, {}
        for split, count in _PICTURES.items():
            stored = views if split == TRAIN else 1
            labels = np.arange(count) % classes
            noise = rng.normal(size=(stored, count, _CHANNELS))
            values = ((centres[labels] + 3 * noise) * scale + offset).astype(np.float32)
            Path(split_folder(str(directory), split)).mkdir(parents=True)
            for view in range(stored):
                path = Path(split_folder(str(directory), split), features.file_name(BOTTLENECKS, 0, 1, view))
                with tf.io.TFRecordWriter(str(path)) as writer:
                    for value, label in zip(values[view], labels, strict=True):
                        writer.write(features.encode(value, int(label), b""))
            self.values[split] = values.reshape(-1, _CHANNELS).astype(np.float64)
            self.labels[split] = np.tile(labels, stored)
        shapes = {BOTTLENECKS: [_CHANNELS]}
        info = FeaturesInfo("VGG16", 32, None, 18, shapes, views, _PICTURES, "float32", "random", "", "")
        info.write(str(directory))
        self.data = Features(str(directory), batch_size=16, seed=0)


def _scikit_learns(stored: _Stored, penalty: float, weights: dict[int, float] | None = None) -> np.ndarray:
    """Its probabilities for the eval split."""
    solver = LogisticRegression(C=1 / (penalty * len(stored.labels[TRAIN])), class_weight=weights, max_iter=10_000)
    solver.set_params(tol=1e-8)
    scaler = StandardScaler().fit(stored.values[TRAIN])
    scaler.scale_ = np.sqrt(scaler.var_.mean())
    solver.fit(scaler.transform(stored.values[TRAIN]), stored.labels[TRAIN])
    return solver.predict_proba(scaler.transform(stored.values[EVAL]))


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_head_gives_scikit_learns_probabilities(tmp_path: Path, classes: int, weighted: bool) -> None:
    stored = _Stored(tmp_path, classes)
    weights = {label: 0.5 + label for label in range(classes)} if weighted else None
    head = build_head(_CHANNELS, classes, dropout=0.1)
    (trial,) = converged_head.fit(head, stored.data, weights, penalty=0.01)
    found = head.predict(stored.values[EVAL].astype(np.float32), verbose=0)
    np.testing.assert_allclose(found, _scikit_learns(stored, 0.01, weights), atol=2e-3)
    truth = stored.labels[EVAL]
    assert trial.val_loss == pytest.approx(-np.log(found[np.arange(len(truth)), truth]).mean(), rel=1e-3)
    assert trial.val_accuracy == (found.argmax(axis=1) == truth).mean()
    assert trial.chosen


def test_the_penalty_is_the_one_of_the_least_loss_on_eval(tmp_path: Path) -> None:
    stored = _Stored(tmp_path, 4)
    head = build_head(_CHANNELS, 4, dropout=0.0)
    trials = converged_head.fit(head, stored.data, None, penalty=None)
    truth = stored.labels[EVAL]
    penalties = converged_head.penalties_for(len(stored.labels[TRAIN]))
    losses = {
        penalty: -np.log(_scikit_learns(stored, penalty)[np.arange(len(truth)), truth]).mean() for penalty in penalties
    }
    (chosen,) = (trial for trial in trials if trial.chosen)
    assert chosen.penalty == min(losses, key=losses.__getitem__)
    assert penalties[0] > chosen.penalty > penalties[-1], "the choice is between others"
    found = head.predict(stored.values[EVAL].astype(np.float32), verbose=0)
    np.testing.assert_allclose(found, _scikit_learns(stored, chosen.penalty), atol=2e-3)
    assert [trial.penalty for trial in trials] == penalties
    assert all(earlier.loss > later.loss for earlier, later in itertools.pairwise(trials))
    write_trials(trials, str(tmp_path))
    assert read_trials(str(tmp_path)) == trials


@pytest.mark.parametrize(("pictures", "weakest"), [(1, 1e-2), (500, 1e-2), (5_000, 1e-3), (10**6, 1e-4)])
def test_more_pictures_bear_weaker_penalties(pictures: int, weakest: float) -> None:
    penalties = converged_head.penalties_for(pictures)
    assert penalties[0] == 1
    assert penalties[-1] == pytest.approx(weakest)
    assert all(stronger / weaker == pytest.approx(10**0.5) for stronger, weaker in itertools.pairwise(penalties))


def test_all_views_are_trained_on(tmp_path: Path) -> None:
    stored = _Stored(tmp_path, 3, views=3)
    head = build_head(_CHANNELS, 3, dropout=0.1)
    converged_head.fit(head, stored.data, None, penalty=0.01)
    found = head.predict(stored.values[EVAL].astype(np.float32), verbose=0)
    np.testing.assert_allclose(found, _scikit_learns(stored, 0.01), atol=2e-3)


def test_the_same_bottlenecks_give_the_same_head_to_the_last_bit(tmp_path: Path) -> None:
    stored = _Stored(tmp_path, 3)
    one, other = (build_head(_CHANNELS, 3, dropout=0.1) for _ in range(2))
    for head in (one, other):
        converged_head.fit(head, stored.data, None, penalty=None)
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
