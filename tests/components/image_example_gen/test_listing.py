import os
import unicodedata
from pathlib import Path

import pytest

from common.errors import UserError
from components.image_example_gen.found_file import File
from components.image_example_gen.layout import Layout, find
from components.image_example_gen.reading import AS_FOUND, Options
from components.image_example_gen.table import Columns


def _fill(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"")


def _find(root: Path, *rows: str, header: str = "file_name,label", options: Options = AS_FOUND) -> Layout:
    root.mkdir(exist_ok=True)
    (root / "labels.csv").write_text("\n".join([header, *rows]))
    return find(str(root / "labels.csv"), options)


def _problems(layout: Layout) -> dict[str, str]:
    return {file.path: file.problem for file in layout.files}


def test_files_have_the_labels_of_their_rows(tmp_path: Path):
    _fill(tmp_path, "1.jpg", "deep/er/2.jpg", "cat/3.jpg")
    layout = _find(tmp_path, "deep/er/2.jpg,cat", "./1.jpg,dog", f"{tmp_path}/cat/3.jpg,dog")
    assert layout == Layout(
        data=str(tmp_path / "labels.csv"),
        root=str(tmp_path),
        options=Options(),
        splits={"train": "labels.csv"},
        classes=["cat", "dog"],
        files=[
            File("1.jpg", "train", "dog"),
            File("cat/3.jpg", "train", "dog"),
            File("deep/er/2.jpg", "train", "cat"),
        ],
        left_out=[],
        ignored=[],
        others=[],
        unlabelled=[],
        unlisted=[],
        columns={"labels.csv": Columns("file_name", "label", "", "")},
    )


def test_splits_and_groups_come_from_their_columns(tmp_path: Path):
    _fill(tmp_path, *(f"{name}.jpg" for name in "abcdef"))
    rows = ["a,x,Training,1", "b,y,train,1", "c,x,valid,2", "d,y,dev,2", "e,x,TEST,", "f,y,holdout,"]
    rows = [row.replace(",", ".jpg,", 1) for row in rows]
    layout = _find(tmp_path, *rows, header="file_name,label,split,group")
    assert [file.split for file in layout.files] == ["train", "train", "eval", "eval", "test", "test"]
    assert [file.group for file in layout.files] == ["1", "1", "2", "2", "", ""]
    assert layout.splits == dict.fromkeys(("train", "eval", "test"), "labels.csv")
    without = Options(columns=Columns(split="", group=""))
    layout = _find(tmp_path, *rows, header="file_name,label,split,group", options=without)
    assert layout.splits == {"train": "labels.csv"}
    assert {file.group for file in layout.files} == {""}


def test_folders_named_as_splits_give_the_splits_of_a_table_without_any(tmp_path: Path):
    rows = [f"data/{split}/{name}.jpg,{name}" for split in ("train", "test") for name in "ab"]
    _fill(tmp_path, *(row.partition(",")[0] for row in rows))
    layout = _find(tmp_path, *rows)
    assert layout.splits == {"train": "data/train", "test": "data/test"}
    assert [file.split for file in layout.files] == ["test", "test", "train", "train"]
    assert _find(tmp_path, *rows, options=Options("classes")).splits == {"train": "labels.csv"}
    _fill(tmp_path, "data/more/c.jpg")
    with pytest.raises(UserError, match=r"others, such as 'data/more/c\.jpg'"):
        _find(tmp_path, *rows, "data/more/c.jpg,a")
    elsewhere = [f"{tmp_path}/{row}" for row in rows]
    _write(tmp_path / "tables/labels.csv", "file_name,label", *elsewhere)
    layout = find(str(tmp_path / "tables/labels.csv"), Options(follow_links=True))
    assert [file.split for file in layout.files] == ["test", "test", "train", "train"]
    vehicles = ["train/a.jpg,train", "car/c.jpg,car"]
    _fill(tmp_path, *(row.partition(",")[0] for row in vehicles))
    assert _find(tmp_path, *vehicles).splits == {"train": "labels.csv"}


def test_a_file_listed_twice_is_one_and_in_conflict_with_two_labels(tmp_path: Path):
    _fill(tmp_path, *(f"{name}.jpg" for name in "abcdef"))
    rows = ["a.jpg,x,train,", "a.jpg,x,train,", "b.jpg,y,train,", "./b.jpg,x,train,", "c.jpg,x,train,", "c.jpg,x,test,"]
    rows += ["d.jpg,y,train,g", "d.jpg,y,train,h", "e.jpg,y,train,", "e.jpg,y,test,", "f.jpg,y,train,"]
    layout = _find(tmp_path, *rows, header="file_name,label,split,group")
    assert _problems(layout) == {
        "a.jpg": "",
        "b.jpg": "listed with two labels: x, y",
        "c.jpg": "",
        "d.jpg": "listed with two groups: g, h",
        "e.jpg": "",
        "f.jpg": "",
    }
    assert [file.split for file in layout.files if file.path in ("c.jpg", "e.jpg")] == ["test", "test"]


