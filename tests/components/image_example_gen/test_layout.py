import os
import subprocess
from pathlib import Path

import pytest

from common.errors import UserError
from components.image_example_gen.found_file import File
from components.image_example_gen.layout import Layout, check_tested, check_unchanged, find
from components.image_example_gen.reading import Options

_FOLLOWED = "ingest.follow_links: true follows it"


def _fill(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"")
    return root


def _problems(layout: Layout) -> dict[str, str]:
    return {file.path: file.problem for file in layout.files if file.problem}


def test_class_folders_alone_are_the_train_split(tmp_path: Path):
    _fill(tmp_path, "b/2.png", "b/10.png", "a/deep/er/1.png", "C/1.png")
    assert find(str(tmp_path)) == Layout(
        data=str(tmp_path),
        root=str(tmp_path),
        options=Options(),
        splits={"train": ""},
        classes=["C", "a", "b"],
        files=[
            File("C/1.png", "train", "C"),
            File("a/deep/er/1.png", "train", "a"),
            File("b/10.png", "train", "b"),
            File("b/2.png", "train", "b"),
        ],
        left_out=[],
        ignored=[],
        others=[],
    )


@pytest.mark.parametrize(
    ("folders", "splits"),
    [
        (["train"], ["train"]),
        (["training_set", "test_set"], ["train", "test"]),
        (["Train", "VAL"], ["train", "eval"]),
        (["train", "valid", "test"], ["train", "eval", "test"]),
        (["train", "validation"], ["train", "eval"]),
        (["Training", "Testing"], ["train", "test"]),
        (["train_images", "dev_images", "holdout_images"], ["train", "eval", "test"]),
        (["test", "eval", "train"], ["train", "eval", "test"]),
    ],
)
def test_split_folders_go_by_their_usual_names(tmp_path: Path, folders: list[str], splits: list[str]):
    _fill(tmp_path, *(f"{folder}/{name}/1.png" for folder in folders for name in "ab"))
    layout = find(str(tmp_path))
    assert list(layout.splits) == splits
    assert layout.classes == ["a", "b"]
    assert {file.split for file in layout.files} == set(splits)
    assert len(layout.files) == 2 * len(splits)


def test_hidden_and_system_files_are_left_out_at_any_depth_and_told(tmp_path: Path):
    ignored = [
        ".net",
        "Thumbs.db",
        "__MACOSX",
        "train/$RECYCLE.BIN",
        "train/.DS_Store",
        "train/a/._1.png",
        "train/a/.ipynb_checkpoints",
        "train/a/deep/@eaDir",
        "train/a/deep/DESKTOP.INI",
        "train/b/Icon\r",
    ]
    folders = {".net", "__MACOSX", "train/$RECYCLE.BIN", "train/a/.ipynb_checkpoints", "train/a/deep/@eaDir"}
    _fill(tmp_path, *(f"{path}/1.png" if path in folders else path for path in ignored))
    _fill(tmp_path, "train/a/deep/1.png", "train/b/1.png", "train/b/desktop.ini.png")
    layout = find(str(tmp_path))
    assert [file.path for file in layout.files] == ["train/a/deep/1.png", "train/b/1.png", "train/b/desktop.ini.png"]
    assert layout.classes == ["a", "b"]
    assert layout.ignored == ignored


def test_a_class_folder_with_a_dot_is_told(tmp_path: Path):
    _fill(tmp_path, ".net/1.png", ".git/HEAD", ".ipynb_checkpoints/1.png", "java/1.png", "rust/1.png", "rust/.x/1.png")
    layout = find(str(tmp_path))
    assert layout.classes == ["java", "rust"]
    assert layout.left_out == [(".net", "hidden, as its name begins with a dot; rename it if it is a class")]
    assert layout.ignored == [".git", ".ipynb_checkpoints", "rust/.x"]


def test_class_folders_without_a_file_to_use_are_left_out(tmp_path: Path):
    _fill(tmp_path, "a/1.png", "b/.DS_Store", "b/Thumbs.db", "c/1.png", "d/list.txt")
    (tmp_path / "e").mkdir()
    layout = find(str(tmp_path))
    assert layout.classes == ["a", "c"]
    assert layout.left_out == [(name, "no file to use is in it") for name in "bde"]


