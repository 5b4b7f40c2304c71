from pathlib import Path

from common.labels import read_labels, write_labels


def test_class_names_come_back_in_order(tmp_path: Path):
    labels = ["zebra", "a b", "ねこ", "two\nlines", "back\\slash", "=1+1"]
    write_labels(str(tmp_path), labels)
    assert read_labels(str(tmp_path)) == labels
    assert len((tmp_path / "labels.txt").read_text("utf-8").splitlines()) == len(labels)
