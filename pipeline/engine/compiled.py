"""The pipeline as TFX runs it, for processes that run one step of it: a step from the cache takes no TensorFlow."""

import importlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from common import fingerprint
from pipeline.config import Config, to_yaml
from pipeline.engine import kept
from pipeline.screen import output_to

if TYPE_CHECKING:
    from tfx.proto.orchestration import pipeline_pb2


def import_launcher() -> None:
    """Imports what launches a step, for which TFX takes TensorFlow for absent: it would take most of the time.

    TFX does without it, but for files that are not local: `with_tensorflow` mends that. TFX's components, of which the
    launcher takes constants that it has itself too, would be imported without what they need.
    """
    if "tensorflow" in sys.modules:
        return
    absent = [name for name in ("tensorflow", "tfx.components") if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]
    try:
        for name in ("leftovers", "runner"):
            importlib.import_module(f"pipeline.engine.{name}")
    finally:
        for name in absent:
            del sys.modules[name]


def with_tensorflow() -> None:
    """Imports TensorFlow, and lets TFX open files by it."""
    with output_to(Path(os.devnull)):  # where TensorFlow prints before TF_CPP_MIN_LOG_LEVEL counts
        importlib.import_module("tensorflow")
    from tfx.dsl.io.plugins import tensorflow_gfile

    if tensorflow_gfile.tf is None:
        importlib.reload(tensorflow_gfile)


def load(config: Config, *, data: str, pipeline_root: str, serving: str, folder: str | None) -> "pipeline_pb2.Pipeline":
    """The compiled pipeline; it names no metadata store, as the way to one holds a password.

    Args:
      config: as for `create_pipeline`.
      data: the same.
      pipeline_root: the same.
      serving: the same.
      folder: where it is kept, as in `kept.get`.
    """
    from tfx.proto.orchestration import pipeline_pb2

    depends = [to_yaml(config), data, pipeline_root, serving, fingerprint.of_code("pipeline.dag")]
    return pipeline_pb2.Pipeline.FromString(
        kept.get(folder, depends, lambda: _compile(config, data, pipeline_root, serving).SerializeToString())
    )


def _compile(config: Config, data: str, pipeline_root: str, serving: str) -> "pipeline_pb2.Pipeline":
    with_tensorflow()
    from ml_metadata.proto import metadata_store_pb2
    from tfx.dsl.compiler import compiler

    from pipeline.dag import create_pipeline

    none = metadata_store_pb2.ConnectionConfig(fake_database=metadata_store_pb2.FakeDatabaseConfig())
    return compiler.Compiler().compile(
        create_pipeline(config, data=data, pipeline_root=pipeline_root, serving=serving, metadata=none)
    )