def test_what_is_not_listed_or_has_no_label_is_told(tmp_path: Path):
    _fill(tmp_path, "a/1.jpg", "a/2.jpg", "a/deep/3.jpg", "a/notes.txt", "a/.DS_Store", "b/1.jpg", "b/2.jpg")
    _fill(tmp_path, "elsewhere/1.jpg", "beside.jpg")
    layout = _find(tmp_path, "a/1.jpg,x", "b/1.jpg,y", "b/2.jpg,")
    assert layout.unlisted == ["a/2.jpg", "a/deep/3.jpg"], "what lies in folders of which the table says nothing is not"
    assert layout.unlabelled == ["b/2.jpg"]
    with pytest.raises(UserError, match=r"/b/2\.jpg' would be left out: it has no label, as would 3 more"):
        find(str(tmp_path / "labels.csv"), Options(strict=True))
    assert layout.ignored == ["a/.DS_Store"]
    assert layout.others == ["a/notes.txt"]
    layout = _find(tmp_path, "beside.jpg,x", "b/1.jpg,y", "b/2.jpg,y")
    assert (layout.unlisted, layout.others) == ([], [])


def test_files_that_are_not_there_are_told(tmp_path: Path):
    _fill(tmp_path, "1.jpg", "2.jpg")
    layout = _find(tmp_path, "1.jpg,x", "2.jpg,y", "a/3.jpg,y", f"{'n' * 300}.jpg,y")
    assert _problems(layout) == {
        "1.jpg": "",
        "2.jpg": "",
        "a/3.jpg": "no such file",
        f"{'n' * 300}.jpg": "no such file",
    }
    with pytest.raises(UserError) as error:
        _find(tmp_path, "images/1.jpg,x", "images/2.jpg,y")
    assert str(error.value) == (
        f"none of the 2 files that '{tmp_path}/labels.csv' lists is there, such as '{tmp_path}/images/1.jpg'; "
        f"names are relative to the table's folder"
    )


def test_names_in_another_unicode_form_or_with_backslashes_are_found(tmp_path: Path):
    composed, apart = (unicodedata.normalize(form, "Gdańsk/é.jpg") for form in ("NFC", "NFD"))
    _fill(tmp_path, apart, "cats/1.jpg", "odd\\name.jpg")
    layout = _find(tmp_path, f"{composed},x", "cats\\1.jpg,y", "odd\\name.jpg,y")
    assert _problems(layout) == dict.fromkeys([apart, "cats/1.jpg", "odd\\name.jpg"], "")
    assert layout.unlisted == []


def test_files_elsewhere_are_read_if_links_are_followed(tmp_path: Path):
    root = tmp_path / "data"
    _fill(tmp_path, "data/1.jpg", "data/2.jpg", "other/3.jpg", "other/4.jpg")
    (root / "link.jpg").symlink_to(tmp_path / "other/3.jpg")
    (root / "folder").symlink_to(tmp_path / "other")
    elsewhere = ["../other/3.jpg", f"{tmp_path}/other/4.jpg", "link.jpg", "folder/4.jpg"]
    rows = ["1.jpg,x", "2.jpg,y", *(f"{path},y" for path in elsewhere)]
    problems = _problems(_find(root, *rows))
    assert {path for path, problem in problems.items() if "ingest.follow_links: true" in problem} == set(elsewhere)
    assert set(_problems(_find(root, *rows, options=Options(follow_links=True))).values()) == {""}


def test_hidden_files_are_used_where_a_table_asks_for_them(tmp_path: Path):
    _fill(tmp_path, ".cache/1.jpg", ".2.jpg", "3.jpg")
    layout = _find(tmp_path, ".cache/1.jpg,x", ".2.jpg,y")
    assert _problems(layout) == {".cache/1.jpg": "", ".2.jpg": ""}


def _write(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines))


