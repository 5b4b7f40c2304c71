"""Runs the steps' executors on real artifacts in temporary folders."""

import json
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tfx.components.statistics_gen.executor import Executor as StatisticsExecutor
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.components.transform.executor import Executor as TransformExecutor
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import Artifact, artifact_utils
from tfx.types.standard_artifacts import (
    Examples,
    ExampleStatistics,
    HyperParameters,
    InferenceResult,
    Model,
    ModelBlessing,
    ModelEvaluation,
    ModelRun,
    Schema,
    TransformGraph,
    TunerResults,
)

from common import example_records, progress
from common.artifacts import DataIssues
from common.examples import Example
from components.bulk_inferrer import driver as bulk_inferrer_driver
from components.bulk_inferrer import executor as bulk_inferrer
from components.data_audit import executor as data_audit
from components.evaluator import executor as evaluator
from components.feature_extractor import executor as feature_extractor
from components.image_example_gen import executor as image_example_gen
from components.image_schema.component import ImageSchema
from components.report import executor as report_executor
from components.report.component import HtmlReport
from components.trainer import run_fn, trials, tuning
from components.trainer.trials import Search, Trial
from modeling import signatures as serving_module
from modeling.model_assets import ModelAssets
from pipeline.config import GateConfig, TrainerConfig

IMAGE_SIZE = 32

EXTRACTION = {
    "backbone": "VGG16",
    "weights": "random",
    "image_size": IMAGE_SIZE,
    "fine_tune": True,
    "augmentation_views": 0,
    "flip": True,
    "rotation": 0.05,
    "zoom": 0.1,
    "engine": "auto",
    "precision": "float32",
    "batch_size": 8,
    "seed": 0,
}

# A penalty that leaves stage 2 something to gain.
_TRAINER = TrainerConfig(
    penalty=1.0, fine_tune_epochs=2, fine_tune_learning_rate=1e-4, schedule="constant", batch_size=8
)
TRAINING = run_fn.Settings(
    **_TRAINER.model_dump(exclude={"fine_tune_at"}), weights="random", max_pixels=10_000_000, seed=0
)

_next_id = iter(range(1, 1_000_000))


def artifact(kind: type[Artifact], directory: Path) -> Artifact:
    """An artifact with a folder and an id of its own."""
    directory.mkdir(parents=True, exist_ok=True)
    made = kind()
    made.uri = str(directory)
    made.id = next(_next_id)
    return made


def _beam(executor: type[BaseBeamExecutor], directory: Path) -> BaseBeamExecutor:
    context = executor.Context(
        beam_pipeline_args=["--runner=FnApiRunner", "--sdk_container_image=none", "--direct_running_mode=in_memory"],
        tmp_dir=str(directory / "tmp"),
        unique_id="1",
    )
    return executor(context)


def ingest(data: Path, directory: Path, **changes: Any) -> Examples:
    """Runs ImageExampleGen."""
    examples = artifact(Examples, directory)
    properties = {
        "data": str(data),
        "eval_fraction": 0.2,
        "test_fraction": 0.2,
        "max_quarantined_fraction": 0.05,
        "max_pixels": 10_000_000,
        "layout": "auto",
        "follow_links": False,
        "strict": False,
        "group": "",
        "columns": {},
        **changes,
    }
    _beam(image_example_gen.Executor, directory).Do({}, {"examples": [examples]}, properties)
    return examples


def schema(directory: Path) -> Schema:
    """Runs ImageSchema."""
    made = artifact(Schema, directory)
    ImageSchema.EXECUTOR_SPEC.executor_class().Do({}, {"schema": [made]}, {})
    return made


def transform(examples: Examples, directory: Path) -> TransformGraph:
    """Runs Transform."""
    graph = artifact(TransformGraph, directory / "graph")
    _beam(TransformExecutor, directory).Do(
        {"examples": [examples], "schema": [schema(directory / "schema")]},
        {"transform_graph": [graph]},
        {
            "preprocessing_fn": "modeling.picture_graph.preprocessing_fn",
            "custom_config": json.dumps({"image_size": IMAGE_SIZE, "resize": "squash", "max_pixels": 10_000_000}),
            "disable_statistics": 1,
        },
    )
    return graph


