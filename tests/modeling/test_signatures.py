"""The SavedModel answers through a session, as in TensorFlow Serving, as it does through TensorFlow 2's own loader."""

import struct
from pathlib import Path

import keras
import numpy as np
import pytest
import sessions
import steps
import tensorflow as tf
import tensorflow_transform as tft
from pictures import encode, png
from tensorflow.core.protobuf import saved_model_pb2
from tfx.types.standard_artifacts import Examples, Model, TransformGraph

from common import example_records
from components.trainer import run_fn
from modeling import backbones, signatures
from modeling import head as classifier_model
from modeling.model_assets import ModelAssets

LABELS = ["apple", "berry", "cherry", "plum"]


def _assert_loaders_agree(folder: str | Path, signature: str, values: list[bytes]) -> None:
    expected = tf.saved_model.load(str(folder)).signatures[signature](tf.constant(values, tf.string, [len(values)]))
    answer = sessions.ask(folder, signature, values)
    assert answer.keys() == expected.keys() == {"probabilities", "label", "score", "error"}
    for name in ("probabilities", "score"):
        np.testing.assert_allclose(answer[name], expected[name], atol=1e-5)
    for name in ("label", "error"):
        assert answer[name].tolist() == expected[name].numpy().tolist()


def _bomb() -> bytes:
    """A PNG whose header claims more pixels than a test's model takes; it has none."""
    return png(8, 2, np.zeros((0, 0, 3), np.uint8)).replace(bytes(8), struct.pack(">II", 4000, 4000), 1)


@pytest.mark.parametrize("count", [0, 1, 31, 32, 33, 100])
@pytest.mark.parametrize("signature", ["serving_default", signatures.SERVE_EXAMPLES])
def test_a_session_answers_as_the_object_loader_does(
    examples: Examples, model: Model, signature: str, count: int
) -> None:
    chosen = (steps.read(examples, "train") * 2)[:count]
    is_bytes = signature == "serving_default"
    values = steps.images(chosen) if is_bytes else list(map(example_records.encode, chosen))
    _assert_loaders_agree(f"{model.uri}/Format-Serving", signature, values)


def test_one_chunk_is_computed_at_a_time(model: Model) -> None:
    # By default ten passes through a loop run at once, on as many processors and with the memory of ten chunks.
    saved = saved_model_pb2.SavedModel.FromString(Path(model.uri, "Format-Serving", "saved_model.pb").read_bytes())
    functions = saved.meta_graphs[0].graph_def.library.function
    chunks = [function for function in functions if "serve_pictures" in function.signature.name]
    loops = [node for function in chunks for node in function.node_def if node.op == "While"]
    assert {loop.attr["parallel_iterations"].i for loop in loops} == {1}


@pytest.mark.parametrize("signature", ["serving_default", signatures.SERVE_EXAMPLES])
def test_a_picture_that_cannot_be_used_gets_an_error_and_the_others_their_answers(
    examples: Examples, model: Model, signature: str
) -> None:
    read = steps.read(examples, "test")
    broken = [b"", b"no picture", read[0].image[:60], encode(np.zeros((4, 4, 3), np.uint8), "BMP"), _bomb()]
    mixed = [read[0]._replace(image=image) for image in broken] * 8
    mixed[20:20] = read[:5]
    values = steps.images(mixed) if signature == "serving_default" else list(map(example_records.encode, mixed))
    folder = f"{model.uri}/Format-Serving"
    _assert_loaders_agree(folder, signature, values)
    answer = sessions.ask(folder, signature, values)
    other, damaged, large = b"neither JPEG nor PNG", b"truncated or damaged", b"more than 10000000 pixels"
    reasons = [other, other, damaged, other, large]
    assert answer["error"].tolist() == reasons * 4 + [b""] * 5 + reasons * 4
    failed = answer["error"] != b""
    assert set(answer["label"][failed]) == {b""}
    assert answer["score"][failed].max() == answer["probabilities"][failed].max() == 0
    alone = sessions.ask(folder, "serving_default", steps.images(read[:5]))
    np.testing.assert_allclose(answer["probabilities"][~failed], alone["probabilities"], atol=1e-5)
    assert answer["label"][~failed].tolist() == alone["label"].tolist()


@pytest.mark.parametrize("backbone_name", ["MobileNetV2", "EfficientNetB0"])
def test_batch_normalization_and_an_optimizer_answer_through_a_session(
    examples: Examples, transform_graph: TransformGraph, tmp_path: Path, backbone_name: str
) -> None:
    keras.utils.set_random_seed(0)
    backbone = backbones.build(backbone_name, steps.IMAGE_SIZE)
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_mean.assign(keras.random.normal(layer.moving_mean.shape, stddev=0.1))
    head = classifier_model.build_head(backbone.output.shape[-1], len(LABELS), 0.1)
    classifier = run_fn._classifier(backbone, backbone_name, head)
    classifier.compile(keras.optimizers.Adam(), loss="sparse_categorical_crossentropy")
    classifier.optimizer.build(classifier.trainable_variables)

    signatures.export(classifier, transform_graph.uri, ModelAssets(LABELS, 10_000), str(tmp_path))
    pictures = steps.images(steps.read(examples, "test"))[:5]
    _assert_loaders_agree(tmp_path, "serving_default", pictures)
    layer = tft.TFTransformOutput(transform_graph.uri).transform_features_layer()
    in_memory = classifier.predict(layer({"image": tf.constant(pictures)})["picture"], verbose=0)
    answer = sessions.ask(tmp_path, "serving_default", pictures)["probabilities"]
    np.testing.assert_allclose(answer, in_memory, atol=1e-5)
    stored = sum(file.stat().st_size for file in (tmp_path / "variables").iterdir())
    assert stored < 1.05 * 4 * classifier.count_params(), "the optimizer's variables have no place in it"


def test_a_version_holds_the_weights_and_nothing_else_that_is_large(model: Model) -> None:
    weights = keras.models.load_model(f"{model.uri}/model.keras").count_params() * 4
    stored = sum(file.stat().st_size for file in Path(model.uri, "Format-Serving", "variables").iterdir())
    assert weights <= stored < 1.01 * weights
