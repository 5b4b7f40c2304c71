import os
from pathlib import Path

import pytest
from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2
from pictures import encode, make_pixels, write_classes
from tfx.orchestration import metadata, pipeline
from tfx.orchestration.local.local_dag_runner import LocalDagRunner

from common.errors import UserError
from components.image_example_gen.component import ImageExampleGen
from components.image_example_gen.driver import fingerprint


class _Pipeline:
    """Runs the step alone, under TFX's own launcher and cache."""

    def __init__(self, root: Path, output: Path) -> None:
        self.root = root
        self._output = output
        self._connection = metadata.sqlite_metadata_connection_config(str(output / "metadata.sqlite"))

    def run(self, eval_fraction: float = 0.2, max_pixels: int = 10_000) -> str:
        """The state of the execution: COMPLETE or CACHED."""
        step = ImageExampleGen(
            data=str(self.root),
            eval_fraction=eval_fraction,
            test_fraction=0.2,
            max_quarantined_fraction=0.5,
            max_pixels=max_pixels,
            layout="auto",
            follow_links=False,
            strict=False,
            group="",
            columns={},
        )
        LocalDagRunner().run(
            pipeline.Pipeline(
                pipeline_name="test",
                pipeline_root=str(self._output),
                components=[step],
                enable_cache=True,
                metadata_connection_config=self._connection,
                beam_pipeline_args=["--runner=FnApiRunner", "--sdk_container_image=none"],
            )
        )
        newest = max(MetadataStore(self._connection).get_executions(), key=lambda execution: execution.id)
        return metadata_store_pb2.Execution.State.Name(newest.last_known_state)


@pytest.fixture
def example_gen(tmp_path: Path) -> _Pipeline:
    return _Pipeline(write_classes(tmp_path / "data", {"a": 20, "b": 20}), tmp_path / "output")


def test_the_cache_knows_the_data_by_its_content(example_gen: _Pipeline):
    assert example_gen.run() == "COMPLETE"
    for path in example_gen.root.rglob("*.png"):
        os.utime(path, (1, 1))
    assert example_gen.run() == "CACHED"
    changed = example_gen.root / "a/003.png"
    before = changed.read_bytes()
    changed.write_bytes(encode(make_pixels(77, 32, 32)))
    assert example_gen.run() == "COMPLETE"
    changed.write_bytes(before)
    assert example_gen.run() == "CACHED"
    assert example_gen.run(eval_fraction=0.3) == "COMPLETE"


def test_a_label_changed_in_a_table_is_a_change(tmp_path: Path):
    root = write_classes(tmp_path / "data", {"a": 20, "b": 20})
    rows = [f"{path.relative_to(root)},{path.parent.name}\n" for path in sorted(root.rglob("*.png"))]
    table = root / "labels.csv"
    table.write_text("".join(["file_name,label\n", *rows]))
    step = _Pipeline(table, tmp_path / "output")
    assert step.run() == "COMPLETE"
    table.write_text("".join(["file_name,label,note\n", *(f"{row.strip()},x\n" for row in reversed(rows))]))
    assert step.run() == "CACHED", "written otherwise, it says the same"
    table.write_text("".join(["file_name,label\n", rows[0].replace(",a", ",b"), *rows[1:]]))
    assert step.run() == "COMPLETE"


def test_a_user_error_reaches_the_caller_as_such(example_gen: _Pipeline):
    with pytest.raises(UserError, match="40 of 40 files cannot be used"):
        example_gen.run(max_pixels=1)
    for path in (example_gen.root / "b").iterdir():
        path.unlink()
    with pytest.raises(UserError, match="holds a single class, 'a'"):
        example_gen.run()


def test_the_fingerprint_changes_with_bytes_and_names_alone(tmp_path: Path):
    root = write_classes(tmp_path / "data", {"a": 3, "b": 3})
    first = fingerprint(str(root))
    moved = root.rename(tmp_path / "elsewhere")
    assert fingerprint(str(moved)) == first
    seen = {first}
    (moved / "a/000.png").rename(moved / "a/new.png")
    seen.add(fingerprint(str(moved)))
    (moved / "a/new.png").write_bytes((moved / "a/new.png").read_bytes() + b"\0")
    seen.add(fingerprint(str(moved)))
    (moved / "a/more.png").write_bytes(b"")
    seen.add(fingerprint(str(moved)))
    (moved / "b/002.png").unlink()
    seen.add(fingerprint(str(moved)))
    (moved / "b/001.png").rename(moved / "a/001b.png")
    seen.add(fingerprint(str(moved)))
    assert len(seen) == 6
