"""What people tell runs apart by in Kubeflow: their names and descriptions."""

from common import hashing
from pipeline import config as configuration
from pipeline.config import Config
from pipeline.kubeflow.pipeline_file import PipelineFile

_LONGEST = 255  # as KFP's database has it, for each of the two
_LONGEST_PATH = 150


def name(pipeline: PipelineFile, config: Config) -> str:
    """The pipeline, its backbone and its data: the same for all runs that train the same on the same."""
    return f"{pipeline.name} {config.backbone.name} {_data(config)}"


def description(pipeline: PipelineFile, config: Config) -> str:
    """The data, a hash of all settings, and the image.

    The pictures themselves lie where the steps see them, and change between the runs of a schedule: the metadata store
    has their fingerprint, with each execution of ImageExampleGen.
    """
    settings = hashing.sha256_of_bytes(configuration.to_yaml(config, without=["output"]).encode())
    return f"data {_data(config)}; settings {settings[:12]}; image {', '.join(pipeline.images)}"[:_LONGEST]


def _data(config: Config) -> str:
    path = config.data or "sample"
    return path if len(path) <= _LONGEST_PATH else f"...{path[3 - _LONGEST_PATH :]}"
