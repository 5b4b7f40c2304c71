import contextlib
import csv
import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import broken
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_data_validation as tfdv
from pictures import encode, make_pixels, make_scene, write_classes
from PIL import Image
from tfx.components.statistics_gen.executor import Executor as StatisticsGen
from tfx.types import standard_artifacts

from common import escaping, hashing, progress
from common.errors import TransientError, UserError
from common.examples import read_notes
from common.labels import read_labels
from components.image_example_gen import executor, layout
from components.image_example_gen.driver import fingerprint
from components.image_example_gen.executor import Executor
from components.image_example_gen.found_file import File
from components.image_example_gen.plan import Record
from imaging import orientation, picture_files

_BEAM = [
    "--runner=FnApiRunner",
    "--sdk_container_image=none",
    "--direct_running_mode=multi_threading",
    "--direct_num_workers=2",
]
_SPLITS = ("train", "eval", "test")


def _run(root: Path, output: Path, **changes: Any) -> standard_artifacts.Examples:
    settings = {
        "data": str(root),
        "eval_fraction": 0.2,
        "test_fraction": 0.2,
        "max_quarantined_fraction": 0.5,
        "max_pixels": 10_000,
        "layout": "auto",
        "follow_links": False,
        "strict": False,
        "group": "",
        "columns": {},
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
    names = ("found", "used", "duplicate", "quarantined", "not_pictures", "hidden", "classes", *_SPLITS)
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
    assert counts.items() >= {"found": 348, "used": 342, "duplicate": 1, "quarantined": 5, "classes": 2}.items()
    assert counts.items() >= {"not_pictures": 1, "hidden": 1}.items()
    assert sum(counts[split] for split in _SPLITS) == counts["used"]
    assert _table(examples, "quarantine.csv") == [
        ["file", "reason"],
        ["cat/=conflict.png", "same picture under two classes: cat, dog"],
        ["dog/000.png", "same picture under two classes: cat, dog"],
        ["dog/film.bmp", "too many bytes for a picture of 10000 pixels"],
        ["dog/half.jpg", "truncated or damaged"],
        ["dog/large.png", "more than 10000 pixels"],
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
        stored = tf.io.decode_image(row["image"], channels=3, expand_animations=False)
        picture = orientation.turn(stored, orientation.of(row["image"])).numpy()
        assert picture.shape == (row["height"], row["width"], 3)
        assert row["brightness"] == pytest.approx(
            np.asarray(Image.fromarray(picture).convert("L")).mean() / 255, abs=0.01
        )
    for name in ("cat/photo.jpg", "cat/turned.jpg", "dog/007.png"):
        assert rows[name]["image"] == (mixed / name).read_bytes()
        assert rows[name]["sha256"].decode() == hashing.sha256_of_file(str(mixed / name))
    turned = rows["cat/turned.jpg"]
    assert (turned["height"], turned["width"]) == (32, 24)
    assert turned["sha256"].decode() == hashing.sha256_of_file(str(mixed / "cat/turned.jpg"))
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
        "leakage.csv",
        "quarantine.csv",
        "thumbnails",
    ]


def test_statistics_gen_reads_the_examples(examples: standard_artifacts.Examples, tmp_path: Path):
    statistics = standard_artifacts.ExampleStatistics()
    statistics.uri = str(tmp_path)
    context = StatisticsGen.Context(
        beam_pipeline_args=["--runner=FnApiRunner", "--sdk_container_image=none"], tmp_dir=str(tmp_path), unique_id="1"
    )
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


def test_hostile_names_are_cells_like_others(tmp_path: Path):
    classes = ['"><img src=x onerror=alert(1)>', "-rf *", "two words; 'and' \"quotes\"", "\u202eねこ", "c,d"]
    root = write_classes(tmp_path / "data", dict.fromkeys(classes, 12))
    strange = [
        "=cmd()|' calc'!A0",
        "+1",
        "\t=1",
        "\r=1",
        "\n=1",
        "\uff1d1",
        " =1",
        "<script>alert(1)<",
        os.fsdecode(b"\xff"),
    ]
    strange += ["a;=1+1", "-" + "x" * 254, "\x1b[2J", "\\u0041", '"=1"']
    for name in strange:
        (root / name).touch()
        (root / classes[0] / name).touch()
    examples = _run(root, tmp_path / "examples")
    assert read_labels(examples.uri) == sorted(classes)
    cells = [row[0] for row in _table(examples, "quarantine.csv")[1:]]
    assert {escaping.unescape(cell.removeprefix("'")) for cell in cells} == {
        path for name in strange for path in (name, f"{classes[0]}/{name}")
    }
    assert not [cell for cell in cells if cell.lstrip()[:1] in tuple("=+-@") or not cell.isprintable()]
    # Each line holds a name: none breaks the line, and none that is split at semicolons begins like a formula.
    with open(os.path.join(examples.uri, "quarantine.csv"), encoding="utf-8") as file:
        lines = file.read().splitlines()
    assert len(lines) == 1 + len(cells)
    assert all(line.startswith('"') for line in lines)


def test_pictures_are_known_by_their_bytes_and_not_by_their_names(tmp_path: Path):
    root = write_classes(tmp_path / "data", {"a": 20, "b": 20})
    for index, (kind, data) in enumerate(broken.SOUND.items()):
        (root / "a" / f"{kind}{('.jpg', '.txt', '.png', '')[index % 4]}").write_bytes(data)
    (root / "b/text.jpg").write_text("a text")
    (root / "b/page.png").write_text("<html></html>")
    examples = _run(root, tmp_path / "examples")
    assert _counts(examples)["used"] == 40 + len(broken.SOUND)
    assert _table(examples, "quarantine.csv")[1:] == [
        ["b/page.png", "an HTML page in place of the file: the download failed, or asks for a login"],
        ["b/text.jpg", "not a picture, or its header is broken"],
    ]


def test_held_out_pictures_that_look_like_training_pictures_are_listed(tmp_path: Path):
    root = tmp_path / "data"
    for number, split in enumerate(("train", "eval", "test")):
        write_classes(root / split, {"=a": 5, "b": 5}, seed=5000 * number)
    scene = make_scene(0)
    (root / "train/=a/scene.png").write_bytes(encode(scene))
    (root / "eval/b/small.png").write_bytes(encode(scene.resize((160, 120))))
    (root / "test/=a/copy.jpg").write_bytes(encode(scene, "JPEG", quality=60))
    (root / "test/b/other.jpg").write_bytes(encode(make_scene(1), "JPEG"))
    examples = _run(root, tmp_path / "examples", max_pixels=100_000)
    rows = _table(examples, "leakage.csv")
    assert rows[0] == ["file", "split", "near", "distance"]
    assert sorted(row[:3] for row in rows[1:]) == [
        ["eval/b/small.png", "eval", "train/=a/scene.png"],
        ["test/=a/copy.jpg", "test", "train/=a/scene.png"],
    ]
    assert examples.get_int_custom_property("leakage") == 2
    counts = _counts(examples)
    assert counts["found"] == counts["used"] + counts["duplicate"] + counts["quarantined"]


def test_pictures_that_look_alike_stay_in_one_split_if_asked(tmp_path: Path):
    root = write_classes(tmp_path / "data", {"a": 10, "b": 10})
    for number in range(12):
        scene = make_scene(number)
        (root / f"a/scene {number}.png").write_bytes(encode(scene))
        (root / f"b/small {number}.png").write_bytes(encode(scene.resize((160, 120))))
    apart = _run(root, tmp_path / "apart", max_pixels=100_000)
    assert apart.get_int_custom_property("leakage") > 0
    assert read_notes(apart) == []
    together = _run(root, tmp_path / "together", max_pixels=100_000, group="likeness")
    assert together.get_int_custom_property("leakage") == 0
    assert read_notes(together) == ["44 pictures are in 32 groups, the largest of 2"]


Listen = Callable[[Callable[[], object]], None]


@pytest.fixture
def after_first_file() -> Iterator[Listen]:
    """Lets something happen once the first file is read."""

    def _listen(happen: Callable[[], object]) -> None:
        todo = [happen]

        def _tell(done: int, total: int, unit: str) -> None:
            if done and todo:
                todo.pop()()

        progress.listen(_tell)

    yield _listen
    progress.listen(None)


def _empty(root: Path) -> None:
    root.rename(root.with_name("elsewhere"))
    root.mkdir()


@pytest.mark.parametrize(
    ("happens", "message"),
    [
        (lambda root: root.rename(root.with_name("elsewhere")), "data folder '{root}' does not exist"),
        (_empty, "no class folder in '{root}'; expected "),
    ],
    ids=["unplugged", "unmounted"],
)
def test_a_data_folder_that_goes_away_is_told(
    tmp_path: Path, after_first_file: Listen, happens: Callable[[Path], None], message: str
):
    root = write_classes(tmp_path / "data", {"a": 150, "b": 150})
    for read in (
        lambda: _run(root, tmp_path / "examples", max_quarantined_fraction=1.0),
        lambda: fingerprint(str(root)),
    ):
        after_first_file(lambda: happens(root))
        with pytest.raises(UserError) as error:
            read()
        whole = f"the data folder disappeared while it was read: {message.format(root=root)}"
        assert str(error.value).startswith(whole)
        if root.exists():
            root.rmdir()
        (tmp_path / "elsewhere").rename(root)


def test_a_data_folder_that_goes_away_after_the_decision_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    root = write_classes(tmp_path / "data", {"a": 20, "b": 20})
    make_plan = Executor.Do.__globals__["make_plan"]

    def _decide_and_unplug(*args: Any, **kwargs: Any) -> Any:
        root.rename(tmp_path / "elsewhere")
        return make_plan(*args, **kwargs)

    monkeypatch.setitem(Executor.Do.__globals__, "make_plan", _decide_and_unplug)
    with pytest.raises(
        UserError, match=r"^the data folder disappeared while it was read: data folder '.*' does not exist$"
    ):
        _run(root, tmp_path / "examples")


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE])
def test_a_drive_that_lists_files_and_reads_none_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int):
    root = write_classes(tmp_path / "data", {"a": 20, "b": 20})

    def _fail(path: str, max_pixels: int) -> bytes:
        raise OSError(code, os.strerror(code), path)

    monkeypatch.setattr(picture_files, "read", _fail)
    with pytest.raises(UserError) as error:
        _run(root, tmp_path / "examples", max_quarantined_fraction=1.0)
    assert str(error.value) == f"no file in data folder '{root}' can be read: {os.strerror(code)}"


