"""Pusher: TFX's, but whoever watches the folder of published models never finds half a version.

TFX copies a model into `<version>/` file by file, and a server that polls the folder may load it in the middle.
"""

from tfx.components import Pusher as TfxPusher
from tfx.dsl.components.base import executor_spec

from components.pusher import executor


class Pusher(TfxPusher):
    """Publishes a blessed model, whole or not at all."""

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)
