"""What is stored is what the backbone computes on the pictures that serving would see."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import steps
import tensorflow as tf
import tensorflow_transform as tft
from tfx.types.standard_artifacts import Examples, TransformGraph

from common import example_records, labels, progress
from common.errors import UserError
from components.feature_extractor import extractor
from components.feature_extractor.augmentation import Augmentation
from components.feature_extractor.decoding import Shard
from components.feature_extractor.layers import Settings
from modeling import backbones, engines, precision
from modeling import features as feature_files
from modeling.engines import NCNN, Engine
from modeling.features import ACTIVATIONS, BOTTLENECKS, FeaturesInfo


def _stored(features: Examples, split: str, family: str, view: int = 0) -> tuple[np.ndarray, np.ndarray]:
    files = feature_files.files(features.uri, split, family, view)
    shape = FeaturesInfo.read(features.uri).shapes[family]
    dataset = tf.data.TFRecordDataset(files).batch(1000)
    ((values, class_ids),) = [feature_files.decode(family, batch, shape) for batch in dataset]
    return values.numpy(), class_ids.numpy()


def _pictures(examples: Examples, graph: TransformGraph, split: str) -> np.ndarray:
    layer = tft.TFTransformOutput(graph.uri).transform_features_layer()
    return layer({"image": tf.constant(steps.images(steps.read(examples, split)))})["picture"].numpy()


@pytest.mark.parametrize("split", ["train", "eval"])
def test_both_families_are_the_backbones_outputs(
    examples: Examples, transform_graph: TransformGraph, features: Examples, split: str
) -> None:
    keras.utils.set_random_seed(0)  # the same random weights as the step's
    backbone = backbones.build("VGG16", steps.IMAGE_SIZE)
    cut = backbones.cut(backbone, "VGG16", 15)
    assert cut.suffix is not None
    activations = cut.prefix.predict(_pictures(examples, transform_graph, split), verbose=0)
    maps = cut.suffix.predict(activations, verbose=0)

    stored, class_ids = _stored(features, split, ACTIVATIONS)
    np.testing.assert_allclose(stored, activations, rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(class_ids, steps.class_ids(steps.read(examples, split)))
    bottlenecks, class_ids = _stored(features, split, BOTTLENECKS)
    np.testing.assert_allclose(bottlenecks, maps.mean(axis=(1, 2)), rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(class_ids, steps.class_ids(steps.read(examples, split)))


def test_it_says_what_the_features_are(examples: Examples, features: Examples) -> None:
    assert FeaturesInfo.read(features.uri) == FeaturesInfo(
        backbone="VGG16",
        image_size=32,
        fine_tune_index=15,
        boundary=14,
        shapes={BOTTLENECKS: [512], ACTIVATIONS: [2, 2, 512]},
        views=1,
        pictures={split: len(steps.read(examples, split)) for split in ("train", "eval")},
        precision="float32",
        weights="random",
        weights_sha256=FeaturesInfo.read(features.uri).weights_sha256,
        identity=FeaturesInfo.read(features.uri).identity,
        engine="ncnn",
    )
    assert labels.read_labels(features.uri) == ["apple", "berry", "cherry"]


def test_views_differ_and_come_out_the_same_again(
    examples: Examples, transform_graph: TransformGraph, features: Examples, tmp_path: Path
) -> None:
    first = steps.extract(examples, transform_graph, tmp_path / "first", augmentation_views=2, batch_size=5)
    second = steps.extract(examples, transform_graph, tmp_path / "second", augmentation_views=2, batch_size=8)
    views = [_stored(first, "train", BOTTLENECKS, view)[0] for view in (0, 1)]
    clean = _stored(features, "train", BOTTLENECKS)[0]
    assert not np.allclose(views[0], views[1], rtol=1e-3)
    assert not np.allclose(views[0], clean, rtol=1e-3)
    for view in (0, 1):
        again = _stored(second, "train", BOTTLENECKS, view)[0]
        np.testing.assert_allclose(views[view], again, rtol=1e-4, atol=1e-5)
    # Validation sees the pictures as they are.
    np.testing.assert_allclose(
        _stored(first, "eval", BOTTLENECKS)[0], _stored(features, "eval", BOTTLENECKS)[0], rtol=1e-4, atol=1e-5
    )
    assert not feature_files.files(first.uri, "eval", BOTTLENECKS, 1)


def test_without_fine_tuning_only_bottlenecks_are_stored(
    examples: Examples, transform_graph: TransformGraph, features: Examples, tmp_path: Path
) -> None:
    alone = steps.extract(examples, transform_graph, tmp_path, fine_tune=False)
    assert list(FeaturesInfo.read(alone.uri).shapes) == [BOTTLENECKS]
    assert not feature_files.files(alone.uri, "train", ACTIVATIONS, 0)
    np.testing.assert_allclose(
        _stored(alone, "train", BOTTLENECKS)[0], _stored(features, "train", BOTTLENECKS)[0], rtol=1e-3, atol=1e-4
    )


def test_bfloat16_is_close_to_float32(
    examples: Examples, transform_graph: TransformGraph, features: Examples, tmp_path: Path
) -> None:
    fast = steps.extract(examples, transform_graph, tmp_path, precision="bfloat16")
    assert FeaturesInfo.read(fast.uri).precision == "bfloat16"
    found, exact = (_stored(one, "train", BOTTLENECKS)[0] for one in (fast, features))
    assert not np.array_equal(found, exact)
    assert np.abs(found - exact).mean() < 0.02 * np.abs(exact).mean()


def test_weights_from_a_file_are_used_and_those_of_another_backbone_are_bad_input(
    examples: Examples, transform_graph: TransformGraph, features: Examples, tmp_path: Path
) -> None:
    keras.utils.set_random_seed(5)
    path = tmp_path / "own.weights.h5"
    backbones.build("VGG16", steps.IMAGE_SIZE).save_weights(path)
    own = steps.extract(examples, transform_graph, tmp_path / "own", weights=str(path), fine_tune=False)
    found, random = (_stored(one, "train", BOTTLENECKS)[0] for one in (own, features))
    assert not np.allclose(found, random, rtol=1e-2)
    with pytest.raises(UserError, match=r"own\.weights\.h5"):
        steps.extract(examples, transform_graph, tmp_path / "other", weights=str(path), backbone="VGG19")


def _extract_until_killed(features: Examples, *extraction: Any, **changes: Any) -> None:
    """Extracts until the training split is done, as `features` has it, and the next one begun."""
    trained = FeaturesInfo.read(features.uri).pictures["train"]

    def kill(done: int, total: int, unit: str) -> None:
        if done > trained:
            raise RuntimeError("killed in the second split")

    progress.listen(kill)
    try:
        with pytest.raises(RuntimeError, match="killed"):
            steps.extract(*extraction, **changes)
    finally:
        progress.listen(None)


def test_a_second_attempt_goes_on_from_the_shards_of_a_killed_one(
    examples: Examples,
    transform_graph: TransformGraph,
    features: Examples,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pictures = FeaturesInfo.read(features.uri).pictures
    _extract_until_killed(features, examples, transform_graph, tmp_path / "1")
    anew: list[int] = []
    with monkeypatch.context() as another_machine:
        another_machine.setattr(engines, "_has_ncnn", lambda: False)
        progress.listen(lambda done, total, unit: anew.append(done))
        other = steps.extract(examples, transform_graph, tmp_path / "other")
        progress.listen(None)
    assert anew[1] == 8, "what one engine began, another does not go on with"
    assert FeaturesInfo.read(other.uri).engine == "tensorflow"
    for family, tolerance in ((BOTTLENECKS, 1e-5), (ACTIVATIONS, 1e-3)):
        found, expected = (_stored(one, "train", family)[0] for one in (other, features))
        assert np.abs(found - expected).max() < tolerance * np.abs(expected).max(), "the engines agree"
    told: list[int] = []
    try:
        progress.listen(lambda done, total, unit: told.append(done))
        second = steps.extract(examples, transform_graph, tmp_path / "2")
    finally:
        progress.listen(None)
    assert told[:2] == [0, pictures["train"]], "the first shard is there at once"
    assert told[-1] == sum(pictures.values())
    for split in ("train", "eval"):
        for family in (BOTTLENECKS, ACTIVATIONS):
            np.testing.assert_array_equal(_stored(second, split, family)[0], _stored(features, split, family)[0])
    assert not list(tmp_path.rglob(".unfinished-*"))


def test_features_are_of_one_precision_where_another_machine_finishes_a_killed_attempt(
    examples: Examples,
    transform_graph: TransformGraph,
    features: Examples,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    every_machine, none = {"fpu"}, {"no such instruction"}
    monkeypatch.setattr(precision, "_CPU_FLAGS", every_machine)
    _extract_until_killed(features, examples, transform_graph, tmp_path / "1", precision="auto")
    monkeypatch.setattr(precision, "_CPU_FLAGS", none)
    second = steps.extract(examples, transform_graph, tmp_path / "2", precision="auto")
    assert Engine(FeaturesInfo.read(second.uri).engine, FeaturesInfo.read(second.uri).precision) == ("ncnn", "float32")
    for split in ("train", "eval"):
        np.testing.assert_array_equal(_stored(second, split, BOTTLENECKS)[0], _stored(features, split, BOTTLENECKS)[0])


def test_features_are_of_the_same_weights_where_those_change_under_a_killed_attempt(
    examples: Examples, transform_graph: TransformGraph, features: Examples, tmp_path: Path
) -> None:
    path = tmp_path / "own.weights.h5"

    def write_weights(seed: int) -> None:
        keras.utils.set_random_seed(seed)
        backbones.build("VGG16", steps.IMAGE_SIZE).save_weights(path)

    write_weights(5)
    _extract_until_killed(features, examples, transform_graph, tmp_path / "1", weights=str(path))
    write_weights(0)
    second = steps.extract(examples, transform_graph, tmp_path / "2", weights=str(path))
    np.testing.assert_array_equal(_stored(second, "train", BOTTLENECKS)[0], _stored(features, "train", BOTTLENECKS)[0])


def test_a_worker_with_other_weights_stops(
    examples: Examples, transform_graph: TransformGraph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "own.weights.h5"
    keras.utils.set_random_seed(5)
    backbones.build("VGG16", steps.IMAGE_SIZE).save_weights(path)
    start = progress.start

    def start_after_an_edit(total: int, unit: str) -> None:
        """The step has read the weights at this point, its workers have not."""
        backbones.build("VGG16", steps.IMAGE_SIZE).save_weights(path)
        start(total, unit)

    monkeypatch.setattr(progress, "start", start_after_an_edit)
    with pytest.raises(Exception, match=r"backbone\.weights: a worker loads other weights \(file own\.weights\.h5"):
        steps.extract(examples, transform_graph, tmp_path / "features", weights=str(path), fine_tune=False)


@pytest.fixture(scope="module")
def extractors(transform_graph: TransformGraph) -> list[extractor.Extractor]:
    """Those of workers that start side by side."""
    settings = Settings(
        transform_graph=transform_graph.uri,
        backbone="VGG16",
        weights="random",
        image_size=steps.IMAGE_SIZE,
        fine_tune=True,
        fine_tune_at=None,
        augmentation=Augmentation(flip=False, rotation=0.0, zoom=0.0),
        engine=Engine(NCNN, "float32"),
        batch_size=8,
        seed=0,
    )
    with ThreadPoolExecutor(4) as threads:
        return list(threads.map(lambda _: extractor.Extractor(settings), range(4)))


def test_workers_that_start_side_by_side_get_the_same_random_weights(extractors: list[extractor.Extractor]) -> None:
    assert len({one.weights_sha256 for one in extractors}) == 1


def _shards(examples: Examples, folder: Path, *output_dirs: str) -> list[Shard]:
    """The shard of the training split once for each output folder."""
    (file,) = example_records.shards(examples.uri, "train")
    folders = [folder / name for name in output_dirs]
    return [Shard(file, str(output), number, len(folders), 0) for number, output in enumerate(folders)]


def test_shards_that_are_read_in_one_go_have_their_own_pictures_each(
    examples: Examples, features: Examples, extractors: list[extractor.Extractor], tmp_path: Path
) -> None:
    extractors[0].extract(_shards(examples, tmp_path, "", "", ""))
    for family in (BOTTLENECKS, ACTIVATIONS):
        (expected,) = feature_files.files(features.uri, "train", family, 0)
        found = sorted(tmp_path.glob(f"{family}-*-of-00003.view-00.tfrecord"))
        assert [path.read_bytes() for path in found] == [Path(expected).read_bytes()] * 3


def test_a_file_that_cannot_be_written_ends_the_step_and_only_complete_files_have_their_names(
    examples: Examples, extractors: list[extractor.Extractor], tmp_path: Path
) -> None:
    with pytest.raises(tf.errors.NotFoundError, match="missing"):
        extractors[0].extract(_shards(examples, tmp_path, "", "missing", ""))
    names = [path.name for path in tmp_path.iterdir()]
    assert {name.split("-of-")[0] for name in names} == {"bottlenecks-00000", "activations-00000"}


def test_no_unfinished_file_is_left(features: Examples) -> None:
    names = [path.name for path in Path(features.uri).rglob("*") if path.is_file()]
    assert len([name for name in names if name.endswith(".tfrecord")]) == 4
    assert not [name for name in names if "partial" in name]


def test_a_stored_picture_that_cannot_be_decoded_ends_the_step(
    examples: Examples, transform_graph: TransformGraph, tmp_path: Path
) -> None:
    damaged, name = steps.damage(examples, "train", tmp_path / "examples")
    with pytest.raises(UserError, match=f"^the stored picture of '{name}' cannot be used: truncated or damaged"):
        steps.extract(damaged, transform_graph, tmp_path / "features")
