"""Trains the head, then the end of the backbone with it, and exports the classifier; TFX's hook."""

import os
import tempfile
from collections.abc import Mapping
from typing import Any, NamedTuple

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tfx.components.trainer.fn_args_utils import FnArgs

from common import fingerprint, labels, unfinished
from common.errors import UserError
from common.examples import EVAL, TRAIN
from components.trainer import converged_head, fit
from components.trainer.batches import Features
from modeling import backbones, devices, features, signatures, weights
from modeling.head import build_head, on_feature_maps
from modeling.model_assets import ModelAssets
from modeling.precision import computed_in, resolve_for_training
from modeling.training_results import CONVERGED, EPOCHS, KEPT, TOO_MANY, UNDONE, TrainingResults


class Settings(NamedTuple):
    """What Trainer gets as `custom_config`.

    Attributes:
      solver: "lbfgs" or "adam", of stage 1.
      penalty: L2 penalty of "lbfgs", as `converged_head` describes it; None for that of the least loss on eval.
      epochs: most epochs of stage 1 with "adam".
      learning_rate: Adam's, in stage 1.
      hidden: units of the head's hidden layer, with "adam"; 0 for none.
      fine_tune: whether stage 2 follows.
      fine_tune_epochs: most epochs of stage 2.
      fine_tune_learning_rate: Adam's, in stage 2.
      schedule: "constant" or "cosine", of Adam's learning rates.
      precision: arithmetic of the backbone's layers in stage 2, resolved by `modeling.precision`.
      batch_size: pictures in a batch.
      dropout: fraction of a bottleneck's values that training drops.
      early_stopping_patience: epochs without a better validation loss after which a stage ends.
      class_weights: whether rare classes count for more.
      weights: "imagenet", "random" or the path of a weights file.
      max_pixels: most pixels of a picture in ingestion; the model carries it.
      seed: fixes initial values, order and dropout.
    """

    solver: str
    penalty: float | None
    epochs: int
    learning_rate: float
    hidden: int
    fine_tune: bool
    fine_tune_epochs: int
    fine_tune_learning_rate: float
    schedule: str
    precision: str
    batch_size: int
    dropout: float
    early_stopping_patience: int
    class_weights: bool
    weights: str
    max_pixels: int
    seed: int

    @classmethod
    def of(cls, custom_config: Mapping[str, Any]) -> "Settings":
        """The fields of a step's `custom_config`, with the precision that this machine gives."""
        settings = cls(**custom_config)
        return settings._replace(precision=resolve_for_training(settings.precision))


def run_fn(fn_args: FnArgs) -> None:
    """Trains and exports. Goes on after the last epoch that a killed attempt finished.

    Args:
      fn_args: TFX's. `train_files` lie in the features' artifact, `custom_config` holds the fields of Settings.

    Writes, beside the SavedModel in `serving_model_dir`: `model.keras`; and in `model_run_dir`: history.csv,
    penalties.csv where stage 1 has no epochs, metrics.json and TensorBoard logs.

    Raises:
      UserError: the weights cannot be had, or the features are of other weights or end at another layer.
    """
    settings = Settings.of(fn_args.custom_config)
    directory = os.path.dirname(os.path.dirname(fn_args.train_files[0]))
    names = labels.read_labels(directory)
    data = read_features(directory, settings)
    depends = {"features": data.info.identity, "code": fingerprint.of_code(__name__), "devices": data.devices}
    identity = unfinished.identity({}, {**depends, **settings._asdict()})
    work = unfinished.make_folder(fn_args.model_run_dir, identity)
    backbone = load_backbone(data.info, settings)
    run = start(data, len(names), settings, fn_args.model_run_dir, work)
    trained = train(run, data, len(names), settings, backbone)
    trained.results.write(fn_args.model_run_dir)

    classifier = _classifier(backbone, data.info.backbone, trained.head)
    assets = ModelAssets(names, settings.max_pixels)
    signatures.export(classifier, fn_args.transform_graph_path, assets, fn_args.serving_model_dir)
    _save_keras(classifier, os.path.join(os.path.dirname(fn_args.serving_model_dir), "model.keras"))
    run.finish()


def read_features(directory: str, settings: Settings) -> Features:
    """The features of an artifact's folder, in batches for the devices there are."""
    return Features(directory, settings.batch_size, settings.seed, devices.strategy().num_replicas_in_sync)


def load_backbone(info: features.FeaturesInfo, settings: Settings) -> keras.Model:
    """The backbone with the weights that the features were made with.

    Raises:
      UserError: the weights cannot be had, or are others.
    """
    keras.utils.set_random_seed(settings.seed)
    with devices.strategy().scope():
        backbone = backbones.build(info.backbone, info.image_size)
        provenance = weights.load_into(backbone, info.backbone, settings.weights)
    _check_weights(info, backbone, provenance)
    return backbone


def start(data: Features, classes: int, settings: Settings, directory: str, work: str) -> fit.Run:
    """A training run; the folders are as `fit.Run` has them."""
    class_weights = _class_weights(data.counts(classes)) if settings.class_weights else None
    patience = settings.early_stopping_patience
    return fit.Run(devices.strategy(), directory, work, settings.schedule, patience, class_weights)


class Trained(NamedTuple):
    """What `train` made.

    Attributes:
      head: from bottlenecks to probabilities.
      tuned: from activations to probabilities; None where stage 2 is off or was undone.
      results: what the model comes to.
      losses: cross-entropy of each picture of the eval split, [pictures], always in the same order.
    """

    head: keras.Model
    tuned: keras.Model | None
    results: TrainingResults
    losses: npt.NDArray[np.float64]


