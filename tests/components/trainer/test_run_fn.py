"""What training leaves: one model in three forms that agree, a history, and the same again from the same seed."""

import csv
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import steps
import tensorflow as tf
import tensorflow_transform as tft
from tfx.types.standard_artifacts import Examples, Model, TransformGraph

from components import backbones, labels
from components.trainer import run_fn, serving


def _keras_probabilities(model: Model, graph: TransformGraph, data: list[bytes]) -> np.ndarray:
    layer = tft.TFTransformOutput(graph.uri).transform_features_layer()
    classifier = keras.models.load_model(f"{model.uri}/model.keras")
    return classifier.predict(layer({"image": tf.constant(data)})["picture"].numpy(), verbose=0)


def _history(model: Model) -> list[dict[str, str]]:
    with (Path(model.uri).parent / "run" / "history.csv").open() as file:
        return list(csv.DictReader(file))


def _metrics(model: Model) -> dict[str, dict[str, float]]:
    return json.loads((Path(model.uri).parent / "run" / "metrics.json").read_text())


def test_every_form_of_the_model_gives_the_in_memory_probabilities(
    examples: Examples,
    features: Examples,
    transform_graph: TransformGraph,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exported: list[keras.Model] = []
    export = serving.export

    def spy(classifier: keras.Model, *rest: Any) -> None:
        exported.append(classifier)
        export(classifier, *rest)

    monkeypatch.setattr(serving, "export", spy)
    model = steps.train(features, transform_graph, tmp_path)
    test = steps.read(examples, "test")
    layer = tft.TFTransformOutput(transform_graph.uri).transform_features_layer()
    pictures = layer({"image": tf.constant(steps.images(test))})["picture"].numpy()
    in_memory = exported[0].predict(pictures, verbose=0)

    loaded = steps.serving(model)
    by_bytes = loaded.signatures["serving_default"](image_bytes=tf.constant(steps.images(test)))
    by_example = loaded.signatures["serve_examples"](examples=tf.constant([one.SerializeToString() for one in test]))
    assert in_memory.std(axis=0).max() > 0.1, "the model tells pictures apart"
    np.testing.assert_allclose(by_bytes["probabilities"], in_memory, atol=1e-4)
    np.testing.assert_allclose(by_example["probabilities"], in_memory, atol=1e-4)
    np.testing.assert_allclose(_keras_probabilities(model, transform_graph, steps.images(test)), in_memory, atol=1e-4)


def test_the_signatures_name_the_class_and_its_score(examples: Examples, model: Model) -> None:
    found = steps.serving(model).signatures["serving_default"](
        image_bytes=tf.constant(steps.images(steps.read(examples, "test")))
    )
    probabilities = found["probabilities"].numpy()
    names = labels.read_labels(f"{model.uri}/Format-Serving/assets.extra")
    assert names == ["apple", "berry", "cherry"]
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


def test_a_worse_stage_2_is_undone(features: Examples, transform_graph: TransformGraph, tmp_path: Path) -> None:
    model = steps.train(features, transform_graph, tmp_path, fine_tune_learning_rate=0.5)
    rows = _history(model)
    best = {stage: min(float(row["val_loss"]) for row in rows if row["stage"] == stage) for stage in "12"}
    assert best["2"] > best["1"]
    assert _metrics(model)["eval"]["loss"] == pytest.approx(best["1"], abs=1e-4)


def test_without_fine_tuning_only_the_head_is_trained(
    examples: Examples, transform_graph: TransformGraph, tmp_path: Path
) -> None:
    features = steps.extract(examples, transform_graph, tmp_path / "features", fine_tune=0)
    model = steps.train(features, transform_graph, tmp_path, fine_tune=False)
    assert {row["stage"] for row in _history(model)} == {"1"}
    assert _metrics(model)["eval"]["accuracy"] > 0.9


def test_the_same_seed_gives_the_same_model_and_another_seed_another(
    features: Examples, transform_graph: TransformGraph, model: Model, tmp_path: Path
) -> None:
    def weights(one: Model) -> list[np.ndarray]:
        return keras.models.load_model(f"{one.uri}/model.keras").get_weights()

    again = steps.train(features, transform_graph, tmp_path / "again")
    assert all(np.array_equal(a, b) for a, b in zip(weights(model), weights(again), strict=True))
    drop = ("seconds",)
    assert [{k: v for k, v in row.items() if k not in drop} for row in _history(model)] == [
        {k: v for k, v in row.items() if k not in drop} for row in _history(again)
    ]
    other = steps.train(features, transform_graph, tmp_path / "other", seed=1, fine_tune=False)
    assert not np.array_equal(weights(model)[-1], weights(other)[-1])


def test_class_weights_are_scikit_learns_balanced_ones() -> None:
    from sklearn.utils.class_weight import compute_class_weight

    class_ids = np.repeat([0, 1, 2], [5, 20, 100])
    expected = compute_class_weight("balanced", classes=np.arange(3), y=class_ids)
    assert run_fn._class_weights([5, 20, 100]) == pytest.approx(dict(enumerate(expected)))


def test_rare_classes_count_for_more_on_request(
    features: Examples, transform_graph: TransformGraph, tmp_path: Path
) -> None:
    settings = {"fine_tune": False, "epochs": 1, "learning_rate": 1e-4}
    plain, weighted = (
        steps.train(features, transform_graph, tmp_path / str(flag), class_weights=flag, **settings)
        for flag in (False, True)
    )
    assert _history(plain)[0]["loss"] != _history(weighted)[0]["loss"]


def test_tensorboard_logs_are_left_for_both_stages(model: Model) -> None:
    run = Path(model.uri).parent / "run"
    assert list((run / "stage_1").rglob("events.*"))
    assert list((run / "stage_2").rglob("events.*"))
