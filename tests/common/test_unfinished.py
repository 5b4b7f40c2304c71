"""Files of which only complete ones count."""

import contextlib
from pathlib import Path

import tensorflow as tf

from common import unfinished


def test_two_attempts_at_one_file_do_not_mix(tmp_path: Path) -> None:
    path = str(tmp_path / "shard")
    with contextlib.ExitStack() as first:
        orphan = first.enter_context(unfinished.record_writer(path))
        orphan.write(b"first")
        with unfinished.record_writer(path) as writer:
            writer.write(b"first")
            orphan.write(b"second")
            writer.write(b"second")
        assert records(path) == [b"first", b"second"]
    assert records(path) == [b"first", b"second"]


def test_what_an_attempt_did_not_finish_is_not_moved(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    with contextlib.suppress(RuntimeError), unfinished.record_writer(str(source / "broken")) as writer:
        writer.write(b"half")
        raise RuntimeError
    with unfinished.record_writer(str(source / "whole")):
        pass
    unfinished.move_files(str(source), str(target))
    assert [path.name for path in target.iterdir()] == ["whole"]


def records(path: str) -> list[bytes]:
    return list(tf.data.TFRecordDataset(path).as_numpy_iterator())
