"""The steps of the TFX pipeline as a scheduler sees them."""

from typing import NamedTuple

from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.compiler import compiler

from pipeline.config import Config
from pipeline.dag import create_pipeline


class Step(NamedTuple):
    """One node of the pipeline.

    Attributes:
      name: the node's id.
      upstream: names of the steps that must be done before it.
    """

    name: str
    upstream: list[str]


def steps_of(config: Config) -> list[Step]:
    """The steps, each after those that it needs."""
    compiled = compiler.Compiler().compile(
        create_pipeline(
            config, data="/", pipeline_root="/", serving="/", metadata=metadata_store_pb2.ConnectionConfig()
        )
    )
    nodes = [one.pipeline_node for one in compiled.nodes]
    return [Step(node.node_info.id, list(node.upstream_nodes)) for node in nodes]
