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
from common.examples import CLASS_NAME, TEST, TRAIN


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
        _check_tested(statistics, exec_properties["tested_classes"], "gate.slices", "leave it out of gate.slices")
        if exec_properties["tests_each_class"]:
            way_out = "set gate.min_class_accuracy to null"
            _check_tested(statistics, _classes(statistics, TRAIN) or [], "gate.min_class_accuracy", way_out)
        return output


def _check_tested(statistics: types.Artifact, class_names: Iterable[str], setting: str, way_out: str) -> None:
    tested = _classes(statistics, TEST)
    for name in class_names:
        if tested is not None and name not in tested:
            raise UserError(
                f"{setting}: no usable picture of the class {name!r} came into the test split, "
                f"so its accuracy cannot be measured; add pictures of it, or {way_out}"
            )


def _classes(statistics: types.Artifact, split: str) -> list[str] | None:
    """The classes that a split has pictures of; None for more than a thousand, of which only some are listed."""
    (dataset,) = stats_artifact_utils.load_statistics(statistics, split).proto().datasets
    (classes,) = (one.string_stats for one in dataset.features if list(one.path.step) == [CLASS_NAME])
    found = sorted(bucket.label for bucket in classes.rank_histogram.buckets)
    return None if classes.unique > len(found) else found


def _anomalies(directory: str) -> anomalies_pb2.Anomalies:
    with fileio.open(os.path.join(directory, tfx_validator.DEFAULT_FILE_NAME), "rb") as file:
        return anomalies_pb2.Anomalies.FromString(file.read())
