import pytest

from components.image_example_gen.split_names import find


@pytest.mark.parametrize(
    ("name", "split"),
    [
        *((name, "train") for name in ("train", "Train", "TRAINING", "training_set", "TrainSet", "train images")),
        *((name, "train") for name in ("trainset", "TRAINset", "Training-Data", "data.train", "train_dataset")),
        *((name, "eval") for name in ("val", "Valid", "VALIDATION", "eval", "Evaluation", "dev", "val_split")),
        *((name, "test") for name in ("test", "Testing", "TEST", "holdout", "hold_out", "HoldOut", "Hold-Out Set")),
    ],
)
def test_a_usual_name_in_any_spelling_is_that_of_a_split(name: str, split: str) -> None:
    assert find([name, "cats"]) == {name: split}


@pytest.mark.parametrize(
    "name",
    ["trains", "trainer", "protest", "contest", "interval", "devil", "test_tube", "train_test", "images", "pred"],
)
def test_a_word_that_only_looks_like_one_is_none(name: str) -> None:
    assert find([name, "train station"]) == {}


def test_another_affix_counts_where_folders_of_two_splits_share_it() -> None:
    assert find(["seg_train", "seg_test", "seg_pred"]) == {"seg_train": "train", "seg_test": "test"}
    assert find(["train2017", "val2017", "train2014"]) == {"train2017": "train", "val2017": "eval"}
    assert find(["été_train", "été_test"]) == {"été_train": "train", "été_test": "test"}
    assert find(["seg_train", "seg_training", "other_test"]) == {}
