"""What Pusher does: fills a hidden folder with the model and names it a version in one step."""

import os
import re
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from tfx import types
from tfx.components.pusher import executor as tfx_pusher
from tfx.dsl.io import fileio
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils
from tfx.utils import io_utils

from common import hashing, versions

_SAVED_MODEL = "saved_model.pb"


class Executor(tfx_pusher.Executor):
    """TFX's executor with a way of its own to copy the model."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Publishes the model as `<base directory>/<version>` if it is blessed. The arguments are TFX's.

        A version is the time in seconds, or one more than the newest version there, whichever is more; nothing is
        copied where the newest version is the same model already. The artifact
        `pushed_model` gets a copy of the model, and the custom properties that TFX gives it.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        pushed = artifact_utils.get_single_instance(output_dict["pushed_model"])
        if not self.CheckBlessing(input_dict):
            self._MarkNotPushed(pushed)
            return
        model = self.GetModelPath(input_dict)
        base = _base_directory(exec_properties["push_destination"])
        io_utils.copy_dir(model, pushed.uri)
        # Last, so that a step that fails has published nothing.
        version = _upload(model, base) if "://" in base else _publish(model, base)
        self._MarkPushed(pushed, pushed_destination=os.path.join(base, version), pushed_version=version)


def _base_directory(push_destination: str) -> str:
    return json_format.Parse(push_destination, pusher_pb2.PushDestination()).filesystem.base_directory


def _publish(model: str, base: str) -> str:
    """Copies into a folder; returns the version.

    The newest version stays the newest if it is this very model: a run may be killed when it has published a model and
    the metadata store does not know yet.
    """
    newest = versions.newest(base)
    if newest is not None and _hashes(model) == _hashes(os.path.join(base, newest)):
        return newest
    with versions.new_version(base) as (version, folder):
        io_utils.copy_dir(model, folder)
    return version


def _hashes(folder: str) -> dict[str, str]:
    """SHA-256 of each file, by its path in the folder."""
    files = [path for path in Path(folder).rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashing.sha256_if_readable(path) for path in files}


def _upload(model: str, base: str) -> str:
    """Copies to an object store, which cannot rename a folder in one step; returns the version.

    `saved_model.pb`, without which nobody can load a model, comes last: a server that looks too early finds no model
    there and tries again. Of two uploads in the same second both may take the same version.
    """
    fileio.makedirs(base)
    version = versions.next_number(name.rstrip("/") for name in fileio.listdir(base))
    destination = os.path.join(base, version)
    io_utils.copy_dir(model, destination, deny_regex_patterns=[f"/{re.escape(_SAVED_MODEL)}$"])
    io_utils.copy_file(os.path.join(model, _SAVED_MODEL), os.path.join(destination, _SAVED_MODEL))
    return version