def test_metadata_in_a_folder_lists_its_pictures(tmp_path: Path):
    _fill(tmp_path, "1.jpg", "more/2.jpg", "notes.txt")
    _write(tmp_path / "metadata.jsonl", '{"file_name": "1.jpg", "label": 0}', '{"file_name": "more/2.jpg", "label": 1}')
    layout = find(str(tmp_path))
    assert (layout.data, layout.root, layout.classes) == (str(tmp_path), str(tmp_path), ["0", "1"])
    assert layout.splits == {"train": "metadata.jsonl"}
    assert layout.others == ["notes.txt"]
    _write(tmp_path / "metadata.csv", "file_name,label", "1.jpg,0")
    with pytest.raises(UserError) as error:
        find(str(tmp_path))
    assert str(error.value) == (
        f"'{tmp_path}/metadata.csv' and '{tmp_path}/metadata.jsonl' both list pictures; keep one"
    )


def test_metadata_in_split_folders_lists_theirs(tmp_path: Path):
    _fill(
        tmp_path, "data/train/1.jpg", "data/train/2.jpg", "data/validation/1.jpg", "data/test/1.jpg", "data/more/1.jpg"
    )
    _write(tmp_path / "data/train/metadata.csv", "file_name,label,split", "1.jpg,x,odd", "2.jpg,y,odd")
    _write(tmp_path / "data/validation/metadata.csv", "file_name,label", "1.jpg,x")
    _write(tmp_path / "data/test/metadata.csv", "file_name,text", "1.jpg,unknown")
    layout = find(str(tmp_path))
    assert layout.splits == {"train": "data/train", "eval": "data/validation"}
    assert layout.files == [
        File("data/train/1.jpg", "train", "x"),
        File("data/train/2.jpg", "train", "y"),
        File("data/validation/1.jpg", "eval", "x"),
    ]
    reason = "no table of labels is in it, as there is in train's folder"
    assert layout.left_out == [("data/more", reason), ("data/test", reason)]
    assert sorted(layout.columns) == ["data/train/metadata.csv", "data/validation/metadata.csv"]


def test_metadata_without_labels_is_no_table(tmp_path: Path):
    _fill(tmp_path, "cats/1.jpg", "dogs/1.jpg")
    for content in ("file_name,text\ncats/1.jpg,a cat\n", "", "\xff\xfe"):
        (tmp_path / "metadata.csv").write_bytes(content.encode("latin-1"))
        layout = find(str(tmp_path))
        assert (layout.classes, layout.others, layout.columns) == (["cats", "dogs"], ["metadata.csv"], {})
    _write(tmp_path / "metadata.csv", "file_name,breed", "cats/1.jpg,x", "dogs/1.jpg,y")
    assert find(str(tmp_path), Options(columns=Columns(label="breed"))).classes == ["x", "y"]


def test_a_link_to_a_table_leaves_the_pictures_where_the_link_is(tmp_path: Path):
    _fill(tmp_path, "data/1.jpg", "data/2.jpg")
    (tmp_path / "store").mkdir()
    (tmp_path / "store/0af3").write_text("file_name,label\n1.jpg,x\n2.jpg,y\n")
    os.symlink(tmp_path / "store/0af3", tmp_path / "data/labels.csv")
    assert find(str(tmp_path / "data/labels.csv")).classes == ["x", "y"]


@pytest.mark.parametrize(
    ("header", "rows", "message"),
    [
        ("file_name,label", ["a.jpg,x"], "holds a single class, 'x'; a classifier needs two or more"),
        ("file_name,label", ["a.jpg,"], "has no row with a label in the column 'label'"),
        ("path,label", ["a.jpg,x", ",y"], "a row with the label 'y' has no 'path'"),
        (
            "file_name,label,fold",
            ["a.jpg,x,1"],
            "the column 'fold' says '1' of 'a.jpg'; expected train, eval or test, or words for them; "
            "ingest.columns.split: '' does without the column",
        ),
        ("file_name,label,split", ["a.jpg,x,train", "b.jpg,y,"], "the column 'split' says '' of 'b.jpg'; "),
        ("file_name,label,split", ["a.jpg,x,test", "b.jpg,y,test"], "no row is of the train split"),
        (
            "file_name,label,split",
            ["a.jpg,x,train", "b.jpg,y,train", "c.jpg,z,test"],
            "the test split holds the class 'z', which train lacks",
        ),
        ("file_name,label", ["a.jpg,Cat", "b.jpg,cat"], "the labels 'Cat' and 'cat' differ only by case"),
    ],
)
def test_a_table_of_no_data_set_is_told_in_one_line(tmp_path: Path, header: str, rows: list[str], message: str):
    _fill(tmp_path, "a.jpg", "b.jpg", "c.jpg")
    options = Options(columns=Columns(split="fold")) if "fold" in header else Options()
    with pytest.raises(UserError, match=r"(?s)^'.*labels\.csv':? ") as error:
        _find(tmp_path, *rows, header=header, options=options)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
