"""The curated schema of the examples.

An inferred schema would list each file name and hash it saw as the only values allowed, and call new pictures
anomalies.
"""

import os

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.dsl.component.experimental.annotations import OutputArtifact
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.io import fileio
from tfx.types import standard_artifacts

from common.examples import BRIGHTNESS, HEIGHT, IMAGE, LABEL, SHARPNESS, WIDTH, Example

_TYPES = {bytes: "BYTES", str: "BYTES", int: "INT", float: "FLOAT"}
_DOMAINS = {
    IMAGE: "image_domain {}",  # keeps whole pictures out of the count of frequent values
    LABEL: "int_domain { min: 0 }",
    HEIGHT: "int_domain { min: 1 }",
    WIDTH: "int_domain { min: 1 }",
    BRIGHTNESS: "float_domain { min: 0 max: 1 }",
    SHARPNESS: "float_domain { min: 0 }",
}
_FEATURE = 'feature {{ name: "{name}" type: {type} presence {{ min_fraction: 1.0 }} shape {{}} {domain} }}'


def build_schema() -> schema_pb2.Schema:
    """The features of one example: all present, one value each."""
    text = "\n".join(
        _FEATURE.format(name=name, type=_TYPES[kind], domain=_DOMAINS.get(name, ""))
        for name, kind in Example.__annotations__.items()
    )
    return text_format.Parse(text, schema_pb2.Schema())


@component
def ImageSchema(schema: OutputArtifact[standard_artifacts.Schema]) -> None:
    """Writes the curated schema where the steps after it look for one."""
    path = os.path.join(schema.uri, "schema.pbtxt")
    fileio.makedirs(schema.uri)
    with fileio.open(path, "w") as file:
        file.write(text_format.MessageToString(build_schema()))
