import csv
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_data_validation as tfdv
from pictures import encode, make_pixels, write_classes
from PIL import Image
from tfx.components.statistics_gen.executor import Executor as StatisticsGen
from tfx.types import standard_artifacts

from components.errors import UserError
from components.image_example_gen import content
from components.image_example_gen.driver import fingerprint
from components.image_example_gen.executor import Executor
from components.labels import read_labels

_BEAM = ["--runner=FnApiRunner", "--direct_running_mode=multi_threading", "--direct_num_workers=2"]
_SPLITS = ("train", "eval", "test")


def _run(root: Path, output: Path, **changes: Any) -> standard_artifacts.Examples:
    settings = {
        "data": str(root),
        "eval_fraction": 0.2,
        "test_fraction": 0.2,
        "max_quarantined_fraction": 0.5,
        "max_pixels": 10_000,
        **changes,
    }
    examples = standard_artifacts.Examples()
    examples.uri = str(output)
    context = Executor.Context(beam_pipeline_args=list(_BEAM))
    Executor(context).Do({}, {"examples": [examples]}, settings)
    return examples


def _shards(examples: standard_artifacts.Examples, split: str) -> list[str]:
    return sorted(str(path) for path in Path(examples.uri, f"Split-{split}").iterdir())


def _read(examples: standard_artifacts.Examples, split: str) -> list[dict[str, Any]]:
    """The examples of a split, each feature's only value by its name."""
    rows = []
    for record in tf.data.TFRecordDataset(_shards(examples, split)).as_numpy_iterator():
        features = tf.train.Example.FromString(record).features.feature
        values = {name: getattr(feature, feature.WhichOneof("kind")).value for name, feature in features.items()}
        assert all(len(value) == 1 for value in values.values())
        rows.append({name: value[0] for name, value in values.items()})
    return rows


