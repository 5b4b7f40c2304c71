"""Statistics that do not fit the schema stop the run with their text."""

from pathlib import Path

import pytest
import steps
import tensorflow as tf
from tfx.components.statistics_gen.executor import Executor as StatisticsExecutor
from tfx.types import artifact_utils
from tfx.types.standard_artifacts import ExampleAnomalies, Examples, ExampleStatistics

from common.errors import UserError
from components.example_validator.executor import Executor


def _validate(examples: Examples, directory: Path) -> ExampleAnomalies:
    schema = steps.schema(directory / "schema")
    statistics = steps.artifact(ExampleStatistics, directory / "statistics")
    context = StatisticsExecutor.Context(
        beam_pipeline_args=["--runner=FnApiRunner", "--sdk_container_image=none", "--direct_running_mode=in_memory"],
        tmp_dir=str(directory / "tmp"),
        unique_id="1",
    )
    StatisticsExecutor(context).Do(
        {"examples": [examples], "schema": [schema]}, {"statistics": [statistics]}, {"exclude_splits": "[]"}
    )
    anomalies = steps.artifact(ExampleAnomalies, directory / "anomalies")
    Executor().Do(
        {"statistics": [statistics], "schema": [schema]}, {"anomalies": [anomalies]}, {"exclude_splits": "[]"}
    )
    return anomalies


def test_what_ingestion_writes_fits_the_schema(examples: Examples, tmp_path: Path) -> None:
    anomalies = _validate(examples, tmp_path)
    assert artifact_utils.decode_split_names(anomalies.split_names) == ["train", "eval", "test"]


def test_an_anomaly_stops_the_run_with_split_feature_and_text(examples: Examples, tmp_path: Path) -> None:
    broken = steps.artifact(Examples, tmp_path / "examples")
    broken.split_names = artifact_utils.encode_split_names(["train"])
    folder = Path(artifact_utils.get_split_uri([broken], "train"))
    folder.mkdir()
    with tf.io.TFRecordWriter(str(folder / "examples.tfrecord")) as writer:
        for example in steps.read(examples, "train"):
            example.features.feature["brightness"].float_list.value[0] = 7.0
            writer.write(example.SerializeToString())
    with pytest.raises(UserError, match=r"^anomalies in the train split: brightness: .*high.*$"):
        _validate(broken, tmp_path)
