"""The pipeline as it is built: nothing is read for it, and every step's key holds what decides its result."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from ml_metadata.proto import metadata_store_pb2
from pictures import write_classes
from tfx.dsl.compiler import compiler
from tfx.orchestration import data_types_utils, metadata
from tfx.orchestration.local import runner_utils
from tfx.orchestration.portable import data_types, python_driver_operator
from tfx.proto.orchestration import pipeline_pb2

from common import fingerprint
from common.drivers import CODE_FINGERPRINT
from components.trainer.trials import Search
from pipeline import config as configuration
from pipeline.dag import create_pipeline

_CODE = {
    "ImageExampleGen": ["components.image_example_gen.component"],
    "ImageSchema": ["components.image_schema.component"],
    "StatisticsGen": ["tfx.components.statistics_gen.component"],
    "ExampleValidator": ["components.example_validator.component"],
    "Transform": ["tfx.components.transform.component", "modeling.picture_graph"],
    "FeatureExtractor": ["components.feature_extractor.component"],
    "Trainer": ["tfx.components.trainer.component", "components.trainer.run_fn"],
    "Evaluator": ["components.evaluator.component"],
    "Pusher": ["components.pusher.component"],
    "DataAudit": ["components.data_audit.component"],
    "Report": ["components.report.component"],
    "BulkInferrer": ["components.bulk_inferrer.component"],
}


class Place(NamedTuple):
    """A compiled pipeline, and the folder with what it names."""

    compiled: pipeline_pb2.Pipeline
    root: Path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """What the settings name comes after the pipeline: it is read when the steps run."""
    root = tmp_path_factory.mktemp("place")
    config = configuration.Config(infer=str(root / "new"))
    backbone = config.backbone.model_copy(update={"weights": str(root / "vgg16.weights.h5")})
    store = metadata_store_pb2.ConnectionConfig()
    compiled = compiler.Compiler().compile(
        create_pipeline(
            config.model_copy(update={"backbone": backbone}),
            data=str(root / "data"),
            pipeline_root="/",
            serving="/",
            metadata=store,
        )
    )
    write_classes(root / "data", {"apple": 1, "berry": 1})
    write_classes(root / "new", {"any": 1})
    (root / "vgg16.weights.h5").write_bytes(b"weights")
    return Place(compiled, root)


def _driven(compiled: pipeline_pb2.Pipeline, step: str) -> dict[str, Any]:
    """What a step's driver adds to its parameters."""
    (node,) = (one.pipeline_node for one in compiled.nodes if one.pipeline_node.node_info.id == step)
    connection = metadata_store_pb2.ConnectionConfig(fake_database=metadata_store_pb2.FakeDatabaseConfig())
    spec = runner_utils.extract_custom_driver_spec(runner_utils.extract_local_deployment_config(compiled), step)
    operator = python_driver_operator.PythonDriverOperator(spec, metadata.Metadata(connection))
    parameters = data_types_utils.build_parsed_value_dict(dict(node.parameters.parameters))
    info = data_types.ExecutionInfo(pipeline_node=node, input_dict={}, exec_properties=parameters)
    return {key: value.string_value for key, value in operator.run_driver(info).exec_properties.items()}


def test_every_step_but_the_look_up_of_the_baseline_knows_its_code(place: Place) -> None:
    assert {one.pipeline_node.node_info.id for one in place.compiled.nodes} == {*_CODE, "LatestBlessedModel"}
    for step, modules in _CODE.items():
        assert _driven(place.compiled, step)[CODE_FINGERPRINT] == fingerprint.of_code(*modules), step


@pytest.mark.parametrize(
    ("step", "parameter", "file"),
    [
        ("ImageExampleGen", "fingerprint", "data/apple/000.png"),
        ("BulkInferrer", "fingerprint", "new/any/000.png"),
        ("FeatureExtractor", "weights_fingerprint", "vgg16.weights.h5"),
    ],
)
def test_what_the_settings_name_is_known_by_its_content(place: Place, step: str, parameter: str, file: str) -> None:
    before = _driven(place.compiled, step)
    (place.root / file).touch()
    assert _driven(place.compiled, step) == before
    (place.root / file).write_bytes(b"other")
    after = _driven(place.compiled, step)
    assert {key for key in after if after[key] != before[key]} == {parameter}


@pytest.mark.parametrize(
    ("changes", "others"),
    [
        (["seed=1"], {"Trainer", "DataAudit", "Report"}),
        (["seed=1", "backbone.weights=random"], {"FeatureExtractor", "Trainer", "DataAudit", "Report"}),
        (["seed=1", "features.augmentation_views=1"], {"FeatureExtractor", "Trainer", "DataAudit", "Report"}),
        (["trainer.epochs=9", "features.augmentation.zoom=0.5"], {"Report"}),
        (["trainer.solver=adam", "trainer.epochs=9"], {"Trainer", "Report"}),
        (["beam.runner=portable", "beam.address=jobs:8099", "beam.parallelism=9"], set()),
    ],
)
def test_a_setting_is_part_of_the_steps_alone_that_it_changes(changes: list[str], others: set[str]) -> None:
    def parameters(overrides: list[str]) -> dict[str, Any]:
        pipeline = create_pipeline(
            configuration.load(None, overrides),
            data="/data",
            pipeline_root="/",
            serving="/",
            metadata=metadata_store_pb2.ConnectionConfig(),
        )
        return {step.id: step.exec_properties for step in pipeline.components}

    same = [one for one in changes if not one.startswith(("seed", "trainer.epochs", "features.augmentation.zoom"))]
    before, after = parameters(same), parameters(changes)
    assert {step for step in before if before[step] != after[step]} == others


def test_a_search_takes_the_place_of_training_and_knows_its_code() -> None:
    store, search = metadata_store_pb2.ConnectionConfig(), Search(3, 2, [])
    pipeline = create_pipeline(
        configuration.Config(), data="/data", pipeline_root="/", serving=None, metadata=store, search=search
    )
    assert [step.id for step in pipeline.components][-2:] == ["FeatureExtractor", "Tuner"]
    code = fingerprint.of_code("components.trainer.tuning", "components.trainer.tuner_fn")
    assert _driven(compiler.Compiler().compile(pipeline), "Tuner")[CODE_FINGERPRINT] == code


def test_a_pipeline_that_publishes_nothing_ends_with_the_evaluation_and_knows_no_baseline() -> None:
    store = metadata_store_pb2.ConnectionConfig()
    pipeline = create_pipeline(
        configuration.Config(infer="/new"), data="/data", pipeline_root="/", serving=None, metadata=store
    )
    assert [step.id for step in pipeline.components][-2:] == ["Trainer", "Evaluator"]
    assert pipeline.components[-1].inputs.keys() == {"examples", "model"}


def test_the_way_to_a_square_is_known_to_transform_and_to_the_page_that_shows_the_squares() -> None:
    store = metadata_store_pb2.ConnectionConfig()
    parameters = []
    for way in ("squash", "pad"):
        config = configuration.Config(ingest=configuration.IngestConfig(resize=way))
        pipeline = create_pipeline(config, data="/data", pipeline_root="/", serving="/", metadata=store)
        parameters.append({step.id: step.exec_properties for step in pipeline.components})
    squash, pad = parameters
    assert [name for name in pad if pad[name] != squash[name]] == ["Transform", "Report"]
    assert json.loads(pad["Transform"]["custom_config"])["resize"] == pad["Report"]["resize"] == "pad"
