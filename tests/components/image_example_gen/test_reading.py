"""Layouts that people have, and what is made of each."""

from pathlib import Path

import pytest

from common.errors import UserError
from components.image_example_gen.layout import Layout, find
from components.image_example_gen.reading import Options

_NEITHER = "neither a split nor a class"


def _find(root: Path, *paths: str, layout: str = "auto") -> Layout:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"")
    return find(str(root), Options(layout))


def _trees(*tops: str, classes: str = "ab") -> list[str]:
    return [f"{top}/{name}/1.png" for top in tops for name in classes]


@pytest.mark.parametrize(
    ("paths", "splits", "left_out"),
    [
        pytest.param(
            [*_trees("seg_train/seg_train", "seg_test/seg_test"), "seg_pred/seg_pred/1.png"],
            {"train": "seg_train/seg_train", "test": "seg_test/seg_test"},
            {"seg_pred": _NEITHER},
            id="each split in a folder of its own name, and pictures to predict",
        ),
        pytest.param(
            [*_trees("training_set", "test_set"), "single_prediction/1.png", "annotations/a.xml"],
            {"train": "training_set", "test": "test_set"},
            {"single_prediction": _NEITHER, "annotations": _NEITHER},
            id="pictures of no class beside the splits",
        ),
        pytest.param(
            [*_trees("train"), "annotations/list.txt"],
            {"train": "train"},
            {"annotations": _NEITHER},
            id="a folder without pictures beside train alone",
        ),
        pytest.param(
            [*(f"train/{name}/images/1.png" for name in "ab"), "val/images/1.png", "val/list.txt", "test/images/1.png"],
            {"train": "train"},
            {
                "val": "none of train's classes is in it; eval is cut from train",
                "test": "none of train's classes is in it; test is cut from train",
            },
            id="held-out pictures without class folders, in a folder",
        ),
        pytest.param(
            [*_trees("train"), "test/1.png"],
            {"train": "train"},
            {"test": "none of train's classes is in it; test is cut from train"},
            id="held-out pictures without class folders",
        ),
        pytest.param(
            [*_trees("train"), "test/test/1.png", "val/unknown/1.png"],
            {"train": "train"},
            {
                "test": "none of train's classes is in it; test is cut from train",
                "val": "none of train's classes is in it; eval is cut from train",
            },
            id="held-out pictures in a folder for all classes",
        ),
        pytest.param(
            [*_trees("archive/data/Training", "archive/data/Testing"), "__MACOSX/1.png", "archive/README.md"],
            {"train": "archive/data/Training", "test": "archive/data/Testing"},
            {},
            id="an archive's folders in between",
        ),
        pytest.param(
            [*_trees("pets/images"), "pets/annotations/a.xml"],
            {"train": "pets/images"},
            {"pets/annotations": _NEITHER},
            id="class folders beside one of annotations",
        ),
        pytest.param(
            [*_trees("train"), "test/a/images/1.png"],
            {"train": "train", "test": "test"},
            {},
            id="a test folder of one class, with a folder in it",
        ),
        pytest.param(
            [*_trees("train", "test"), "chest/train/a/1.png", "chest/test/a/1.png"],
            {"train": "train", "test": "test"},
            {"chest": _NEITHER},
            id="the same data again beside the splits",
        ),
        pytest.param(
            [f"{name}/images/1.png" for name in "ab"] + [f"{name}/labels/1.txt" for name in "ab"],
            {"train": ""},
            {},
            id="pictures and labels in each class",
        ),
    ],
)
def test_what_people_have_is_understood(
    tmp_path: Path, paths: list[str], splits: dict[str, str], left_out: dict[str, str]
) -> None:
    layout = _find(tmp_path, *paths)
    assert layout.splits == splits
    assert dict(layout.left_out) == left_out
    assert layout.classes == ["a", "b"]
    assert {file.problem for file in layout.files} == {""}


@pytest.mark.parametrize(
    ("paths", "classes"),
    [
        (["train/1.png", "bus/1.png", "car/1.png"], ["bus", "car", "train"]),
        (["test_tube/1.png", "flask/1.png"], ["flask", "test_tube"]),
        (["cat/cat/1.png", "dog/dog/1.png"], ["cat", "dog"]),
        (["cat/2020/1.png", "cat/1.png", "dog/2020/1.png", "dog/2021/1.png"], ["cat", "dog"]),
        (["cat/siamese/1.png", "cat/tabby/1.png", "dog/collie/1.png"], ["cat", "dog"]),
    ],
)
def test_classes_may_be_called_and_filled_in_many_ways(tmp_path: Path, paths: list[str], classes: list[str]) -> None:
    layout = _find(tmp_path, *paths)
    assert layout.splits == {"train": ""}
    assert layout.classes == classes


