import numpy as np
import pytest

from modeling import run_warnings
from modeling.training_results import diverged

_FEW = "of fewer than 10, one picture is more than 10 points of the class's accuracy"


def test_a_rare_class_that_is_never_predicted_is_told():
    assert run_warnings.of_classes(np.array([[90, 0], [1, 0]]), ["ok", "defective"]) == [
        f"few test pictures: defective (1); {_FEW}",
        "never predicted for any test picture: defective",
    ]


def test_a_class_without_a_test_picture_is_told_and_the_rarest_come_first():
    matrix = np.diag([10, 0, 9, 1])
    matrix[0, 1] = 3
    assert run_warnings.of_classes(matrix, ["a", "b\x1b", "c", "d"]) == [
        r"no test picture: b\u001b; how well the model knows them is not measured",
        f"few test pictures: d (1), c (9); {_FEW}",
    ]


def test_classes_with_ten_pictures_that_are_found_are_nothing_to_tell():
    assert run_warnings.of_classes(np.array([[9, 1], [0, 10]]), ["a", "b"]) == []


@pytest.mark.parametrize(("loss", "stages"), [("0.5", []), ("nan", [2]), ("inf", [2])])
@pytest.mark.parametrize("key", ["loss", "val_loss"])
def test_a_stage_with_an_epoch_of_no_finite_loss_is_told(loss: str, key: str, stages: list[int]):
    history = [{"stage": str(stage), "loss": "0.5", "val_loss": "0.5"} for stage in (1, 2, 2)]
    history[1][key] = loss
    assert diverged(history) == stages
    told = (
        ["the loss of stage 2 became infinite or not a number; lower trainer.fine_tune_learning_rate"] if stages else []
    )
    assert [line.split(", now")[0] for line in run_warnings.of_training(stages)] == told
