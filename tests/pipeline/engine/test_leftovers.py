"""What killed attempts at a node left goes, and nothing that may be another's."""

from pathlib import Path

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.orchestration import metadata

from common.lineage import PIPELINE
from pipeline.engine import leftovers
from pipeline.engine.store import RoomyMetadata


class _Store:
    """Attempts at nodes, each with a half-written output folder."""

    def __init__(self, root: Path) -> None:
        self.root = root / "pipeline"
        self.handle = RoomyMetadata(metadata.sqlite_metadata_connection_config(str(root / "metadata.db")))
        with self.handle as handle:
            self._execution_type = handle.store.put_execution_type(mlmd.ExecutionType(name="Step"))
            self._context_types = {
                name: handle.store.put_context_type(mlmd.ContextType(name=name)) for name in ("node", "pipeline_run")
            }

    def add(self, node: str, run_id: str, state: int) -> int:
        contexts = [
            mlmd.Context(type_id=self._context_types[kind], name=name)
            for kind, name in (("node", f"{PIPELINE}.{node}"), ("pipeline_run", run_id))
        ]
        execution = mlmd.Execution(type_id=self._execution_type, last_known_state=state)
        with self.handle as handle:
            number, _, _ = handle.store.put_execution(execution, [], contexts, reuse_context_if_already_exist=True)
        for folder in ("output", ".system/executor_execution"):
            (self.root / node / folder / str(number)).mkdir(parents=True)
        return int(number)

    def clear(self, node: str | None, run_id: str | None = None) -> None:
        leftovers.clear(self.handle.connection_config, str(self.root), node, run_id)

    def state(self, number: int) -> int:
        with self.handle as handle:
            (execution,) = handle.store.get_executions_by_id([number])
            return execution.last_known_state

    def folders(self, node: str, number: int) -> list[Path]:
        return [*self.root.glob(f"{node}/*/{number}"), *self.root.glob(f"{node}/.system/*/{number}")]


@pytest.fixture
def store(tmp_path: Path) -> _Store:
    return _Store(tmp_path)


def test_only_the_node_s_own_unfinished_attempts_are_cleared(store: _Store) -> None:
    killed, done = store.add("A", "1", mlmd.Execution.RUNNING), store.add("A", "2", mlmd.Execution.COMPLETE)
    other = store.add("B", "1", mlmd.Execution.RUNNING)
    (store.root / "A" / "output" / ".unfinished-0123").mkdir()
    store.clear("A")
    assert store.state(killed) == mlmd.Execution.FAILED
    assert not store.folders("A", killed)
    assert store.state(done) == mlmd.Execution.COMPLETE
    assert len(store.folders("A", done)) == 2
    assert store.state(other) == mlmd.Execution.RUNNING
    assert len(store.folders("B", other)) == 2
    assert (store.root / "A" / "output" / ".unfinished-0123").exists(), "the next attempt goes on from it"


def test_under_a_lock_of_the_whole_folder_the_attempts_at_all_nodes_are_cleared(store: _Store) -> None:
    killed = {node: store.add(node, run_id, mlmd.Execution.RUNNING) for node, run_id in (("A", "1"), ("B", "2"))}
    done = store.add("A", "2", mlmd.Execution.COMPLETE)
    store.clear(None)
    for node, number in killed.items():
        assert store.state(number) == mlmd.Execution.FAILED
        assert not store.folders(node, number)
    assert store.state(done) == mlmd.Execution.COMPLETE
    assert len(store.folders("A", done)) == 2


def test_without_a_lock_only_the_run_s_own_attempts_are_cleared(store: _Store) -> None:
    mine, elsewhere = store.add("A", "1", mlmd.Execution.RUNNING), store.add("A", "2", mlmd.Execution.RUNNING)
    store.clear("A", run_id="1")
    assert (store.state(mine), store.state(elsewhere)) == (mlmd.Execution.FAILED, mlmd.Execution.RUNNING)
    assert (len(store.folders("A", mine)), len(store.folders("A", elsewhere))) == (0, 2)


def test_a_node_that_never_ran_has_left_nothing(store: _Store) -> None:
    store.clear("A")