def train(
    run: fit.Run,
    data: Features,
    classes: int,
    settings: Settings,
    backbone: keras.Model | None,
    fine_tune_at: int | None = None,
) -> Trained:
    """Trains the head, and the end of the backbone with it where the settings ask for stage 2.

    The same features and settings give the same weights.

    Args:
      run: as `start` makes it.
      data: the features.
      classes: how many.
      settings: of both stages.
      backbone: as `load_backbone` gives it; stage 2 changes its weights. None where stage 2 is off.
      fine_tune_at: first layer that stage 2 trains; None for the one that the features were made for.

    Raises:
      UserError: the features end behind that layer.
    """
    keras.utils.set_random_seed(settings.seed)
    devices.configure()
    suffix = None if backbone is None or not settings.fine_tune else _suffix(data.info, backbone, fine_tune_at)
    hidden = settings.hidden if settings.solver == "adam" else 0
    with devices.strategy().scope():
        head = build_head(data.info.shapes[features.BOTTLENECKS][0], classes, settings.dropout, hidden)
    trained = _stage_1(run, data, head, settings)
    return trained if suffix is None else _stage_2(run, data, suffix, trained, settings)


def _check_weights(info: features.FeaturesInfo, backbone: keras.Model, provenance: str) -> None:
    """Raises UserError where the features were not made with these weights."""
    if weights.sha256_of(backbone) != info.weights_sha256:
        raise UserError(
            f"backbone.weights: Trainer loads {provenance}, the features were made with other weights "
            f"({info.weights}); expected the same in both steps"
        )


def _suffix(info: features.FeaturesInfo, backbone: keras.Model, fine_tune_at: int | None) -> keras.Model | None:
    """The layers behind the features, those frozen that stage 2 does not train; None where there are none.

    Raises:
      UserError: the features were cut elsewhere.
    """
    assert info.fine_tune_index is not None
    index = info.fine_tune_index if fine_tune_at is None else fine_tune_at
    cut = backbones.cut(backbone, info.backbone, min(index, info.fine_tune_index))
    if cut.boundary != info.boundary:
        raise UserError(
            f"trainer.fine_tune_at: the features end at operation {info.boundary} of {info.backbone}, "
            f"Trainer goes on from {cut.boundary}; expected the same in both steps"
        )
    backbones.freeze_below(backbone, index)
    return cut.suffix


def _stage_1(run: fit.Run, data: Features, head: keras.Model, settings: Settings) -> Trained:
    """Trains the head; for some epochs where that is asked for, or where not all bottlenecks fit in memory."""
    converges = settings.solver == "lbfgs"
    penalty = None
    if converges and converged_head.fits_in_memory(data):
        penalty = run.converge(head, data, settings.penalty)
        how = CONVERGED
    else:
        run.fit(1, head, data, features.BOTTLENECKS, settings.epochs, settings.learning_rate)
        how = TOO_MANY if converges else EPOCHS
    train, held_out = (run.evaluate(head, data, split, features.BOTTLENECKS) for split in (TRAIN, EVAL))
    results = TrainingResults(train.metrics(), held_out.metrics(), stage_1=how, penalty=penalty)
    return Trained(head, None, results, held_out.losses)


def _stage_2(run: fit.Run, data: Features, suffix: keras.Model, before: Trained, settings: Settings) -> Trained:
    """Fine-tunes; goes back to stage 1's weights, and results, unless the loss on eval fell by more than noise."""
    tuned = on_feature_maps(suffix, before.head, "fine_tuned")
    kept = tuned.get_weights()
    # Again, as the suffix computes here otherwise than in extraction.
    losses = run.evaluate(tuned, data, EVAL, features.ACTIVATIONS).losses
    rate, scale = settings.fine_tune_learning_rate, settings.precision == "float16"
    with computed_in(settings.precision, suffix):
        run.fit(2, tuned, data, features.ACTIVATIONS, settings.fine_tune_epochs, rate, scale)
    held_out = run.evaluate(tuned, data, EVAL, features.ACTIVATIONS)
    if not fit.is_lower(held_out.losses, losses):
        tuned.set_weights(kept)
        return before._replace(results=before.results._replace(fine_tuning=UNDONE))
    train = run.evaluate(tuned, data, TRAIN, features.ACTIVATIONS)
    results = before.results._replace(train=train.metrics(), eval=held_out.metrics(), fine_tuning=KEPT)
    return Trained(before.head, tuned, results, held_out.losses)


def _classifier(backbone: keras.Model, name: str, head: keras.Model) -> keras.Model:
    """The whole model: pictures, float32 [batch, size, size, 3], RGB, 0 to 255 -> probabilities."""
    picture = keras.Input(backbone.input.shape[1:], name="picture")
    maps = keras.Model(picture, backbone(backbones.preprocess(name, picture)))
    return on_feature_maps(maps, head, "classifier")


def _class_weights(counts: list[int]) -> dict[int, float]:
    """Inverse frequencies with a mean of 1 over pictures, as scikit-learn's "balanced"."""
    total = sum(counts)
    return {label: total / (len(counts) * count) for label, count in enumerate(counts) if count}


def _save_keras(classifier: keras.Model, path: str) -> None:
    """Keras writes to few file systems; TensorFlow's file layer knows those that a pipeline root may lie on."""
    with tempfile.TemporaryDirectory() as directory:
        local = os.path.join(directory, "model.keras")
        classifier.save(local)
        tf.io.gfile.copy(local, path, overwrite=True)
