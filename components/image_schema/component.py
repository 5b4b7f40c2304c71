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

_SCHEMA = """
feature {
  name: "image" type: BYTES presence { min_fraction: 1.0 } shape {}
  # Keeps whole pictures out of the count of frequent values.
  image_domain {}
}
feature { name: "label" type: INT presence { min_fraction: 1.0 } shape {} int_domain { min: 0 } }
feature { name: "class_name" type: BYTES presence { min_fraction: 1.0 } shape {} }
feature { name: "sha256" type: BYTES presence { min_fraction: 1.0 } shape {} }
feature { name: "file_name" type: BYTES presence { min_fraction: 1.0 } shape {} }
feature { name: "height" type: INT presence { min_fraction: 1.0 } shape {} int_domain { min: 1 } }
feature { name: "width" type: INT presence { min_fraction: 1.0 } shape {} int_domain { min: 1 } }
feature { name: "brightness" type: FLOAT presence { min_fraction: 1.0 } shape {} float_domain { min: 0 max: 1 } }
feature { name: "size_range" type: BYTES presence { min_fraction: 1.0 } shape {} }
feature { name: "brightness_range" type: BYTES presence { min_fraction: 1.0 } shape {} }
"""


def build_schema() -> schema_pb2.Schema:
    """The features of one example: all present, one value each."""
    return text_format.Parse(_SCHEMA, schema_pb2.Schema())


@component
def ImageSchema(schema: OutputArtifact[standard_artifacts.Schema]) -> None:
    """Writes the curated schema where the steps after it look for one."""
    path = os.path.join(schema.uri, "schema.pbtxt")
    fileio.makedirs(schema.uri)
    with fileio.open(path, "w") as file:
        file.write(text_format.MessageToString(build_schema()))
