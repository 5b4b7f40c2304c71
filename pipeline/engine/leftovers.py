"""Clears up after runs that were killed: TFX itself leaves their half-written outputs, and a store that says "running".

For a pipeline root and a metadata store, or a node of them, that no other run uses: the caller holds the lock.
"""

import glob
import os
import shutil

from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.compiler import constants
from tfx.dsl.io import fileio
from tfx.types import standard_artifacts

from common import unfinished
from pipeline.engine.store import RoomyMetadata

_ACTIVE = (metadata_store_pb2.Execution.NEW, metadata_store_pb2.Execution.RUNNING)


def clear(connection: metadata_store_pb2.ConnectionConfig, pipeline_root: str) -> None:
    """Removes what a killed attempt at a step left, but for what the next attempt goes on from.

    Args:
      connection: the metadata store.
      pipeline_root: a local folder.
    """
    with RoomyMetadata(connection) as handle:
        killed = [one for one in handle.store.get_executions() if one.last_known_state in _ACTIVE]
        for execution in killed:
            # A folder an output and attempt: <node>/<output>/<execution>, and <node>/.system/<purpose>/<execution>.
            for pattern in ("*", os.path.join(".system", "*")):
                _remove(pipeline_root, os.path.join("*", pattern, str(execution.id)))
            execution.last_known_state = metadata_store_pb2.Execution.FAILED
        handle.store.put_executions(killed)
    _remove(pipeline_root, os.path.join("*", ".system", "stateful_working_dir", "*"))


def clear_node(
    handle: RoomyMetadata, pipeline_root: str, pipeline_name: str, node: str, run_id: str | None = None
) -> None:
    """Removes what killed attempts at one node left, but for what the next attempt goes on from.

    Args:
      handle: the metadata store, entered.
      pipeline_root: a folder, or an address that TFX can open.
      pipeline_name: the pipeline's.
      node: the node's id.
      run_id: the run whose attempts are cleared; None for those of all runs.
    """
    executions = _executions(handle, constants.NODE_CONTEXT_TYPE_NAME, f"{pipeline_name}.{node}")
    if run_id is not None:
        of_run = {one.id for one in _executions(handle, constants.PIPELINE_RUN_CONTEXT_TYPE_NAME, run_id)}
        executions = [one for one in executions if one.id in of_run]
    killed = [one for one in executions if one.last_known_state in _ACTIVE]
    if not killed:
        return
    root = os.path.join(pipeline_root, node)
    system = os.path.join(root, ".system")
    outputs = [folder for above in (root, system) for folder in _folders(above)]
    for execution in killed:
        for folder in outputs:
            _remove_folder(os.path.join(folder, str(execution.id)))
        execution.last_known_state = metadata_store_pb2.Execution.FAILED
    _remove_folder(os.path.join(system, "stateful_working_dir"))
    handle.store.put_executions(killed)


def _executions(handle: RoomyMetadata, context_type: str, name: str) -> list[metadata_store_pb2.Execution]:
    context = handle.store.get_context_by_type_and_name(context_type, name)
    return handle.store.get_executions_by_context(context.id) if context else []


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
            # <root>/<node>/<output>/<execution>
            artifact.uri = os.path.join(pipeline_root, *artifact.uri.split("/")[-3:])
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
    """Removes what attempts at other work left, with settings that a person gave up.

    Args:
      pipeline_root: a local folder.
      node: the node that has just run; all of them by default, for the end of a whole run.
    """
    _remove(pipeline_root, os.path.join(node, "*", f"{unfinished.PREFIX}*"))


def _remove(root: str, pattern: str) -> None:
    for path in glob.glob(os.path.join(glob.escape(root), pattern)):
        shutil.rmtree(path)