def test_groups_are_named_by_the_folder_or_by_a_pattern(tmp_path: Path):
    _fill(tmp_path, "a/p1_1.png", "a/p1_2.png", "a/site/p2_1.png", "b/x.png")

    def groups(group: str) -> dict[str, str]:
        return {file.path: file.group for file in find(str(tmp_path), Options(group=group)).files}

    by_folder = {"a/p1_1.png": "a", "a/p1_2.png": "a", "a/site/p2_1.png": "a/site", "b/x.png": "b"}
    assert groups("folder") == by_folder
    assert groups(r"/(p\d+)_") == {"a/p1_1.png": "p1", "a/p1_2.png": "p1", "a/site/p2_1.png": "p2", "b/x.png": ""}
    assert groups(r"(q)?") == groups("likeness") == groups("") == dict.fromkeys(by_folder, "")


def test_what_would_be_left_out_is_refused_where_that_is_asked_for(tmp_path: Path):
    strict = Options(strict=True)
    _fill(tmp_path, "train/a/1.png", "train/b/1.png", "test/a/1.png", "test/b/1.png", "train/.DS_Store", "Thumbs.db")
    assert find(str(tmp_path), strict) == find(str(tmp_path))._replace(options=strict)
    _fill(tmp_path, "train/a/1.json", "train/b/list.txt")
    with pytest.raises(UserError) as error:
        find(str(tmp_path), strict)
    assert str(error.value) == (
        f"'{tmp_path}/train/a/1.json' would be left out: it is not a picture, as would 1 more; "
        f"remove it, or set ingest.strict: false"
    )
    _fill(tmp_path, "single/1.png")
    with pytest.raises(UserError, match="/single' would be left out: neither a split nor a class, as would 2 more"):
        find(str(tmp_path), strict)


def test_a_hidden_file_that_comes_or_goes_is_no_change(tmp_path: Path):
    layout = find(str(_fill(tmp_path, "a/1.png", "b/1.png")))
    _fill(tmp_path, "a/.DS_Store")
    check_unchanged(layout)
    _fill(tmp_path, "a/2.png")
    with pytest.raises(UserError, match="changed while it was read"):
        check_unchanged(layout)


def test_hidden_folders_are_no_classes_and_loose_files_are_told(tmp_path: Path):
    _fill(
        tmp_path,
        ".git/HEAD",
        "train/.cache/1.png",
        "README.md",
        "loose.png",
        "train/list.txt",
        "train/loose",
        "train/a/1.png",
        "train/b/1.png",
    )
    layout = find(str(tmp_path))
    assert layout.classes == ["a", "b"]
    assert _problems(layout) == {"loose.png": "not in a class folder", "train/loose": "not in a class folder"}
    assert layout.others == ["README.md", "train/list.txt"]
    assert layout.ignored == [".git", "train/.cache"]
    assert len(layout.files) == 4


def test_links_are_followed_inside_the_data_folder_alone(tmp_path: Path):
    root = _fill(tmp_path / "data", "a/1.png", "b/1.png", "b/more/2.png")
    _fill(tmp_path, "elsewhere/secret.png")
    (root / "a/inside.png").symlink_to(root / "b/1.png")
    (root / "a/folder").symlink_to("../b/more")
    (root / "a/outside.png").symlink_to(tmp_path / "elsewhere/secret.png")
    (root / "a/outside").symlink_to("../../elsewhere")
    (root / "a/broken.png").symlink_to("nowhere.png")
    (root / "a/loop").symlink_to(root / "a")
    layout = find(str(root))
    assert [file.path for file in layout.files if not file.problem] == [
        "a/1.png",
        "a/folder/2.png",
        "a/inside.png",
        "b/1.png",
        "b/more/2.png",
    ]
    assert _problems(layout) == {
        "a/broken.png": "a broken link",
        "a/loop": "a link to a folder that is read anyway",
        "a/outside": f"a link that leaves the folder of pictures; {_FOLLOWED}",
        "a/outside.png": f"a link that leaves the folder of pictures; {_FOLLOWED}",
    }


def test_links_out_of_the_data_folder_are_followed_if_asked(tmp_path: Path):
    root = _fill(tmp_path / "data", "a/1.png", "b/1.png")
    _fill(tmp_path, "store/c/1.png", "store/c/more/2.png", "store/3.png")
    (root / "a/3.png").symlink_to(tmp_path / "store/3.png")
    (root / "b/all").symlink_to(tmp_path)  # holds the data folder itself
    (root / "b/store").symlink_to("../../store")
    (root / "c").symlink_to(tmp_path / "store/c")
    (tmp_path / "store/c/back").symlink_to(root / "a")
    (tmp_path / "store/c/round").symlink_to("..")
    layout = find(str(root), Options(follow_links=True))
    assert layout.classes == ["a", "b", "c"]
    assert [file.path for file in layout.files if not file.problem] == [
        "a/1.png",
        "a/3.png",
        "b/1.png",
        "b/store/3.png",
        "b/store/c/1.png",
        "b/store/c/back/1.png",
        "b/store/c/back/3.png",
        "b/store/c/more/2.png",
        "c/1.png",
        "c/back/1.png",
        "c/back/3.png",
        "c/more/2.png",
        "c/round/3.png",
        "c/round/c/1.png",
        "c/round/c/more/2.png",
    ]
    assert set(_problems(layout).values()) == {"a link to a folder that is read anyway"}