def extract(examples: Examples, graph: TransformGraph, directory: Path, **changes: Any) -> Examples:
    """Runs FeatureExtractor."""
    features = artifact(Examples, directory)
    _beam(feature_extractor.Executor, directory).Do(
        {"examples": [examples], "transform_graph": [graph]},
        {"features": [features]},
        {**EXTRACTION, **changes},
    )
    return features


def train(features: Examples, graph: TransformGraph, directory: Path, **changes: Any) -> Model:
    """Runs Trainer's run_fn; the training's folder is `run` beside the model's."""
    model = artifact(Model, directory / "model")
    run_fn.run_fn(
        FnArgs(
            train_files=[f"{artifact_utils.get_split_uri([features], 'train')}/*"],
            transform_graph_path=graph.uri,
            serving_model_dir=f"{model.uri}/Format-Serving",
            model_run_dir=str(artifact(Model, directory / "run").uri),
            custom_config=TRAINING._replace(**changes)._asdict(),
        )
    )
    return model


class _Killed(Exception):
    pass


def train_until(stage: int, batches: int, *training: Any, **changes: Any) -> None:
    """Trains until so many batches of a stage are done, then fails. The other arguments are those of `train`."""

    def listener(done: int, total: int, unit: str) -> None:
        if unit.endswith(str(stage)) and done == batches:
            raise _Killed

    progress.listen(listener)
    try:
        train(*training, **changes)
    except _Killed:
        return
    finally:
        progress.listen(None)
    raise AssertionError(f"stage {stage} has fewer than {batches} batches")


def tune(features: Examples, directory: Path, search: Search, **changes: Any) -> list[Trial]:
    """Runs Tuner; its results' folder is `results` in the directory."""
    outputs = {
        "best_hyperparameters": [artifact(HyperParameters, directory / "best")],
        "tuner_results": [artifact(TunerResults, directory / "results")],
    }
    settings = TRAINING._replace(**changes)._asdict()
    properties = {
        "tuner_fn": "components.trainer.tuner_fn.tuner_fn",
        "train_args": "{}",
        "eval_args": "{}",
        "custom_config": json.dumps({"settings": settings, "search": search._asdict()}),
    }
    tuning.Executor().Do({"examples": [features]}, outputs, properties)
    return trials.read(str(directory / "results"))


def unservable(model: Model, graph: TransformGraph, directory: Path) -> Model:
    """The same model as one that tracks the Keras model is saved: a session finds no variables in it."""
    copy = artifact(Model, directory)
    shutil.copytree(model.uri, copy.uri, dirs_exist_ok=True)
    servable, classifier = serving_module._Servable, keras.models.load_model(f"{model.uri}/model.keras")

    class Tracking(servable):  # type: ignore[misc, valid-type]
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self.classifier = classifier
            del self._weights

    serving_module._Servable = Tracking  # type: ignore[assignment, misc]
    try:
        assets = ModelAssets.read(f"{model.uri}/Format-Serving")
        serving_module.export(classifier, graph.uri, assets, f"{copy.uri}/Format-Serving")
    finally:
        serving_module._Servable = servable  # type: ignore[misc]
    return copy


def evaluate(
    examples: Examples,
    model: Model,
    directory: Path,
    baseline: Model | None = None,
    kept: ModelEvaluation | None = None,
    **changes: Any,
) -> tuple[ModelEvaluation, ModelBlessing]:
    """Runs Evaluator; `kept` is the evaluation that led to the baseline's blessing."""
    evaluation = artifact(ModelEvaluation, directory / "evaluation")
    blessing = artifact(ModelBlessing, directory / "blessing")
    _beam(evaluator.Executor, directory).Do(
        {
            "examples": [examples],
            "model": [model],
            "baseline_model": [baseline] if baseline else [],
            "baseline_evaluation": [kept] if kept else [],
        },
        {"evaluation": [evaluation], "blessing": [blessing]},
        {**GateConfig(min_accuracy=0.5).model_dump(), **changes},
    )
    return evaluation, blessing


