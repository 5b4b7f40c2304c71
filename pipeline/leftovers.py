"""Clears up after runs that were killed: TFX itself leaves their half-written outputs, and a store that says "running".

For a pipeline root and a metadata store that no other run uses: the caller holds the lock.
"""

import glob
import os
import shutil

from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata
from tfx.types import standard_artifacts

from components import unfinished

_ACTIVE = (metadata_store_pb2.Execution.NEW, metadata_store_pb2.Execution.RUNNING)


def clear(connection: metadata_store_pb2.ConnectionConfig, pipeline_root: str) -> None:
    """Removes what a killed attempt at a step left, but for what the next attempt goes on from.

    Args:
      connection: the metadata store.
      pipeline_root: a local folder.
    """
    with metadata.Metadata(connection) as handle:
        killed = [one for one in handle.store.get_executions() if one.last_known_state in _ACTIVE]
        for execution in killed:
            # A folder an output and attempt: <node>/<output>/<execution>, and <node>/.system/<purpose>/<execution>.
            for pattern in ("*", os.path.join(".system", "*")):
                _remove(pipeline_root, os.path.join("*", pattern, str(execution.id)))
            execution.last_known_state = metadata_store_pb2.Execution.FAILED
        handle.store.put_executions(killed)
    _remove(pipeline_root, os.path.join("*", ".system", "stateful_working_dir", "*"))


def forget_removed_versions(connection: metadata_store_pb2.ConnectionConfig) -> None:
    """Lets a model that was published be published again where its version is gone from the serving folder.

    Pusher would answer from the cache that it is there. The cache only gives outputs that still exist, so the copy that
    Pusher keeps goes too.

    Args:
      connection: the metadata store.
    """
    with metadata.Metadata(connection) as handle:
        for pushed in handle.store.get_artifacts_by_type(standard_artifacts.PushedModel.TYPE_NAME):
            version = pushed.custom_properties["pushed_destination"].string_value
            if version and not os.path.exists(version):
                shutil.rmtree(pushed.uri, ignore_errors=True)


def clear_unfinished(pipeline_root: str) -> None:
    """Removes what attempts at other work left, with settings that a person gave up; to be called after a whole run.

    Args:
      pipeline_root: a local folder.
    """
    _remove(pipeline_root, os.path.join("*", "*", f"{unfinished.PREFIX}*"))


def _remove(root: str, pattern: str) -> None:
    for path in glob.glob(os.path.join(glob.escape(root), pattern)):
        shutil.rmtree(path)
