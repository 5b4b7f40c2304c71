"""What ExampleValidator does: TFX's comparison, and an end to the run where the examples are of no use to it."""

import os
from collections.abc import Iterable
from typing import Any

from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx import types
from tfx.components.example_validator import executor as tfx_validator
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.dsl.io import fileio
from tfx.proto.orchestration import execution_result_pb2
from tfx.types import artifact_utils

from common.errors import UserError
from common.examples import CLASS_NAME, TEST


class Executor(tfx_validator.Executor):
    """TFX's executor, then a look at what it found."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> execution_result_pb2.ExecutorOutput:
        """Validates each split. The arguments are TFX's, and the parameter of `ExampleValidator`.

        Raises:
          UserError: the statistics of a split do not fit the schema, or the test split lacks a class that is to be
            measured.
        """
        output = super().Do(input_dict, output_dict, exec_properties)
        anomalies = artifact_utils.get_single_instance(output_dict["anomalies"])
        for split in artifact_utils.decode_split_names(anomalies.split_names):
            found = _anomalies(artifact_utils.get_split_uri([anomalies], split)).anomaly_info
            if found:
                text = "; ".join(f"{name}: {info.description}" for name, info in sorted(found.items()))
                raise UserError(f"anomalies in the {split} split: {text}")
        statistics = artifact_utils.get_single_instance(input_dict["statistics"])
        _check_tested(statistics, exec_properties["tested_classes"])
        return output


def _check_tested(statistics: types.Artifact, class_names: Iterable[str]) -> None:
    (dataset,) = stats_artifact_utils.load_statistics(statistics, TEST).proto().datasets
    (classes,) = (one.string_stats for one in dataset.features if list(one.path.step) == [CLASS_NAME])
    tested = {bucket.label for bucket in classes.rank_histogram.buckets}
    if classes.unique > len(tested):  # of more than a thousand classes only the commonest are listed
        return
    for name in class_names:
        if name not in tested:
            raise UserError(
                f"gate.slices: no usable picture of the class {name!r} came into the test split, "
                f"so its accuracy cannot be measured; add pictures of it, or leave it out of gate.slices"
            )


def _anomalies(directory: str) -> anomalies_pb2.Anomalies:
    with fileio.open(os.path.join(directory, tfx_validator.DEFAULT_FILE_NAME), "rb") as file:
        return anomalies_pb2.Anomalies.FromString(file.read())