def test_a_file_that_vanishes_is_a_change(tmp_path: Path, after_first_file: Listen):
    root = write_classes(tmp_path / "data", {"a": 150, "b": 150})
    after_first_file(lambda: [path.unlink() for path in (root / "b").iterdir() if path.name > "100"])
    with pytest.raises(
        UserError, match=r"^data folder '.*' changed while it was read; run again when nothing changes it$"
    ):
        _run(root, tmp_path / "examples")


def test_a_file_that_appears_while_others_are_read_is_left_to_the_next_run(tmp_path: Path, after_first_file: Listen):
    root = write_classes(tmp_path / "data", {"a": 20, "b": 20})
    before = fingerprint(str(root))
    after_first_file(lambda: (root / "a/late.png").write_bytes(encode(make_pixels(99))))
    examples = _run(root, tmp_path / "examples", fingerprint=before)
    assert _counts(examples)["found"] == 40
    assert fingerprint(str(root)) != before


@contextlib.contextmanager
def _as_nobody() -> Iterator[None]:
    """Root may read everything."""
    if os.getuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_an_unreadable_file_is_quarantined_and_an_unreadable_folder_told():
    with tempfile.TemporaryDirectory() as folder:  # the tests' own is closed to others
        os.chmod(folder, 0o755)
        root = write_classes(Path(folder, "data"), {"a": 2, "b": 2})
        (root / "a/000.png").chmod(0)
        with _as_nobody():
            record = executor._examine_file(str(root), File("a/000.png", "train", "a"), 10_000)
        assert (record.sha256, record.file.problem) == ("", "cannot be read: Permission denied")
        (root / "b").chmod(0)
        with _as_nobody(), pytest.raises(UserError) as error:
            layout.find(str(root))
        assert str(error.value) == f"cannot list the folder '{root}/b': Permission denied"
        (root / "b").chmod(0o755)


def test_a_file_that_a_worker_alone_cannot_read_is_not_set_aside(tmp_path: Path) -> None:
    root = write_classes(tmp_path / "data", {"a": 1, "b": 1})
    found = layout.find(str(root))
    # As a worker without the volume says of it.
    lost = [Record(file._replace(problem="cannot be read: No such file or directory"), "") for file in found.files[:1]]
    with pytest.raises(
        TransientError, match=r"^'.*/a/000.png' cannot be read: No such file .* by a worker, and can be"
    ):
        executor._check_readable(lost, found, 10_000)


def test_a_file_that_changes_after_the_decision_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    root = write_classes(tmp_path / "data", {"a": 20, "b": 20})
    make_plan = Executor.Do.__globals__["make_plan"]

    def _decide_and_change(*args: Any, **kwargs: Any) -> Any:
        plan = make_plan(*args, **kwargs)
        (root / plan.splits["train"][0].file.path).write_bytes(encode(make_pixels(99)))
        return plan

    monkeypatch.setitem(Executor.Do.__globals__, "make_plan", _decide_and_change)
    with pytest.raises(UserError, match=r"^'.*/[ab]/\d+.png' changed while it was read; run again"):
        _run(root, tmp_path / "examples")
