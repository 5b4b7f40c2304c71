"""Statistics that do not fit the schema, or the gate, stop the run with their text."""

import shutil
from pathlib import Path

import pytest
import steps
import tensorflow as tf
from tfx.components.statistics_gen.executor import Executor as StatisticsExecutor
from tfx.types import artifact_utils
from tfx.types.standard_artifacts import ExampleAnomalies, Examples, ExampleStatistics

from common import example_records
from common.errors import UserError
from components.example_validator.executor import Executor


def _validate(examples: Examples, directory: Path, *tested_classes: str, each_class: bool = False) -> ExampleAnomalies:
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
        {"statistics": [statistics], "schema": [schema]},
        {"anomalies": [anomalies]},
        {"tested_classes": list(tested_classes), "tests_each_class": int(each_class)},
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
            writer.write(example_records.encode(example._replace(brightness=7.0)))
    with pytest.raises(UserError, match=r"^anomalies in the train split: brightness: .*high.*$"):
        _validate(broken, tmp_path)


def test_a_class_that_got_no_test_picture_stops_the_run_if_it_is_to_be_measured(
    examples: Examples, tmp_path: Path
) -> None:
    _validate(examples, tmp_path / "all", "apple", "berry", "cherry", each_class=True)
    folder = Path(artifact_utils.get_split_uri([examples], "test"))
    lacking = steps.artifact(Examples, tmp_path / "examples")
    shutil.copytree(examples.uri, lacking.uri, dirs_exist_ok=True)
    lacking.split_names = examples.split_names
    with tf.io.TFRecordWriter(f"{lacking.uri}/Split-test/{next(folder.iterdir()).name}") as writer:
        for example in steps.read(examples, "test"):
            if example.class_name != "berry":
                writer.write(example_records.encode(example))
    _validate(lacking, tmp_path / "some", "apple", "cherry")
    with pytest.raises(UserError) as error:
        _validate(lacking, tmp_path / "one", "apple", "berry")
    assert str(error.value) == (
        "gate.slices: no usable picture of the class 'berry' came into the test split, so its accuracy cannot be "
        "measured; add pictures of it, or leave it out of gate.slices"
    )
    with pytest.raises(UserError) as error:
        _validate(lacking, tmp_path / "each", each_class=True)
    assert str(error.value) == (
        "gate.min_class_accuracy: no usable picture of the class 'berry' came into the test split, so its accuracy "
        "cannot be measured; add pictures of it, or set gate.min_class_accuracy to null"
    )