def test_a_class_of_links_that_are_not_followed_is_told_with_the_key(tmp_path: Path):
    root = _fill(tmp_path / "data", "a/1.png", "b/list.txt")
    _fill(tmp_path, "store/1.png")
    for index in range(3):
        (root / f"b/{index}.png").symlink_to(tmp_path / "store/1.png")
    with pytest.raises(UserError) as error:
        find(str(root))
    assert str(error.value) == (
        f"'{root}': the class 'b' has no file to train on: 3 x a link that leaves the folder of pictures; {_FOLLOWED}"
    )


def test_links_that_lead_nowhere_or_round_in_circles_are_told(tmp_path: Path):
    root = _fill(tmp_path / "data", "train/a/1.png", "train/b/1.png")
    (root / "itself").symlink_to("itself")
    (root / "train/a/one").symlink_to("other")
    (root / "train/a/other").symlink_to("one")
    (root / "train/a/long").symlink_to("x" * 300)
    (root / "train/a/root").symlink_to(root)
    (root / "train/b/split").symlink_to("..")
    layout = find(str(root))
    assert layout.splits == {"train": "train"}
    assert _problems(layout) == {
        "itself": "not in a class folder",
        "train/a/long": "a broken link",
        "train/a/one": "a broken link",
        "train/a/other": "a broken link",
        "train/a/root": "a link to a folder that is read anyway",
        "train/b/split": "a link to a folder that is read anyway",
    }


def test_folders_that_link_to_each_other_do_not_multiply(tmp_path: Path):
    # Read as it is written, the first folder would hold ten to the power of twelve files.
    root = _fill(tmp_path, "b/1.png", *(f"a/{level:02d}/1.png" for level in range(13)))
    for level in range(12):
        for link in range(10):
            (root / f"a/{level:02d}/link{link}").symlink_to(f"../{level + 1:02d}")
    layout = find(str(root))
    used = [file.path for file in layout.files if not file.problem]
    assert len(layout.files) < 500
    assert {f"a/{level:02d}/1.png" for level in range(13)} < set(used)
    assert set(_problems(layout).values()) == {"a link to a folder that is read anyway"}


def test_folders_may_lie_deep(tmp_path: Path):
    _fill(tmp_path, "a/1.png", "b/1.png")
    here = os.open(tmp_path / "a", os.O_RDONLY)
    for _ in range(1200):  # more than functions can call each other
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("2.png", os.O_CREAT, dir_fd=here))
    os.close(here)
    try:
        assert [file.path for file in find(str(tmp_path)).files] == ["a/1.png", f"a/{'d/' * 1200}2.png", "b/1.png"]
    finally:
        subprocess.run(["rm", "-r", str(tmp_path / "a")], check=True)  # Python's own way is recursive


def test_the_data_folder_itself_may_be_a_link(tmp_path: Path):
    root = _fill(tmp_path / "data", "a/1.png", "b/1.png")
    (root / "a/2.png").symlink_to("1.png")
    (tmp_path / "link").symlink_to(root)
    assert _problems(find(str(tmp_path / "link"))) == {}


def test_a_pipe_is_not_waited_for(tmp_path: Path):
    _fill(tmp_path, "a/1.png", "b/1.png")
    os.mkfifo(tmp_path / "a/pipe.png")
    assert _problems(find(str(tmp_path))) == {"a/pipe.png": "not a regular file"}


