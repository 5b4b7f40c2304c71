"""Clears up after runs that were killed: TFX itself leaves their half-written outputs, and a store that says "running".

For a pipeline root and a metadata store, or a node of them, that no other run uses: the caller holds the lock.
"""

import glob
import os
import shutil

from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.io import fileio
from tfx.orchestration import metadata
from tfx.types import standard_artifacts

from common import lineage, unfinished
from common.lineage import ACTIVE
from pipeline.engine.store import RoomyMetadata


def clear(
    connection: metadata.ConnectionConfigType, pipeline_root: str, step: str | None = None, run_id: str | None = None
) -> None:
    """Removes what killed attempts left, but for what the next attempt goes on from.

    Args:
      connection: the metadata store.
      pipeline_root: a folder, or an address that TFX can open.
      step: the step whose attempts are cleared; None for those at all steps.
      run_id: the run whose attempts are cleared; None for those of all runs.
    """
    with RoomyMetadata(connection) as handle:
        killed = [one for one in handle.lineage.executions(step, run_id) if one.last_known_state in ACTIVE]
        if not killed:
            return
        steps = [os.path.join(pipeline_root, step)] if step else _folders(pipeline_root)
        # <step>/<output>/<execution>, and <step>/.system/<purpose>/<execution>
        above = [folder for one in steps for folder in (*_folders(one), *_folders(os.path.join(one, ".system")))]
        for execution in killed:
            for folder in above:
                _remove_folder(os.path.join(folder, str(execution.id)))
            execution.last_known_state = metadata_store_pb2.Execution.FAILED
        handle.store.put_executions(killed)


def _folders(path: str) -> list[str]:
    return [os.path.join(path, name.rstrip("/")) for name in fileio.listdir(path)] if fileio.isdir(path) else []


def _remove_folder(path: str) -> None:
    if fileio.isdir(path):
        fileio.rmtree(path)


def follow(connection: metadata_store_pb2.ConnectionConfig, pipeline_root: str) -> None:
    """Lets the store follow an output folder that was moved or copied.

    Where the folder was before, there may be another run's files by now, which would be taken for this one's.

    Args:
      connection: the metadata store.
      pipeline_root: the local folder that all artifacts of the store belong into.
    """
    with RoomyMetadata(connection) as handle:
        elsewhere = [one for one in handle.store.get_artifacts() if not one.uri.startswith(f"{pipeline_root}/")]
        for artifact in elsewhere:
            artifact.uri = lineage.place(artifact.uri, pipeline_root)
        handle.store.put_artifacts(elsewhere)


def forget_removed_versions(connection: metadata_store_pb2.ConnectionConfig) -> None:
    """Lets a model that was published be published again where its version is gone from the serving folder.

    Pusher would answer from the cache that it is there. The cache only gives outputs that still exist, so the copy that
    Pusher keeps goes too.

    Args:
      connection: the metadata store.
    """
    with RoomyMetadata(connection) as handle:
        for pushed in handle.store.get_artifacts_by_type(standard_artifacts.PushedModel.TYPE_NAME):
            version = pushed.custom_properties["pushed_destination"].string_value
            if version and not os.path.exists(version):
                shutil.rmtree(pushed.uri, ignore_errors=True)


def clear_unfinished(pipeline_root: str, node: str = "*") -> None:
    """Removes what attempts at other work left, with settings that a person gave up or that failed.

    Args:
      pipeline_root: a local folder.
      node: the node that has just run; all of them by default, for the end of a whole run.
    """
    for pattern in (f"*/{unfinished.PREFIX}*", ".system/stateful_working_dir/*"):
        for path in glob.glob(os.path.join(glob.escape(pipeline_root), node, pattern)):
            shutil.rmtree(path)
