"""The two sides of the comparison get the same pictures, and the script's one run gives both of its times."""

import functools
import json
from pathlib import Path

import pytest
from pictures import write_classes

from benchmarks import article, results
from benchmarks.measuring import Command, Line, Usage


def test_both_sides_get_each_content_once_in_the_same_splits(tmp_path: Path) -> None:
    write_classes(tmp_path / "data" / "train", {"cat": 12, "dog": 12})
    write_classes(tmp_path / "data" / "test", {"cat": 5, "dog": 5}, seed=100)
    copied = next((tmp_path / "data" / "test" / "cat").iterdir())
    (tmp_path / "data" / "train" / "cat" / "copy.png").write_bytes(copied.read_bytes())
    (tmp_path / "data" / "train" / "cat" / "broken.png").write_bytes(b"no picture")

    pictures = article.choose(article.read(tmp_path / "data"), 20)
    folders = [article.write_splits(pictures, seed, tmp_path / str(seed)) for seed in (0, 1)]

    assert len(pictures) == 20
    names = [
        {split: {path.name for path in (folder / split).rglob("*.*")} for split in ("train", "eval", "test")}
        for folder in folders
    ]
    assert [sum(map(len, splits.values())) for splits in names] == [20, 20]
    assert len(names[0]["test"]) == round(20 * 10 / 34)
    assert names[0]["test"] == names[1]["test"]
    assert names[0]["eval"] != names[1]["eval"]


def test_one_run_of_the_script_gives_stage_1_alone_and_both_stages() -> None:
    told = [("stage 1", 10, None), ("test 1", 12, 0.9), ("stage 2", 20, None), ("test 2", 22, 0.95)]
    lines = [
        Line(json.dumps({"done": done, "peak_bytes": 7, "accuracy": accuracy}), seconds, 2 * seconds)
        for done, seconds, accuracy in told
    ]
    found = article.plain_runs(Command(0, Usage(23.0, 46.0, 0.0), 9, lines))
    first, both = found[article.STAGE_1], found[article.BOTH]
    assert (first["seconds"], first["accuracy"], first["peak_bytes"]) == (12, 0.9, 7)
    assert (both["seconds"], both["accuracy"], both["peak_bytes"]) == (pytest.approx(21), 0.95, 9)
    assert both["cpu_seconds"] == pytest.approx(42)


def test_a_run_that_is_kept_is_not_measured_again(tmp_path: Path) -> None:
    found = [{article.STAGE_1: {"seconds": seconds}} for seconds in (1.0, 2.0)]
    first, again = (article._kept(tmp_path / "part.json", functools.partial(dict, one)) for one in found)
    assert first == again
    assert first[article.STAGE_1] == {"seconds": 1.0, "commit": results.commit()}
