"""TFMA's numbers are scikit-learn's, and the gate does what its thresholds say."""

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import steps
import tensorflow as tf
import tensorflow_model_analysis as tfma
from pictures import encode, make_pixels, write_classes
from sklearn import metrics
from tfx.types.standard_artifacts import Examples, Model, ModelBlessing, ModelEvaluation, TransformGraph

from common import example_records, labels
from common.errors import UserError
from components.evaluator import inference
from modeling import evaluations, served
from modeling.probabilities import are_of
from modeling.probabilities import read as read_predictions

NAMES = ["apple", "berry", "cherry"]


@pytest.fixture(scope="module")
def poor_model(features: Examples, transform_graph: TransformGraph, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Trained so little that it is wrong often."""
    directory = tmp_path_factory.mktemp("poor")
    return steps.train(
        features, transform_graph, directory, solver="adam", epochs=1, learning_rate=1e-4, fine_tune=False
    )


@pytest.fixture(scope="module")
def poor(
    examples: Examples, poor_model: Model, tmp_path_factory: pytest.TempPathFactory
) -> tuple[ModelEvaluation, ModelBlessing]:
    return steps.evaluate(examples, poor_model, tmp_path_factory.mktemp("evaluated"), min_accuracy=0.99)


def _is_blessed(blessing: ModelBlessing) -> bool:
    return blessing.get_int_custom_property("blessed") == 1


def _truth(examples: Examples, model: Model) -> tuple[np.ndarray, np.ndarray]:
    test = steps.read(examples, "test")
    serve = steps.serving(model).signatures["serving_default"]
    return steps.class_ids(test), serve(image_bytes=tf.constant(steps.images(test)))["probabilities"].numpy()


def _accuracy(examples: Examples, model: Model) -> float:
    truth, probabilities = _truth(examples, model)
    return float((probabilities.argmax(axis=1) == truth).mean())


def test_overall_metrics_equal_scikit_learns(
    examples: Examples, poor_model: Model, poor: tuple[ModelEvaluation, ModelBlessing]
) -> None:
    truth, probabilities = _truth(examples, poor_model)
    predicted = probabilities.argmax(axis=1)
    assert 0 < (predicted == truth).mean() < 1, "numbers of a perfect model would hide mistakes"
    found = evaluations.overall_metrics(poor[0].uri)
    assert found["example_count"] == len(truth)
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(truth, predicted), abs=1e-6)
    assert found["loss"] == pytest.approx(metrics.log_loss(truth, probabilities, labels=[0, 1, 2]), abs=1e-5)


def test_metrics_of_a_class_equal_scikit_learns(
    examples: Examples, poor_model: Model, poor: tuple[ModelEvaluation, ModelBlessing]
) -> None:
    truth, probabilities = _truth(examples, poor_model)
    predicted = probabilities.argmax(axis=1)
    precision, recall, _, _ = metrics.precision_recall_fscore_support(
        truth, predicted, labels=[0, 1, 2], zero_division=0
    )
    result = tfma.load_eval_result(poor[0].uri)
    for class_id in range(3):
        found = result.get_metrics_for_slice(class_id=class_id)
        assert np.nan_to_num(float(found["precision"]["doubleValue"])) == pytest.approx(precision[class_id], abs=1e-6)
        assert found["recall"]["doubleValue"] == pytest.approx(recall[class_id], abs=1e-6)
        expected = metrics.roc_auc_score(truth == class_id, probabilities[:, class_id])
        # TFMA counts at 10,000 thresholds: of two pictures between the same two, neither is before the other.
        pair = 1 / ((truth == class_id).sum() * (truth != class_id).sum())
        assert found["auc"]["doubleValue"] == pytest.approx(expected, abs=pair)


def test_the_confusion_matrix_equals_scikit_learns(
    examples: Examples, poor_model: Model, poor: tuple[ModelEvaluation, ModelBlessing]
) -> None:
    truth, probabilities = _truth(examples, poor_model)
    expected = metrics.confusion_matrix(truth, probabilities.argmax(axis=1), labels=[0, 1, 2])
    np.testing.assert_array_equal(evaluations.confusion_matrix(poor[0].uri, len(NAMES)), expected)


def test_slices_by_class_equal_scikit_learns(
    examples: Examples, poor_model: Model, poor: tuple[ModelEvaluation, ModelBlessing]
) -> None:
    truth, probabilities = _truth(examples, poor_model)
    result = tfma.load_eval_result(poor[0].uri)
    for class_id, name in enumerate(NAMES):
        chosen = truth == class_id
        found = result.get_metrics_for_slice((("class_name", name),))
        assert found["example_count"]["doubleValue"] == chosen.sum()
        predicted = probabilities[chosen].argmax(axis=1)
        assert found["accuracy"]["doubleValue"] == pytest.approx((predicted == class_id).mean(), abs=1e-6)
        # Numbers of each class in each class's slice would be as many as classes squared.
        (by_class,) = (values[""] for where, values in result.slicing_metrics if where == (("class_name", name),))
        measured = {key: set(values) for key, values in by_class.items() if key}
        assert measured == {f"classId:{other}": {"precision", "recall"} for other in {class_id, *predicted.tolist()}}


def test_a_model_below_the_floor_is_refused_and_the_check_says_by_how_much(
    examples: Examples, poor_model: Model, poor: tuple[ModelEvaluation, ModelBlessing]
) -> None:
    assert not _is_blessed(poor[1])
    check, _ = evaluations.checks(poor[0].uri)
    value = pytest.approx(_accuracy(examples, poor_model), abs=1e-6)
    assert tuple(check) == ("accuracy", "overall", value, 0.99, False, "")


def test_a_model_exactly_at_the_floor_passes(examples: Examples, poor_model: Model, tmp_path: Path) -> None:
    floor = _accuracy(examples, poor_model)
    evaluation, blessing = steps.evaluate(examples, poor_model, tmp_path, min_accuracy=floor)
    assert _is_blessed(blessing)
    assert evaluations.checks(evaluation.uri)[0].passed


def test_a_floor_for_a_class_counts_that_class_alone(examples: Examples, poor_model: Model, tmp_path: Path) -> None:
    truth, probabilities = _truth(examples, poor_model)
    recalls = {name: (probabilities[truth == i].argmax(axis=1) == i).mean() for i, name in enumerate(NAMES)}
    worst, best = min(recalls, key=recalls.__getitem__), max(recalls, key=recalls.__getitem__)
    assert recalls[worst] < recalls[best]
    slices = {worst: float(recalls[worst]) + 0.01, best: float(recalls[best])}
    evaluation, blessing = steps.evaluate(examples, poor_model, tmp_path, min_accuracy=0.0, slices=slices)
    assert not _is_blessed(blessing)
    floors = [check for check in evaluations.checks(evaluation.uri) if check.metric == "accuracy"]
    assert {check.slice: check.passed for check in floors} == {
        "overall": True,
        worst: False,
        best: True,
    }


def test_the_classes_mean_and_the_worst_one_have_floors_of_their_own(
    examples: Examples, poor_model: Model, tmp_path: Path
) -> None:
    truth, probabilities = _truth(examples, poor_model)
    predicted = probabilities.argmax(axis=1)
    balanced = metrics.balanced_accuracy_score(truth, predicted)
    recalls = metrics.recall_score(truth, predicted, labels=[0, 1, 2], average=None, zero_division=0)
    worst = int(recalls.argmin())
    above = float(recalls[worst]) + 0.001
    floors = {"min_accuracy": 0.0, "min_balanced_accuracy": float(balanced), "min_class_accuracy": above}
    evaluation, blessing = steps.evaluate(examples, poor_model, tmp_path, **floors)
    assert not _is_blessed(blessing)
    assert evaluations.checks(evaluation.uri)[:3] == [
        ("accuracy", "overall", pytest.approx((truth == predicted).mean()), 0.0, True, ""),
        ("balanced_accuracy", "overall", pytest.approx(balanced), balanced, True, ""),
        ("class_accuracy", NAMES[worst], pytest.approx(recalls[worst]), above, False, ""),
    ]


def test_a_worse_candidate_than_the_baseline_is_refused_and_a_better_one_is_not(
    examples: Examples, model: Model, poor_model: Model, tmp_path: Path
) -> None:
    worse, blessing = steps.evaluate(examples, poor_model, tmp_path / "worse", baseline=model, min_accuracy=0.0)
    assert not _is_blessed(blessing)
    floor, change, _ = evaluations.checks(worse.uri)
    difference = _accuracy(examples, poor_model) - _accuracy(examples, model)
    assert floor.passed
    assert not change.passed
    assert change[:4] == ("accuracy_change", "overall", pytest.approx(difference, abs=1e-6), 0.0)
    assert evaluations.overall_metrics(worse.uri)["accuracy"] == pytest.approx(
        _accuracy(examples, poor_model), abs=1e-6
    )

    better, blessing = steps.evaluate(examples, model, tmp_path / "better", baseline=poor_model)
    assert _is_blessed(blessing)
    assert all(check.passed for check in evaluations.checks(better.uri))

    _, blessing = steps.evaluate(
        examples, poor_model, tmp_path / "allowed", baseline=model, min_accuracy=0.0, max_accuracy_drop=-difference
    )
    assert _is_blessed(blessing), "a drop that is allowed"


def test_a_baseline_of_other_classes_is_not_compared_and_that_is_said(
    examples: Examples, model: Model, poor_model: Model, tmp_path: Path
) -> None:
    labels.write_labels(f"{poor_model.uri}/Format-Serving/assets.extra", ["apple", "cherry", "plum\x1b[31m"])
    try:
        evaluation, blessing = steps.evaluate(examples, model, tmp_path, baseline=poor_model)
    finally:
        labels.write_labels(f"{poor_model.uri}/Format-Serving/assets.extra", NAMES)
    assert _is_blessed(blessing)
    assert [check.metric for check in evaluations.checks(evaluation.uri)] == ["accuracy", "served"]
    assert evaluation.get_string_custom_property(evaluations.BASELINE_NOTE) == (
        "not compared with the last blessed model: its classes are apple, cherry, plum\\u001b[31m"
    )


def test_a_floor_for_an_unknown_class_is_an_error(examples: Examples, model: Model, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'plum' is not a class; expected one of 'apple', 'berry', 'cherry'"):
        steps.evaluate(examples, model, tmp_path, slices={"plum": 0.5})


def test_classes_are_known_by_their_exact_names_and_one_without_test_pictures_fails(
    model: Model, tmp_path: Path
) -> None:
    """TFMA reads 01 and 1 as one number."""
    data = write_classes(tmp_path / "data" / "train", {"01": 8, "1": 8, "2": 8}).parent
    tint_of_2, tint_of_1 = (60, 200, 60), (60, 60, 200)
    for name, tint in (("01", tint_of_2), ("1", tint_of_1)):
        (data / "test" / name).mkdir(parents=True)
        for seed in range(5000, 5003):
            (data / "test" / name / f"{seed}.png").write_bytes(encode(make_pixels(seed, tint=tint)))
    examples = steps.ingest(data, tmp_path / "examples")
    labels.write_labels(f"{model.uri}/Format-Serving/assets.extra", ["01", "1", "2"])
    floors = {"min_accuracy": 0.5, "min_balanced_accuracy": 0.5}
    try:
        passed, _ = steps.evaluate(examples, model, tmp_path / "passed", **floors, slices={"1": 1.0})
        floors = {"min_accuracy": 0.0, "min_class_accuracy": 0.0}
        failed, refusal = steps.evaluate(examples, model, tmp_path / "failed", **floors, slices={"2": 0.5, "01": 0.1})
    finally:
        labels.write_labels(f"{model.uri}/Format-Serving/assets.extra", NAMES)
    assert tfma.load_validation_result(passed.uri).validation_ok
    assert evaluations.checks(passed.uri)[1:3] == [
        ("balanced_accuracy", "overall", 0.5, 0.5, True, ""),
        ("accuracy", "1", 1.0, 1.0, True, ""),
    ]
    assert not _is_blessed(refusal)
    untested = "the test split holds no picture of "
    assert evaluations.checks(failed.uri)[1:4] == [
        ("class_accuracy", "2", 0.0, 0.0, False, f"{untested}2"),
        ("accuracy", "01", 0.0, 0.1, False, ""),
        ("accuracy", "2", 0.0, 0.5, False, f"{untested}this class"),
    ]


def test_what_the_models_said_of_each_test_picture_is_kept(
    examples: Examples, model: Model, poor_model: Model, poor: tuple[ModelEvaluation, ModelBlessing], tmp_path: Path
) -> None:
    truth, probabilities = _truth(examples, poor_model)
    shas = [example.sha256 for example in steps.read(examples, "test")]
    alone = read_predictions(poor[0].uri)
    assert alone.sha256s == sorted(shas)
    order = [shas.index(sha256) for sha256 in alone.sha256s]
    np.testing.assert_array_equal(alone.labels, truth[order])
    np.testing.assert_allclose(alone.probabilities, probabilities[order], atol=1e-6)
    assert alone.baseline is None

    evaluation, _ = steps.evaluate(examples, model, tmp_path, baseline=poor_model)
    both = read_predictions(evaluation.uri)
    np.testing.assert_array_equal(both.labels, truth[order])
    np.testing.assert_allclose(both.probabilities, _truth(examples, model)[1][order], atol=1e-6)
    assert both.baseline is not None
    np.testing.assert_allclose(both.baseline, probabilities[order], atol=1e-6)


def _loaded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The artifacts of the models that are loaded from now on."""
    load, folders = tf.saved_model.load, []

    def listed(folder: str, *arguments: Any, **options: Any) -> Any:
        folders.append(str(Path(folder).parent))
        return load(folder, *arguments, **options)

    monkeypatch.setattr(tf.saved_model, "load", listed)
    return folders


def test_what_an_evaluation_kept_of_the_baseline_is_not_computed_again(
    examples: Examples,
    model: Model,
    poor_model: Model,
    poor: tuple[ModelEvaluation, ModelBlessing],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inference, "_BATCH", 4)
    loaded = _loaded(monkeypatch)
    evaluation, _ = steps.evaluate(examples, model, tmp_path, baseline=poor_model, kept=poor[0])
    assert loaded == [model.uri], "once, whatever the number of batches, and the baseline never"
    found, kept = read_predictions(evaluation.uri), read_predictions(poor[0].uri)
    assert len(found.sha256s) > 2 * 4
    assert found.sha256s == kept.sha256s
    np.testing.assert_array_equal(found.labels, kept.labels)
    assert found.baseline is not None
    np.testing.assert_array_equal(found.baseline, kept.probabilities)
    change = pytest.approx(_accuracy(examples, model) - _accuracy(examples, poor_model), abs=1e-6)
    assert evaluations.checks(evaluation.uri)[1][:3] == ("accuracy_change", "overall", change)


def test_a_picture_that_is_new_since_the_baseline_s_evaluation_is_computed(
    examples: Examples, poor_model: Model, poor: tuple[ModelEvaluation, ModelBlessing]
) -> None:
    test, (_, probabilities) = steps.read(examples, "test"), _truth(examples, poor_model)
    new = [one._replace(sha256=f"{index}" * 64) if index % 3 else one for index, one in enumerate(test[:8])]
    extracts = [
        {
            tfma.INPUT_KEY: np.array([example_records.encode(one)], object),
            tfma.FEATURES_KEY: {name: np.array([getattr(one, name).encode()]) for name in ("sha256", "file_name")},
        }
        for one in new
    ]
    baseline = inference.Model("baseline", f"{poor_model.uri}/Format-Serving", poor[0].uri)
    np.testing.assert_allclose(baseline.probabilities(extracts), probabilities[:8], atol=1e-6)


def test_predictions_are_kept_for_the_very_model_that_made_them(
    model: Model, poor_model: Model, poor: tuple[ModelEvaluation, ModelBlessing], tmp_path: Path
) -> None:
    folders = [f"{one.uri}/Format-Serving" for one in (poor_model, model)]
    assert [are_of(poor[0].uri, folder) for folder in folders] == [True, False]
    assert not are_of(str(tmp_path / "gone"), folders[0])
    changed = shutil.copytree(folders[0], tmp_path / "changed")
    (data,) = (changed / "variables").glob("*.data*")
    data.write_bytes(data.read_bytes()[:-1] + b"x")
    assert not are_of(poor[0].uri, str(changed))


@pytest.fixture(scope="module")
def unservable(model: Model, transform_graph: TransformGraph, tmp_path_factory: pytest.TempPathFactory) -> Model:
    return steps.unservable(model, transform_graph, tmp_path_factory.mktemp("unservable"))


def test_a_model_that_a_server_can_run_is_blessed_even_against_one_that_it_cannot(
    examples: Examples, model: Model, unservable: Model, tmp_path: Path
) -> None:
    evaluation, blessing = steps.evaluate(examples, model, tmp_path, baseline=unservable)
    assert _is_blessed(blessing)
    assert [check.metric for check in evaluations.checks(evaluation.uri)] == ["accuracy", "accuracy_change", "served"]
    assert evaluations.checks(evaluation.uri)[-1] == ("served", "overall", 1.0, 1.0, True, "")


def test_a_model_that_a_server_cannot_run_is_refused_in_one_line(
    examples: Examples, unservable: Model, tmp_path: Path
) -> None:
    evaluation, blessing = steps.evaluate(examples, unservable, tmp_path)
    assert not _is_blessed(blessing)
    assert [path.name for path in Path(blessing.uri).iterdir()] == ["NOT_BLESSED"]
    accuracy, by_server = evaluations.checks(evaluation.uri)
    assert accuracy.passed, "the object loader that TFMA uses sees nothing wrong"
    assert by_server[:5] == ("served", "overall", 0.0, 1.0, False)
    assert re.fullmatch(r"Could not find variable \S+", by_server.note)


def test_a_model_that_answers_otherwise_than_in_the_evaluation_is_refused(
    examples: Examples, model: Model, poor_model: Model, tmp_path: Path
) -> None:
    test = steps.read(examples, "test")[:4]
    _, probabilities = _truth(examples, model)
    expected = probabilities[:4].copy()
    expected[2] = np.roll(expected[2], 1)
    answered = served.check(f"{model.uri}/Format-Serving", steps.images(test), expected, NAMES)
    assert answered == (4, 3, "its answers are not those of the evaluation")
    assert not answered.passed


def test_a_folder_that_holds_no_model_is_told(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"no model")
    answered = served.check(str(tmp_path), [b""], np.zeros((1, 3), np.float32), NAMES)
    assert answered.equal == 0
    assert answered.problem
    assert "\n" not in answered.problem


def test_a_stored_picture_that_cannot_be_decoded_ends_the_step(
    examples: Examples, poor_model: Model, tmp_path: Path
) -> None:
    damaged, name = steps.damage(examples, "test", tmp_path / "examples")
    with pytest.raises(UserError, match=f"^the stored picture of '{name}' cannot be used: truncated or damaged"):
        steps.evaluate(damaged, poor_model, tmp_path / "evaluated")
