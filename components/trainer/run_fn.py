"""Trains the head, then the end of the backbone with it, and exports the classifier; TFX's hook."""

import os
import tempfile
from typing import NamedTuple

import keras
import tensorflow as tf
from tfx.components.trainer.fn_args_utils import FnArgs

from common import fingerprint, labels, unfinished
from common.errors import UserError
from components.trainer import converged_head, fit
from components.trainer.batches import Features
from modeling import backbones, devices, features, signatures, weights
from modeling.head import build_head, on_feature_maps
from modeling.model_assets import ModelAssets
from modeling.training_results import CONVERGED, EPOCHS, KEPT, TOO_MANY, UNDONE, TrainingResults


class Settings(NamedTuple):
    """What Trainer gets as `custom_config`.

    Attributes:
      solver: "lbfgs" or "adam", of stage 1.
      penalty: L2 penalty of "lbfgs", as `converged_head` describes it; None for that of the least loss on eval.
      epochs: most epochs of stage 1 with "adam".
      learning_rate: Adam's, in stage 1.
      fine_tune: whether stage 2 follows.
      fine_tune_epochs: most epochs of stage 2.
      fine_tune_learning_rate: Adam's, in stage 2.
      schedule: "constant" or "cosine", of Adam's learning rates.
      batch_size: pictures in a batch.
      dropout: fraction of a bottleneck's values that training drops.
      early_stopping_patience: epochs without a better validation loss after which a stage ends.
      class_weights: whether rare classes count for more.
      mirror: whether stage 2 mirrors half of the activations.
      weights: "imagenet", "random" or the path of a weights file.
      max_pixels: most pixels of a picture in ingestion; the model carries it.
      seed: fixes initial values, order and dropout.
    """

    solver: str
    penalty: float | None
    epochs: int
    learning_rate: float
    fine_tune: bool
    fine_tune_epochs: int
    fine_tune_learning_rate: float
    schedule: str
    batch_size: int
    dropout: float
    early_stopping_patience: int
    class_weights: bool
    mirror: bool
    weights: str
    max_pixels: int
    seed: int


def run_fn(fn_args: FnArgs) -> None:
    """Trains and exports. Goes on after the last epoch that a killed attempt finished.

    Args:
      fn_args: TFX's. `train_files` lie in the features' artifact, `custom_config` holds the fields of Settings.

    Writes, beside the SavedModel in `serving_model_dir`: `model.keras`; and in `model_run_dir`: history.csv,
    penalties.csv where stage 1 has no epochs, metrics.json and TensorBoard logs.

    Raises:
      UserError: the weights cannot be had, or the features are of other weights or end at another layer.
    """
    settings = Settings(**fn_args.custom_config)
    directory = os.path.dirname(os.path.dirname(fn_args.train_files[0]))
    names = labels.read_labels(directory)
    keras.utils.set_random_seed(settings.seed)
    if tf.config.list_physical_devices("GPU"):
        # On a CPU the seed alone fixes the result.
        tf.config.experimental.enable_op_determinism()
    strategy = devices.strategy()
    data = Features(directory, settings.batch_size, settings.seed, strategy.num_replicas_in_sync)

    with strategy.scope():
        backbone = backbones.build(data.info.backbone, data.info.image_size)
        provenance = weights.load_into(backbone, data.info.backbone, settings.weights)
        head = build_head(data.info.shapes[features.BOTTLENECKS][0], len(names), settings.dropout)
    _check_weights(data.info, backbone, provenance)
    suffix = _suffix(data.info, backbone) if settings.fine_tune else None
    depends = {"features": data.info.identity, "code": fingerprint.of_code(__name__), "devices": data.devices}
    identity = unfinished.identity({}, {**depends, **settings._asdict()})
    run = fit.Run(
        strategy,
        fn_args.model_run_dir,
        unfinished.make_folder(fn_args.model_run_dir, identity),
        settings.schedule,
        settings.early_stopping_patience,
        _class_weights(data.counts(len(names))) if settings.class_weights else None,
    )
    results = _stage_1(run, data, head, settings)
    if suffix is not None:
        results = _stage_2(run, data, suffix, head, settings, results)
    results.write(fn_args.model_run_dir)

    classifier = _classifier(backbone, data.info.backbone, head)
    assets = ModelAssets(names, settings.max_pixels)
    signatures.export(classifier, fn_args.transform_graph_path, assets, fn_args.serving_model_dir)
    _save_keras(classifier, os.path.join(os.path.dirname(fn_args.serving_model_dir), "model.keras"))
    run.finish()


def _check_weights(info: features.FeaturesInfo, backbone: keras.Model, provenance: str) -> None:
    """Raises UserError where the features were not made with these weights."""
    if weights.sha256_of(backbone) != info.weights_sha256:
        raise UserError(
            f"backbone.weights: Trainer loads {provenance}, the features were made with other weights "
            f"({info.weights}); expected the same in both steps"
        )


def _suffix(info: features.FeaturesInfo, backbone: keras.Model) -> keras.Model | None:
    """The layers behind the features, those frozen that stage 2 does not train; None where there are none.

    Raises:
      UserError: the features were cut elsewhere.
    """
    assert info.fine_tune_index is not None
    backbones.freeze_below(backbone, info.fine_tune_index)
    cut = backbones.cut(backbone, info.backbone, info.fine_tune_index)
    if cut.boundary != info.boundary:
        raise UserError(
            f"trainer.fine_tune_at: the features end at operation {info.boundary} of {info.backbone}, "
            f"Trainer goes on from {cut.boundary}; expected the same in both steps"
        )
    return cut.suffix


def _stage_1(run: fit.Run, data: Features, head: keras.Model, settings: Settings) -> TrainingResults:
    """Trains the head; for some epochs where that is asked for, or where not all bottlenecks fit in memory."""
    converges = settings.solver == "lbfgs"
    if converges and converged_head.fits_in_memory(data):
        penalty = run.converge(head, data, settings.penalty)
        return run.evaluate(head, data, features.BOTTLENECKS)._replace(stage_1=CONVERGED, penalty=penalty)
    run.fit(1, head, data, features.BOTTLENECKS, settings.epochs, settings.learning_rate, mirror=False)
    how = TOO_MANY if converges else EPOCHS
    return run.evaluate(head, data, features.BOTTLENECKS)._replace(stage_1=how)


def _stage_2(
    run: fit.Run,
    data: Features,
    suffix: keras.Model,
    head: keras.Model,
    settings: Settings,
    before: TrainingResults,
) -> TrainingResults:
    """Fine-tunes; goes back to stage 1's weights, and results, where the validation loss rose."""
    tuned = on_feature_maps(suffix, head, "fine_tuned")
    kept = tuned.get_weights()
    rate = settings.fine_tune_learning_rate
    run.fit(2, tuned, data, features.ACTIVATIONS, settings.fine_tune_epochs, rate, settings.mirror)
    after = run.evaluate(tuned, data, features.ACTIVATIONS)
    if after.eval["loss"] <= before.eval["loss"]:
        return before._replace(train=after.train, eval=after.eval, fine_tuning=KEPT)
    tuned.set_weights(kept)
    return before._replace(fine_tuning=UNDONE)


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
