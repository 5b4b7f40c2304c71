"""The metadata store, entered only where there is room for what will be written to it, and by one process at a time."""

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata
from tfx.types import Artifact, artifact_utils

from common import locks
from common.lineage import Lineage
from pipeline.engine import faults

_LOCK_SUFFIX = ".lock"


class RoomyMetadata(metadata.Metadata):
    """TFX's handle, which its launcher enters anew for each group of writes."""

    def __init__(
        self, connection: metadata_store_pb2.ConnectionConfig | metadata_store_pb2.MetadataStoreClientConfig
    ) -> None:
        """Opens nothing yet; the connection may be of any kind, though only a local file's disk is looked at."""
        super().__init__(connection)
        is_file = isinstance(connection, metadata_store_pb2.ConnectionConfig) and connection.HasField("sqlite")
        self._file = connection.sqlite.filename_uri if is_file else ""
        self._locks: list[contextlib.ExitStack] = []

    def __enter__(self) -> Any:
        """See `faults.check_room`, which may raise an OSError.

        Steps on Kubeflow may share a SQLite file, whose own locks make a process that comes second fail, not wait.
        """
        with contextlib.ExitStack() as stack:
            if self._file:
                faults.check_room(Path(self._file).parent)
                if not self._locks:
                    stack.enter_context(locks.hold(f"{self._file}{_LOCK_SUFFIX}"))
            entered = super().__enter__()
            stack.push(super().__exit__)
            self._locks.append(stack.pop_all())
            return entered

    @property
    def lineage(self) -> Lineage:
        """The way to walk the store while it is entered."""
        return Lineage(self.store)

    def __exit__(self, *raised: Any) -> None:
        """Leaves the store to the next process."""
        self._locks.pop().__exit__(*raised)


def as_tfx(lineage: Lineage, found: Mapping[str, Sequence[metadata_store_pb2.Artifact]]) -> dict[str, list[Artifact]]:
    """Artifacts by key, as `lineage` gives them, in the types that executors take."""
    kinds = {one.id: one for one in lineage.store.get_artifact_types()}
    return {key: [artifact_utils.deserialize_artifact(kinds[one.type_id], one) for one in found[key]] for key in found}
