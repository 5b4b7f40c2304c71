"""A step that did not run is never taken for one that did."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from tfx.dsl.compiler import compiler
from tfx.orchestration import metadata

from pipeline import config, dag
from pipeline.engine.runner import StepFailedError, StepRunner


class _Watcher:
    def __init__(self) -> None:
        self.steps: list[tuple[str, str]] = []

    @contextlib.contextmanager
    def running(self, name: str) -> Iterator[None]:
        yield

    def step(self, name: str, state: str, seconds: float) -> None:
        self.steps.append((name, state))


def test_a_step_whose_inputs_cannot_be_resolved_fails_the_run(tmp_path: Path) -> None:
    pipeline = compiler.Compiler().compile(
        dag.create_pipeline(
            config.load(None, ["backbone.weights=random"], None, None),
            data=str(tmp_path),
            pipeline_root=str(tmp_path / "pipeline"),
            serving=str(tmp_path / "serving"),
            metadata=metadata.sqlite_metadata_connection_config(str(tmp_path / "metadata.db")),
        )
    )
    assert pipeline.nodes[0].pipeline_node.node_info.id == "ImageExampleGen"
    del pipeline.nodes[0]
    watcher = _Watcher()
    with pytest.raises(StepFailedError, match="StatisticsGen failed: its inputs could not be resolved"):
        StepRunner(watcher, lambda: False).run_with_ir(pipeline)
    assert watcher.steps == [("ImageSchema", "run"), ("StatisticsGen", "failed")]
