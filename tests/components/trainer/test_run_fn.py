"""What training leaves: one model in three forms that agree, a history, and the same again from the same seed."""

import csv
import dataclasses
import json
import math
import re
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import sessions
import steps
import tensorflow as tf
import tensorflow_transform as tft
from tfx.types.standard_artifacts import Examples, Model, TransformGraph

from common import example_records, progress
from common.errors import UserError
from components.trainer import fit, run_fn
from modeling import backbones, logistic_regression, signatures
from modeling.backbone_names import BACKBONES
from modeling.features import FeaturesInfo
from modeling.model_assets import ModelAssets
from modeling.training_results import diverged


def _keras_probabilities(model: Model, graph: TransformGraph, data: list[bytes]) -> np.ndarray:
    layer = tft.TFTransformOutput(graph.uri).transform_features_layer()
    classifier = keras.models.load_model(f"{model.uri}/model.keras")
    return classifier.predict(layer({"image": tf.constant(data)})["picture"].numpy(), verbose=0)


def _history(model: Model) -> list[dict[str, str]]:
    with (Path(model.uri).parent / "run" / "history.csv").open() as file:
        return list(csv.DictReader(file))


def _without_seconds(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    return [{column: value for column, value in row.items() if column != "seconds"} for row in rows]


def _weights(model: Model) -> list[np.ndarray]:
    return keras.models.load_model(f"{model.uri}/model.keras").get_weights()


def _metrics(model: Model) -> dict[str, Any]:
    return json.loads((Path(model.uri).parent / "run" / "metrics.json").read_text())


def test_every_form_of_the_model_gives_the_in_memory_probabilities(
    examples: Examples,
    features: Examples,
    transform_graph: TransformGraph,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exported: list[keras.Model] = []
    export = signatures.export

    def spy(classifier: keras.Model, *rest: Any) -> None:
        exported.append(classifier)
        export(classifier, *rest)

    monkeypatch.setattr(signatures, "export", spy)
    model = steps.train(features, transform_graph, tmp_path)
    test = steps.read(examples, "test")
    layer = tft.TFTransformOutput(transform_graph.uri).transform_features_layer()
    pictures = layer({"image": tf.constant(steps.images(test))})["picture"].numpy()
    in_memory = exported[0].predict(pictures, verbose=0)

    loaded = steps.serving(model)
    by_bytes = loaded.signatures["serving_default"](image_bytes=tf.constant(steps.images(test)))
    by_example = loaded.signatures["serve_examples"](examples=tf.constant(list(map(example_records.encode, test))))
    assert in_memory.std(axis=0).max() > 0.1, "the model tells pictures apart"
    np.testing.assert_allclose(by_bytes["probabilities"], in_memory, atol=1e-4)
    np.testing.assert_allclose(by_example["probabilities"], in_memory, atol=1e-4)
    np.testing.assert_allclose(_keras_probabilities(model, transform_graph, steps.images(test)), in_memory, atol=1e-4)


def test_the_signatures_name_the_class_and_its_score(examples: Examples, model: Model) -> None:
    found = steps.serving(model).signatures["serving_default"](
        image_bytes=tf.constant(steps.images(steps.read(examples, "test")))
    )
    probabilities = found["probabilities"].numpy()
    names, max_pixels = ModelAssets.read(f"{model.uri}/Format-Serving")
    assert (names, max_pixels) == (["apple", "berry", "cherry"], 10_000_000)
    assert [label.decode() for label in found["label"].numpy()] == [names[i] for i in probabilities.argmax(axis=1)]
    np.testing.assert_array_equal(found["score"], probabilities.max(axis=1))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("count", [0, 1, 31, 32, 33, 70])
def test_a_batch_of_any_size_gives_what_single_pictures_give(examples: Examples, model: Model, count: int) -> None:
    data = (steps.images(steps.read(examples, "train")) * 2)[:count]
    serve = steps.serving(model).signatures["serving_default"]
    together = serve(image_bytes=tf.constant(data, tf.string, [count]))["probabilities"].numpy()
    assert together.shape == (count, 3)
    for i in {0, count // 2, count - 1} & set(range(count)):
        np.testing.assert_allclose(
            together[i : i + 1], serve(image_bytes=tf.constant(data[i : i + 1]))["probabilities"], atol=1e-5
        )


def test_the_input_is_named_so_that_rest_clients_may_send_base64(model: Model) -> None:
    ((name, spec),) = steps.serving(model).signatures["serving_default"].structured_input_signature[1].items()
    assert name.endswith("_bytes")
    assert spec.dtype == tf.string
    assert spec.shape.as_list() == [None]


def test_the_history_has_a_row_an_epoch_and_the_best_epoch_is_kept(
    examples: Examples, model: Model, transform_graph: TransformGraph
) -> None:
    rows = _history(model)
    assert [int(row["stage"]) for row in rows] == sorted(int(row["stage"]) for row in rows)
    assert {row["stage"] for row in rows} == {"1", "2"}
    assert [row["epoch"] for row in rows if row["stage"] == "2"] == ["1", "2"]
    best = min(float(row["val_loss"]) for row in rows)
    assert _metrics(model)["eval"]["loss"] == pytest.approx(best, abs=1e-4)
    assert _metrics(model)["fine_tuning"] == "kept"
    assert (_metrics(model)["stage_1"], _metrics(model)["penalty"]) == ("converged", 1.0)
    evaluated = steps.read(examples, "eval")
    probabilities = _keras_probabilities(model, transform_graph, steps.images(evaluated))
    accuracy = (probabilities.argmax(axis=1) == steps.class_ids(evaluated)).mean()
    assert _metrics(model)["eval"]["accuracy"] == pytest.approx(accuracy, abs=1e-6)


def test_stage_2_changes_the_layers_it_should_and_no_other(model: Model) -> None:
    keras.utils.set_random_seed(0)
    before = backbones.build("VGG16", steps.IMAGE_SIZE)
    after = keras.models.load_model(f"{model.uri}/model.keras").get_layer("vgg16")
    changed = {
        layer.name
        for layer in before.layers
        if layer.weights and not np.array_equal(layer.get_weights()[0], after.get_layer(layer.name).get_weights()[0])
    }
    assert changed == {"block5_conv1", "block5_conv2", "block5_conv3"}


@pytest.mark.slow
def test_a_backbone_joined_by_plain_sums_and_products_goes_the_whole_way(
    examples: Examples, transform_graph: TransformGraph, tmp_path: Path
) -> None:
    name = "MobileNetV3Small"  # scales pictures itself, and has layers that Keras names anew in each process
    extracted = steps.extract(examples, transform_graph, tmp_path / "features", backbone=name)
    model = steps.train(extracted, transform_graph, tmp_path, fine_tune_epochs=1)
    assert _metrics(model)["fine_tuning"] == "kept"

    test = steps.images(steps.read(examples, "test"))[:5]
    found = _keras_probabilities(model, transform_graph, test)
    answer = sessions.ask(f"{model.uri}/Format-Serving", "serving_default", test)
    np.testing.assert_allclose(answer["probabilities"], found, atol=1e-5)

    keras.utils.set_random_seed(0)
    before = backbones.build(name, steps.IMAGE_SIZE)
    after = keras.models.load_model(f"{model.uri}/model.keras").get_layer(name)
    changed = [
        any(not np.array_equal(*pair) for pair in zip(one.get_weights(), other.get_weights(), strict=True))
        for one, other in zip(before.layers, after.layers, strict=True)
    ]
    trained = [
        position >= BACKBONES[name].fine_tune_at and not isinstance(layer, keras.layers.BatchNormalization)
        for position, layer in enumerate(before.layers)
    ]
    assert changed == [
        is_trained and bool(layer.weights) for is_trained, layer in zip(trained, before.layers, strict=True)
    ]


@pytest.mark.parametrize(("rate", "stages"), [(0.5, []), (3e38, [2])])
def test_a_worse_stage_2_is_undone_and_one_without_a_finite_loss_is_known(
    features: Examples, transform_graph: TransformGraph, tmp_path: Path, rate: float, stages: list[int]
) -> None:
    model = steps.train(features, transform_graph, tmp_path, fine_tune_learning_rate=rate)
    rows = _history(model)
    best = {stage: min(float(row["val_loss"]) for row in rows if row["stage"] == stage) for stage in "12"}
    assert not best["2"] <= best["1"]
    assert diverged(rows) == stages
    assert _metrics(model)["eval"]["loss"] == pytest.approx(best["1"], abs=1e-4)
    assert _metrics(model)["fine_tuning"] == "undone"


def test_without_fine_tuning_only_the_head_is_trained(
    examples: Examples, transform_graph: TransformGraph, tmp_path: Path
) -> None:
    features = steps.extract(examples, transform_graph, tmp_path / "features", fine_tune=False)
    model = steps.train(features, transform_graph, tmp_path, fine_tune=False)
    assert {row["stage"] for row in _history(model)} == {"1"}
    assert _metrics(model)["eval"]["accuracy"] > 0.9


def test_the_same_seed_gives_the_same_model_and_another_seed_another(
    features: Examples, transform_graph: TransformGraph, model: Model, tmp_path: Path
) -> None:
    again = steps.train(features, transform_graph, tmp_path / "again")
    assert all(np.array_equal(a, b) for a, b in zip(_weights(model), _weights(again), strict=True))
    assert _without_seconds(_history(model)) == _without_seconds(_history(again))


# Stage 1 by epochs, as the article trains it.
_EPOCHS = {"solver": "adam", "penalty": None, "epochs": 6, "learning_rate": 1e-2}


def test_another_seed_gives_another_model_of_the_same_features(
    examples: Examples, transform_graph: TransformGraph, tmp_path: Path
) -> None:
    path = str(tmp_path / "own.weights.h5")
    backbones.build("VGG16", steps.IMAGE_SIZE).save_weights(path)
    features = steps.extract(examples, transform_graph, tmp_path / "features", weights=path, fine_tune=False)
    changes = {**_EPOCHS, "weights": path, "fine_tune": False}
    one, other = (steps.train(features, transform_graph, tmp_path / str(seed), seed=seed, **changes) for seed in (0, 1))
    assert not np.array_equal(_weights(one)[-1], _weights(other)[-1])


def test_adam_trains_a_hidden_layer_on_request(
    features: Examples, transform_graph: TransformGraph, tmp_path: Path
) -> None:
    changes = {**_EPOCHS, "epochs": 1, "fine_tune": False}
    model = steps.train(features, transform_graph, tmp_path, **changes, hidden=8)
    assert [weights.shape for weights in _weights(model)[-4:]] == [(512, 8), (8,), (8, 3), (3,)]


def test_features_of_other_weights_are_refused(
    features: Examples, transform_graph: TransformGraph, tmp_path: Path
) -> None:
    path = tmp_path / "own.weights.h5"
    keras.utils.set_random_seed(5)
    backbones.build("VGG16", steps.IMAGE_SIZE).save_weights(path)
    with pytest.raises(UserError) as caught:
        steps.train(features, transform_graph, tmp_path / "trained", weights=str(path))
    assert re.fullmatch(
        r"backbone\.weights: Trainer loads file own\.weights\.h5 sha256 \w{12}, "
        r"the features were made with other weights \(random\); expected the same in both steps",
        str(caught.value),
    )


def test_features_of_another_boundary_are_refused(
    features: Examples, transform_graph: TransformGraph, tmp_path: Path
) -> None:
    other = steps.artifact(Examples, tmp_path / "other")
    shutil.copytree(features.uri, other.uri, dirs_exist_ok=True)
    dataclasses.replace(FeaturesInfo.read(features.uri), boundary=10).write(other.uri)
    other.split_names = features.split_names
    with pytest.raises(UserError, match="the features end at operation 10 of VGG16, Trainer goes on from 14"):
        steps.train(other, transform_graph, tmp_path / "trained")


def _batches_an_epoch(features: Examples) -> int:
    return math.ceil(FeaturesInfo.read(features.uri).pictures["train"] / 8)


def _progress_of_training(*training: Any, **changes: Any) -> tuple[Model, list[tuple[int, str]]]:
    told: list[tuple[int, str]] = []
    progress.listen(lambda done, total, unit: told.append((done, unit)))
    try:
        return steps.train(*training, **changes), told
    finally:
        progress.listen(None)


@pytest.mark.parametrize(
    ("stage", "epochs", "changes"),
    [
        (1, 3, _EPOCHS),
        (2, 0, _EPOCHS),
        (2, 1, {"schedule": "cosine"}),
        # Ends early after its first epoch gets no better: what is known of the best epoch counts.
        (1, 2, {**_EPOCHS, "learning_rate": 0.5, "early_stopping_patience": 2, "fine_tune": False}),
    ],
)
def test_training_goes_on_after_the_last_finished_epoch_as_if_nothing_had_happened(
    features: Examples,
    transform_graph: TransformGraph,
    tmp_path: Path,
    stage: int,
    epochs: int,
    changes: dict[str, Any],
) -> None:
    undisturbed = steps.train(features, transform_graph, tmp_path / "undisturbed", **changes)
    per_epoch = _batches_an_epoch(features)
    training = (features, transform_graph, tmp_path / "resumed")
    steps.train_until(stage, epochs * per_epoch + 2, *training, **changes)
    resumed, told = _progress_of_training(*training, **changes)

    in_stage = [done for done, unit in told if unit.endswith(str(stage))]
    assert in_stage[1] == epochs * per_epoch, "the finished epochs are there at once"
    if stage == 2:
        assert len([done for done, unit in told if unit.endswith("1")]) == 2, "the finished stage is not trained"
    assert _without_seconds(_history(resumed)) == _without_seconds(_history(undisturbed))
    assert _metrics(resumed) == _metrics(undisturbed)
    assert all(np.array_equal(a, b) for a, b in zip(_weights(resumed), _weights(undisturbed), strict=True))
    assert not list(tmp_path.rglob(".unfinished-*"))


def test_a_damaged_checkpoint_starts_its_stage_again(
    features: Examples, transform_graph: TransformGraph, tmp_path: Path, model: Model
) -> None:
    training = (features, transform_graph, tmp_path / "resumed")
    steps.train_until(2, _batches_an_epoch(features) + 2, *training)
    (checkpoint,) = tmp_path.rglob("stage_2.npz")
    checkpoint.write_bytes(checkpoint.read_bytes()[:-5000])
    resumed, told = _progress_of_training(*training)
    assert [done for done, unit in told if unit.endswith("2")][:3] == [0, 0, 1]
    assert all(np.array_equal(a, b) for a, b in zip(_weights(resumed), _weights(model), strict=True))


def test_another_setting_does_not_go_on_from_what_an_earlier_one_left(
    features: Examples, transform_graph: TransformGraph, tmp_path: Path
) -> None:
    changes = {**_EPOCHS, "fine_tune": False}
    steps.train_until(1, 20, features, transform_graph, tmp_path / "one", **changes)
    other, told = _progress_of_training(features, transform_graph, tmp_path / "one", **changes, dropout=0.2)
    assert [done for done, _ in told][:3] == [0, 0, 1]
    assert len(_history(other)) == 6


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_stage_2_in_another_precision_comes_to_nearly_the_same_model(
    examples: Examples,
    features: Examples,
    transform_graph: TransformGraph,
    tmp_path: Path,
    model: Model,
    precision: str,
) -> None:
    other = steps.train(features, transform_graph, tmp_path, precision=precision)
    changed = [np.abs(a - b).max() for a, b in zip(_weights(other), _weights(model), strict=True)]
    assert 0 < max(changed) < 2e-3
    classifier = keras.models.load_model(f"{other.uri}/model.keras")
    assert {layer.compute_dtype for layer in classifier.get_layer("vgg16").layers} == {"float32"}
    images = steps.images(steps.read(examples, "test"))
    served = steps.serving(other).signatures["serving_default"](image_bytes=tf.constant(images))["probabilities"]
    np.testing.assert_allclose(served, _keras_probabilities(other, transform_graph, images), atol=1e-5)


def test_class_weights_are_scikit_learns_balanced_ones() -> None:
    from sklearn.utils.class_weight import compute_class_weight

    class_ids = np.repeat([0, 1, 2], [5, 20, 100])
    expected = compute_class_weight("balanced", classes=np.arange(3), y=class_ids)
    assert run_fn._class_weights([5, 20, 100]) == pytest.approx(dict(enumerate(expected)))


def test_rare_classes_count_for_more_on_request(
    features: Examples, transform_graph: TransformGraph, tmp_path: Path
) -> None:
    settings = {**_EPOCHS, "fine_tune": False, "epochs": 1, "learning_rate": 1e-4}
    plain, weighted = (
        steps.train(features, transform_graph, tmp_path / str(flag), class_weights=flag, **settings)
        for flag in (False, True)
    )
    assert _history(plain)[0]["loss"] != _history(weighted)[0]["loss"]


def test_more_bottlenecks_than_fit_in_memory_are_trained_on_in_epochs(
    features: Examples, transform_graph: TransformGraph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bottlenecks = 4 * 512 * FeaturesInfo.read(features.uri).pictures["train"]
    monkeypatch.setattr(logistic_regression, "MAX_BYTES", bottlenecks - 1)
    model = steps.train(features, transform_graph, tmp_path, fine_tune=False)
    assert [row["epoch"] for row in _history(model)][:2] == ["1", "2"]
    assert _metrics(model)["stage_1"] == "epochs, as there were too many features"
    assert _metrics(model)["penalty"] is None


def test_a_cosine_schedule_rises_to_the_learning_rate_and_falls_to_0() -> None:
    rates = [float(fit.cosine(1e-3, 200)(step)) for step in range(201)]
    assert rates[0] == pytest.approx(1e-3 / 20)
    assert rates[20] == pytest.approx(1e-3)
    assert rates[110] == pytest.approx(1e-3 / 2)
    assert rates[200] == pytest.approx(0, abs=1e-9)
    assert rates[:21] == sorted(rates[:21])
    assert rates[20:] == sorted(rates[20:], reverse=True)
    assert float(fit.cosine(1e-3, 1)(0)) == pytest.approx(1e-3), "a single step"


def test_a_loss_is_lower_if_it_fell_by_more_than_its_standard_error() -> None:
    before, fall = np.array([0.1, 0.5, 2.0, 0.2]), np.array([0.3, -0.1, 0.5, 0.1])
    error = fall.std(ddof=1) / 2
    assert fit.is_lower(before - fall, before)
    assert not fit.is_lower(before - fall + fall.mean() - 0.99 * error, before)
    assert fit.is_lower(before - fall + fall.mean() - 1.01 * error, before)
    assert not fit.is_lower(before, before)
    assert not fit.is_lower(np.full(4, np.nan), before), "a stage whose weights became NaN"
    assert fit.is_lower(np.array([0.1]), np.array([0.2])), "a single picture"


def test_tensorboard_logs_are_left_for_stages_with_epochs(
    model: Model, features: Examples, transform_graph: TransformGraph, tmp_path: Path
) -> None:
    run = Path(model.uri).parent / "run"
    assert not (run / "stage_1").exists()
    assert list((run / "stage_2").rglob("events.*"))
    steps.train(features, transform_graph, tmp_path, **_EPOCHS, fine_tune=False)
    assert list((tmp_path / "run" / "stage_1").rglob("events.*"))
