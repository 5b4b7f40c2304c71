"""What a metadata store knows of runs: which step ran, when, on what, and what came of it.

In ML Metadata's own types, which take a tenth of a second to import; TFX takes three and a half.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2 as pb

# The pipeline, as the names of its nodes begin.
PIPELINE = "image_classification"
ACTIVE = (pb.Execution.NEW, pb.Execution.RUNNING)
SUCCEEDED = (pb.Execution.COMPLETE, pb.Execution.CACHED)

ByKey: TypeAlias = dict[str, list[pb.Artifact]]


class Lineage:
    """Walks a metadata store.

    Attributes:
      store: what is walked.
    """

    def __init__(self, store: mlmd.MetadataStore, root: Path | None = None) -> None:
        """Reads nothing yet.

        Args:
          store: open as long as this is used.
          root: the local folder where the pipeline's outputs are now: artifacts are given their paths in it, as it may
            have been moved since. None where it never is.
        """
        self.store = store
        self._root = root

    def executions(self, step: str | None = None, run_id: str | None = None) -> list[pb.Execution]:
        """The executions of a step, or of all, and of a run, or of all; the oldest first."""
        found = self._of_context("node", f"{PIPELINE}.{step}") if step else self.store.get_executions()
        if run_id:
            of_run = {one.id for one in self._of_context("pipeline_run", run_id)}
            found = [one for one in found if one.id in of_run]
        return sorted(found, key=lambda one: one.id)

    def step(self, execution: int) -> str:
        """The step that an execution is one of."""
        (node,) = (one for one in self.store.get_contexts_by_execution(execution) if one.type == "node")
        return str(node.name).rpartition(".")[2]

    def inputs(self, execution: int) -> ByKey:
        """What an execution read, by key."""
        return self._artifacts(execution, pb.Event.INPUT)

    def outputs(self, execution: int) -> ByKey:
        """What an execution wrote or took from the cache, by key."""
        return self._artifacts(execution, pb.Event.OUTPUT)

    def givers(self, artifacts: Iterable[int]) -> list[pb.Execution]:
        """The executions that have one of the artifacts among their outputs."""
        events = self.store.get_events_by_artifact_ids(list(artifacts))
        ids = {event.execution_id for event in events if event.type == pb.Event.OUTPUT}
        return list(self.store.get_executions_by_id(list(ids)))

    def _of_context(self, kind: str, name: str) -> list[pb.Execution]:
        context = self.store.get_context_by_type_and_name(kind, name)
        return list(self.store.get_executions_by_context(context.id)) if context else []

    def _artifacts(self, execution: int, kind: int) -> ByKey:
        events = [one for one in self.store.get_events_by_execution_ids([execution]) if one.type == kind]
        artifacts = {one.id: one for one in self.store.get_artifacts_by_id([event.artifact_id for event in events])}
        found: ByKey = {}
        for event in events:
            artifact = artifacts[event.artifact_id]
            if self._root is not None:
                artifact.uri = place(artifact.uri, self._root)
            found.setdefault(event.path.steps[0].key, []).append(artifact)
        return found


def place(uri: str, root: str | Path) -> str:
    """Where an artifact is, or was, in a pipeline root, wherever that was when it was written.

    Args:
      uri: as the store has it: `<root>/<node>/<output>/<execution>`.
      root: where that root is now.
    """
    return os.path.join(root, *uri.split("/")[-3:])


def open_for_reading(file: Path, root: Path) -> Lineage:
    """A SQLite store, which is not written to.

    Args:
      file: the database.
      root: as for `Lineage`.

    Raises:
      RuntimeError: it is damaged, locked, or of another version of ML Metadata.
    """
    connection = pb.ConnectionConfig()
    connection.sqlite.filename_uri = str(file)
    connection.sqlite.connection_mode = pb.SqliteMetadataSourceConfig.READONLY
    return Lineage(mlmd.MetadataStore(connection), root)