def test_hostile_file_names_are_files_like_others(tmp_path: Path):
    _fill(tmp_path, "a/1.png", "b/1.png")
    strange = [
        b"new\nline.png",
        b'quo"te, comma.png',
        b"=cmd().png",
        b"\xff\xfe.png",
        "ねこ.png".encode(),
        b"-rf *",
        b"<script>alert(1)<",
        b"x" * 255,
    ]
    for name in strange:
        (tmp_path / "a" / os.fsdecode(name)).write_bytes(b"")
    found = {os.fsencode(os.path.basename(file.path)) for file in find(str(tmp_path)).files}
    assert found == {b"1.png", *strange}


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        (["1.png"], "no class folder in '{root}'; expected {root}/<class>/<picture> or {root}/train/<class>"),
        (["a/1.png"], "'{root}' holds a single class, 'a'; a classifier needs two or more"),
        (["test/a/1.png", "test/b/1.png"], "'{root}' holds ['test'] and no train folder"),
        (
            ["train/1.png", "test/1.png"],
            "no class folder in the train folder of '{root}'; expected {root}/train/<class>/<picture>",
        ),
        (
            ["train/a/1.png", "train/b/notes.txt"],
            "'{root}' holds a single class, 'a' ('train/b': no file to use is in it); a classifier needs two or more",
        ),
        (
            ["a/notes.txt", "b/.x"],
            "'{root}' holds no class with a file ('a': no file to use is in it); a classifier needs two or more",
        ),
        (
            ["train/a/1.png", "train/b/1.png", "val/c/1.png"],
            "'{root}': the eval split holds the class 'c', which train lacks",
        ),
        (
            ["train/a/1.png", "val/a/1.png", "validation/a/1.png"],
            "'{root}' holds two eval folders, 'val' and 'validation'; keep one",
        ),
        (
            ["Cat/1.png", "cat/1.png"],
            "'{root}': the class folders 'Cat' and 'cat' differ only by case or accent form",
        ),
        (
            ["train/\u00e9/1.png", "train/e\u0301/1.png", "test/e\u0301/1.png"],
            "'{root}': the class folders 'e\u0301' and '\u00e9' differ only by case or accent form",
        ),
        (["a/1.png", "b\udcff/1.png"], "class folder '{root}/b\\udcff': the name is not valid UTF-8"),
    ],
)
def test_a_layout_that_is_neither_is_told_in_one_line(tmp_path: Path, paths: list[str], message: str):
    _fill(tmp_path, *paths)
    with pytest.raises(UserError) as error:
        find(str(tmp_path))
    assert str(error.value) == message.format(root=tmp_path)


def test_a_missing_folder_a_file_and_an_empty_class_are_told(tmp_path: Path):
    missing = tmp_path / "new\nline"
    file = _fill(tmp_path, "file") / "file"
    classes = _fill(tmp_path / "data", "a/1.png")
    (classes / "b").mkdir()
    for root, message in [
        (missing, f"data folder {str(missing)!r} does not exist"),
        (
            file,
            f"data folder '{file}' is a file; expected a folder of class folders, "
            f"or a table of labels (.csv, .tsv, .jsonl, .parquet)",
        ),
        (
            classes,
            f"'{classes}' holds a single class, 'a' ('b': no file to use is in it); a classifier needs two or more",
        ),
    ]:
        with pytest.raises(UserError) as error:
            find(str(root))
        assert str(error.value) == message


def test_a_class_folder_that_is_a_link_elsewhere_is_told(tmp_path: Path):
    root = _fill(tmp_path / "data", "a/1.png")
    _fill(tmp_path, "elsewhere/1.png")
    (root / "b").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError) as error:
        find(str(root))
    assert str(error.value) == f"class folder '{root}/b' is a link that leaves '{root}'; {_FOLLOWED}"


def test_a_class_to_be_measured_must_be_there_and_tested(tmp_path: Path):
    root = _fill(
        tmp_path, *(f"train/{name}/1.png" for name in ("cat", "dog", "rare")), "test/cat/1.png", "test/dog/1.png"
    )
    (root / "test/rare").mkdir()
    (root / "test/rare/gone.png").symlink_to("nowhere")
    layout = find(str(root))
    check_tested(layout, ["cat", "dog"], "gate.slices", "leave the class out of gate.slices")
    for name, message in [
        ("Cat", f"gate.slices: '{root}' holds no class 'Cat'; expected one of its 3 classes, such as 'cat'"),
        ("x", f"gate.slices: '{root}' holds no class 'x'; expected one of its 3 classes, such as 'cat', 'dog', 'rare'"),
        (
            "rare",
            f"gate.slices: the test split of '{root}' holds no picture of the class 'rare', whose accuracy can "
            f"therefore not be measured; add some or leave the class out of gate.slices",
        ),
    ]:
        with pytest.raises(UserError) as error:
            check_tested(layout, ["cat", name], "gate.slices", "leave the class out of gate.slices")
        assert str(error.value) == message


def test_without_a_test_folder_any_class_may_get_test_pictures(tmp_path: Path):
    check_tested(
        find(str(_fill(tmp_path, "a/1.png", "b/1.png"))),
        ["a", "b"],
        "gate.slices",
        "leave the class out of gate.slices",
    )
