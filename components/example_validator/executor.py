"""What ExampleValidator does: TFX's comparison, and an end to the run where it found anything."""

import os
from typing import Any

from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx import types
from tfx.components.example_validator import executor as tfx_validator
from tfx.dsl.io import fileio
from tfx.proto.orchestration import execution_result_pb2
from tfx.types import artifact_utils

from common.errors import UserError


class Executor(tfx_validator.Executor):
    """TFX's executor, then a look at what it found."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> execution_result_pb2.ExecutorOutput:
        """Validates each split. The arguments are TFX's.

        Raises:
          UserError: the statistics of a split do not fit the schema.
        """
        output = super().Do(input_dict, output_dict, exec_properties)
        anomalies = artifact_utils.get_single_instance(output_dict["anomalies"])
        for split in artifact_utils.decode_split_names(anomalies.split_names):
            found = _anomalies(artifact_utils.get_split_uri([anomalies], split)).anomaly_info
            if found:
                text = "; ".join(f"{name}: {info.description}" for name, info in sorted(found.items()))
                raise UserError(f"anomalies in the {split} split: {text}")
        return output


def _anomalies(directory: str) -> anomalies_pb2.Anomalies:
    with fileio.open(os.path.join(directory, tfx_validator.DEFAULT_FILE_NAME), "rb") as file:
        return anomalies_pb2.Anomalies.FromString(file.read())
