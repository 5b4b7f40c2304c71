"""The metadata store, entered only where there is room for what will be written to it."""

from pathlib import Path
from typing import Any

from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata

from pipeline import faults


class RoomyMetadata(metadata.Metadata):
    """TFX's handle, which its launcher enters anew for each group of writes."""

    def __init__(self, connection: metadata_store_pb2.ConnectionConfig) -> None:
        """Opens nothing yet; the connection may be of any kind, though only a local file's disk is looked at."""
        super().__init__(connection)
        self._file = connection.sqlite.filename_uri

    def __enter__(self) -> Any:
        """See `faults.check_room`, which may raise an OSError."""
        if self._file:
            faults.check_room(Path(self._file).parent)
        return super().__enter__()