def _table(examples: standard_artifacts.Examples, name: str) -> list[list[str]]:
    with open(os.path.join(examples.uri, name), newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def _counts(examples: standard_artifacts.Examples) -> dict[str, int]:
    names = ("found", "used", "duplicate", "quarantined", "classes", *_SPLITS)
    return {name: examples.get_int_custom_property(name) for name in names}


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with everything that can happen to a file."""
    root = write_classes(tmp_path_factory.mktemp("data"), {"dog": 300, "cat": 40})
    exif = Image.Exif()
    exif[0x0112] = 6
    (root / "cat/turned.jpg").write_bytes(encode(make_pixels(1), "JPEG", exif=exif))
    (root / "cat/photo.jpg").write_bytes(encode(make_pixels(2), "JPEG"))
    (root / "cat" / os.fsdecode(b"new\nline,\xff.png")).write_bytes(encode(make_pixels(3)))
    (root / "cat/=copy.png").write_bytes((root / "cat/000.png").read_bytes())
    (root / "cat/=conflict.png").write_bytes((root / "dog/000.png").read_bytes())
    (root / "dog/.DS_Store").write_bytes(b"Bud1")
    (root / "dog/half.jpg").write_bytes((root / "cat/photo.jpg").read_bytes()[:-100])
    (root / "dog/large.png").write_bytes(encode(make_pixels(4, 101, 100)))
    (root / "dog/film.bmp").touch()
    os.truncate(root / "dog/film.bmp", 2 << 20)
    (root / "notes.txt").write_text("")
    return root


@pytest.fixture(scope="module")
def examples(mixed: Path, tmp_path_factory: pytest.TempPathFactory) -> standard_artifacts.Examples:
    return _run(mixed, tmp_path_factory.mktemp("examples"), fingerprint=fingerprint(str(mixed)))


def test_each_file_is_accounted_for(examples: standard_artifacts.Examples):
    counts = _counts(examples)
    assert counts.items() >= {"found": 350, "used": 342, "duplicate": 1, "quarantined": 7, "classes": 2}.items()
    assert sum(counts[split] for split in _SPLITS) == counts["used"]
    assert _table(examples, "quarantine.csv") == [
        ["file", "reason"],
        ["cat/=conflict.png", "same picture under two classes: cat, dog"],
        ["dog/.DS_Store", "not a picture, or its header is broken"],
        ["dog/000.png", "same picture under two classes: cat, dog"],
        ["dog/film.bmp", "too many bytes for a picture of 10000 pixels"],
        ["dog/half.jpg", "truncated or damaged"],
        ["dog/large.png", "more than 10000 pixels"],
        ["notes.txt", "not in a class folder"],
    ]
    assert _table(examples, "duplicates.csv") == [["file", "kept"], ["cat/=copy.png", "cat/000.png"]]


def test_examples_hold_the_pictures_and_what_is_known_of_them(mixed: Path, examples: standard_artifacts.Examples):
    assert examples.splits == list(_SPLITS)
    assert read_labels(examples.uri) == ["cat", "dog"]
    rows = {row["file_name"].decode(): row for split in _SPLITS for row in _read(examples, split)}
    assert len(rows) == 342
    for name, row in rows.items():
        assert row["class_name"].decode() == name.split("/")[0]
        assert row["label"] == ["cat", "dog"].index(row["class_name"].decode())
        picture = tf.io.decode_image(row["image"], channels=3, expand_animations=False).numpy()
        assert picture.shape == (row["height"], row["width"], 3)
        assert row["brightness"] == pytest.approx(
            np.asarray(Image.fromarray(picture).convert("L")).mean() / 255, abs=0.01
        )
    for name in ("cat/photo.jpg", "dog/007.png"):
        assert rows[name]["image"] == (mixed / name).read_bytes()
        assert rows[name]["sha256"].decode() == content.sha256_of(str(mixed / name))
    turned = rows["cat/turned.jpg"]
    assert (turned["height"], turned["width"]) == (32, 24)
    assert turned["sha256"].decode() == content.sha256_of(str(mixed / "cat/turned.jpg"))
    assert "cat/new\\u000aline,\\udcff.png" in rows


def test_shards_are_small_and_in_the_order_of_the_hashes(examples: standard_artifacts.Examples):
    hashes = [row["sha256"] for row in _read(examples, "train")]
    assert hashes == sorted(hashes)
    for split in _SPLITS:
        shards = [os.path.basename(shard) for shard in _shards(examples, split)]
        count = -(-_counts(examples)[split] // 256)
        assert shards == [f"examples-{index:05d}-of-{count:05d}.tfrecord" for index in range(count)]
    assert sorted(os.listdir(examples.uri)) == [
        "Split-eval",
        "Split-test",
        "Split-train",
        "duplicates.csv",
        "labels.txt",
        "quarantine.csv",
    ]


def test_statistics_gen_reads_the_examples(examples: standard_artifacts.Examples, tmp_path: Path):
    statistics = standard_artifacts.ExampleStatistics()
    statistics.uri = str(tmp_path)
    context = StatisticsGen.Context(beam_pipeline_args=["--runner=FnApiRunner"], tmp_dir=str(tmp_path), unique_id="1")
    StatisticsGen(context).Do({"examples": [examples]}, {"statistics": [statistics]}, {"exclude_splits": "[]"})
    for split in _SPLITS:
        read = tfdv.load_stats_binary(str(tmp_path / f"Split-{split}" / "FeatureStats.pb"))
        assert read.datasets[0].num_examples == _counts(examples)[split]


def test_split_folders_are_kept_and_the_missing_one_is_cut(tmp_path: Path):
    root = tmp_path / "data"
    write_classes(root / "training_set", {"a": 30, "b": 30})
    write_classes(root / "test_set", {"a": 5, "b": 5}, seed=500)
    (root / "training_set/a/leak.png").write_bytes((root / "test_set/a/000.png").read_bytes())
    examples = _run(root, tmp_path / "examples")
    names = {split: {row["file_name"].decode() for row in _read(examples, split)} for split in _SPLITS}
    assert names["test"] == {f"test_set/{name}/{index:03d}.png" for name in "ab" for index in range(5)}
    assert len(names["train"] | names["eval"]) == 60
    assert names["eval"]
    assert _table(examples, "duplicates.csv")[1:] == [["training_set/a/leak.png", "test_set/a/000.png"]]


def test_the_same_pictures_elsewhere_give_the_same_bytes(tmp_path: Path):
    one = _run(write_classes(tmp_path / "one", {"a": 20, "b": 20}), tmp_path / "first")
    # Written the other way round, the folder lists its files in another order.
    copy = tmp_path / "two"
    for path in sorted((tmp_path / "one").rglob("*.png"), reverse=True):
        (copy / path.parent.name).mkdir(parents=True, exist_ok=True)
        (copy / path.parent.name / path.name).write_bytes(path.read_bytes())
    two = _run(copy, tmp_path / "second")
    for split in _SPLITS:
        for first, second in zip(_shards(one, split), _shards(two, split), strict=True):
            assert Path(first).read_bytes() == Path(second).read_bytes()
    assert one.get_string_custom_property("fingerprint") == two.get_string_custom_property("fingerprint")


def test_cells_that_begin_like_formulas_are_defused(tmp_path: Path):
    root = write_classes(tmp_path / "data", {"=a": 20, "@b": 20})
    (root / "=a/bad.png").touch()
    assert _table(_run(root, tmp_path / "examples"), "quarantine.csv")[1:] == [["'=a/bad.png", "empty file"]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"max_quarantined_fraction": 0.01},
            "7 of 350 files cannot be used, more than max_quarantined_fraction 0.01 allows: 2 x same ",
        ),
        ({"test_fraction": 0.0}, "the test split is empty, with 342 usable pictures in all; "),
        ({"fingerprint": "of other files"}, "data folder '{root}' changed while it was read; run again "),
        ({"data": "/no/such/folder"}, "data folder '/no/such/folder' does not exist"),
    ],
)
def test_what_a_user_can_mend_is_told_as_such(mixed: Path, tmp_path: Path, changes: dict[str, Any], message: str):
    with pytest.raises(UserError) as error:
        _run(mixed, tmp_path, **changes)
    assert str(error.value).startswith(message.format(root=mixed))
    assert "\n" not in str(error.value)


def test_a_file_that_changes_after_the_decision_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    root = write_classes(tmp_path / "data", {"a": 20, "b": 20})
    make_plan = Executor.Do.__globals__["make_plan"]

    def _decide_and_change(*args: Any, **kwargs: Any) -> Any:
        plan = make_plan(*args, **kwargs)
        (root / plan.splits["train"][0].path).write_bytes(encode(make_pixels(99)))
        return plan

    monkeypatch.setitem(Executor.Do.__globals__, "make_plan", _decide_and_change)
    with pytest.raises(UserError, match=r"^'.*/[ab]/\d+.png' changed while it was read; run again"):
        _run(root, tmp_path / "examples")