def statistics(examples: Examples, directory: Path) -> ExampleStatistics:
    """Runs StatisticsGen."""
    made = artifact(ExampleStatistics, directory / "statistics")
    _beam(StatisticsExecutor, directory).Do(
        {"examples": [examples], "schema": [schema(directory / "schema")]},
        {"statistics": [made]},
        {"exclude_splits": "[]"},
    )
    return made


def audit(examples: Examples, features: Examples, evaluation: ModelEvaluation, directory: Path) -> DataIssues:
    """Runs DataAudit."""
    made = artifact(DataIssues, directory)
    inputs = {"examples": [examples], "features": [features], "evaluation": [evaluation]}
    data_audit.Executor().Do(inputs, {"data_issues": [made]}, {"seed": 0})
    return made


def report(
    examples: Examples,
    features: Examples,
    model: Model,
    evaluated: tuple[ModelEvaluation, ModelBlessing],
    directory: Path,
    configuration: str = "seed: 0",
) -> Path:
    """Runs Report; returns the page's path."""
    made = artifact(HtmlReport, directory / "report")
    run = artifact(ModelRun, Path(model.uri).parent / "run")
    inputs = {
        "examples": examples,
        "statistics": statistics(examples, directory),
        "features": features,
        "model": model,
        "model_run": run,
        "evaluation": evaluated[0],
        "blessing": evaluated[1],
        "data_issues": audit(examples, features, evaluated[0], directory / "issues"),
    }
    report_executor.Executor().Do(
        {key: [value] for key, value in inputs.items()},
        {"report": [made]},
        {
            "resize": "squash",
            "configuration": configuration,
            "step_seconds": '{"ImageExampleGen": 1.5, "Trainer": 20.25}',
        },
    )
    return Path(made.uri) / "report.html"


def make_blessing(directory: Path, *, blessed: bool) -> ModelBlessing:
    """A verdict, as Evaluator leaves it."""
    made = artifact(ModelBlessing, directory)
    made.set_int_custom_property("blessed", int(blessed))
    return made


def infer(
    data: Path,
    model: Model,
    directory: Path,
    blessing: ModelBlessing | None = None,
    baseline: Model | None = None,
    **changes: Any,
) -> InferenceResult:
    """Runs BulkInferrer; without a verdict the model is blessed."""
    result = artifact(InferenceResult, directory)
    verdict = blessing or make_blessing(directory.with_name(f"{directory.name}_blessing"), blessed=True)
    _beam(bulk_inferrer.Executor, directory.with_name(f"{directory.name}_beam")).Do(
        {"model": [model], "model_blessing": [verdict], "baseline_model": [baseline] if baseline else []},
        {"inference_result": [result]},
        {
            "data": str(data),
            "fingerprint": bulk_inferrer_driver.fingerprint(str(data)),
            **changes,
        },
    )
    return result


def read(examples: Examples, split: str) -> list[Example]:
    """The examples of a split, in the order of its files."""
    return list(example_records.read(examples.uri, split))


def damage(examples: Examples, split: str, directory: Path) -> tuple[Examples, str]:
    """A copy of the examples in which the first picture of a split lacks its end, and that picture's file."""
    shutil.copytree(examples.uri, directory)
    (shard,) = example_records.shards(str(directory), split)
    first, *others = read(examples, split)
    with tf.io.TFRecordWriter(shard) as writer:
        for example in [first._replace(image=first.image[:60]), *others]:
            writer.write(example_records.encode(example))
    damaged = artifact(Examples, directory)
    damaged.copy_from(examples)
    damaged.uri = str(directory)
    return damaged, first.file_name


def images(examples: list[Example]) -> list[bytes]:
    """The encoded pictures."""
    return [example.image for example in examples]


def class_ids(examples: list[Example]) -> npt.NDArray[np.int64]:
    """The class ids."""
    return np.array([example.label for example in examples])


def serving(model: Model) -> Any:
    """The loaded SavedModel."""
    return tf.saved_model.load(f"{model.uri}/Format-Serving")