@pytest.mark.parametrize(
    ("paths", "message", "choices"),
    [
        pytest.param(
            [*_trees("train"), "bus/1.png", "car/1.png"],
            "'{root}': 'train' may be splits (ingest.layout: splits) or classes like 'bus', 'car' "
            "(ingest.layout: classes)",
            {"splits": ["a", "b"], "classes": ["bus", "car", "train"]},
            id="train alone beside pictures",
        ),
        pytest.param(
            ["cat/1.png", "dog/1.png", "test/1.png"],
            "'{root}': 'test' may be splits (splits need {root}/train/<class>) or classes like 'cat', 'dog' "
            "(ingest.layout: classes)",
            {"classes": ["cat", "dog", "test"]},
            id="pictures in test beside classes",
        ),
        pytest.param(
            ["valid/1.png", "invalid/1.png"],
            "'{root}': 'valid' may be splits (splits need {root}/train/<class>) or classes like 'invalid' "
            "(ingest.layout: classes)",
            {"classes": ["invalid", "valid"]},
            id="a class with a split's name",
        ),
        pytest.param(
            _trees("site1", "site2"),
            "'{root}': 'site1', 'site2' may be classes (ingest.layout: classes) or hold the same classes each, 'a', "
            "'b'; of such folders, only splits are read: train, eval and test",
            {"classes": ["site1", "site2"]},
            id="the same folders in several",
        ),
        pytest.param(
            _trees("train/2020", "train/2021", "train/2022", "test/2023"),
            "'{root}/train': '2020', '2021', '2022' may be classes (ingest.layout: splits) or hold the same classes "
            "each, 'a', 'b'; of such folders, only splits are read: train, eval and test",
            {},
            id="the same folders in several of train",
        ),
        pytest.param(
            ["a/1.png", "b/1.png", *_trees("cells")],
            "'{root}': 'cells' may be a class (ingest.layout: classes) or hold more of what lies beside it, as it has "
            "a folder 'a' too",
            {"classes": ["a", "b", "cells"]},
            id="the same data again beside the classes",
        ),
        pytest.param(
            [*_trees("train", "test"), "more/A/1.png"],
            "'{root}/more' lies beside the splits and has pictures of the class 'A'; move it into a split, name it as "
            "one (train, eval or test), or move it out of the data folder",
            {},
            id="pictures of a class beside the splits",
        ),
        pytest.param(
            [*_trees("train", "test"), "a/1.png"],
            "'{root}/a' lies beside the splits and has pictures of the class 'a'; move it into a split, name it as "
            "one (train, eval or test), or move it out of the data folder",
            {},
            id="a class beside the splits",
        ),
    ],
)
def test_what_could_be_two_things_stops_with_the_way_out(
    tmp_path: Path, paths: list[str], message: str, choices: dict[str, list[str]]
) -> None:
    with pytest.raises(UserError) as error:
        _find(tmp_path, *paths)
    assert str(error.value) == message.format(root=tmp_path)
    for layout, classes in choices.items():
        assert find(str(tmp_path), Options(layout)).classes == classes


def test_splits_that_are_asked_for_have_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no folder named as a split, such as 'train'"):
        _find(tmp_path, *_trees("site1", "site2"), layout="splits")


def test_a_class_is_one_however_the_splits_spell_it(tmp_path: Path) -> None:
    layout = _find(tmp_path, "train/\u00c9/1.png", "train/Cat/1.png", "test/e\u0301/2.png", "test/cat/2.png")
    assert layout.classes == ["Cat", "\u00c9"]
    assert [(file.path, file.class_name) for file in layout.files if file.split == "test"] == [
        ("test/cat/2.png", "Cat"),
        ("test/e\u0301/2.png", "\u00c9"),
    ]


def test_a_class_may_be_empty_unless_another_split_has_pictures_of_it(tmp_path: Path) -> None:
    for folder in ("train/c", "val/c", "test/c", "val/a"):
        (tmp_path / folder).mkdir(parents=True)
    layout = _find(tmp_path, *_trees("train", "test"))
    assert layout.classes == ["a", "b"]
    assert layout.splits == {"train": "train", "test": "test"}
    assert [path for path, _ in layout.left_out] == ["train/c", "val/a", "val/c", "test/c"]
    with pytest.raises(UserError, match="the test split holds the class 'c', which train lacks"):
        _find(tmp_path, "test/c/1.png")


def test_files_beside_pictures_are_told_by_their_name_and_their_content(tmp_path: Path) -> None:
    others = ["a/1.json", "a/1.XML", "a/LICENSE", "b/boxes.txt", "b/more/x.npy", "classes.csv"]
    _find(tmp_path, "a/1.png", "b/1.png", *others)
    (tmp_path / "a/photo.txt").write_bytes(b"\xff\xd8\xff\xe0 and so on")
    (tmp_path / "b/README").write_bytes(b"BM" + bytes(30))
    (tmp_path / "b/makes.csv").write_bytes(b"BMW,3\n")
    layout = find(str(tmp_path))
    assert sorted(layout.others) == sorted([*others, "b/makes.csv"])
    assert [file.path for file in layout.files] == ["a/1.png", "a/photo.txt", "b/1.png", "b/README"]


def test_files_are_counted_by_class_and_split(tmp_path: Path) -> None:
    layout = _find(tmp_path, *_trees("train", "test"), "train/a/2.png", "train/a/2.json")
    (tmp_path / "train/a/3.png").symlink_to("nowhere")
    assert layout.counts("train") == {"a": 2, "b": 1}
    assert layout.counts() == {"a": 3, "b": 2}
