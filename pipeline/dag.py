"""The pipeline: one definition for every scheduler."""

from ml_metadata.proto import metadata_store_pb2
from tfx.components import StatisticsGen, Trainer, Transform
from tfx.dsl.components.base import base_node
from tfx.dsl.components.common.resolver import Resolver
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import pusher_pb2
from tfx.types import Channel, standard_artifacts

from common import drivers
from common.lineage import PIPELINE
from components.bulk_inferrer.component import BulkInferrer
from components.data_audit.component import DataAudit
from components.evaluator.component import Evaluator
from components.example_validator.component import ExampleValidator
from components.feature_extractor.component import FeatureExtractor
from components.image_example_gen.component import ImageExampleGen
from components.image_schema.component import ImageSchema
from components.latest_blessed_model.strategy import CANDIDATE, LatestOtherBlessedModel
from components.pusher.component import Pusher
from components.report.component import Report
from components.trainer.run_fn import Settings as TrainerSettings
from components.trainer.trials import Search
from components.trainer.tuning import Tuner
from pipeline.config import Config, to_yaml

# Beam's own choice of a local runner may download a program for each run. For remote workers without an image of their
# own, TFX would pack itself anew in each step: three seconds, and 49 MB that stay in the folder for temporary files.
_LOCAL = ("--runner=FnApiRunner", "--sdk_container_image=none")
_BEAM = (*_LOCAL, "--direct_running_mode=in_memory")
# Decoding pictures releases Python's lock, so threads are enough to use each core.
_BEAM_THREADS = (*_LOCAL, "--direct_running_mode=multi_threading", "--direct_num_workers=0")


def create_pipeline(
    config: Config,
    *,
    data: str,
    pipeline_root: str,
    serving: str | None,
    metadata: metadata_store_pb2.ConnectionConfig,
    search: Search | None = None,
) -> Pipeline:
    """From a folder of pictures to a published model, or to the trials of a search.

    Args:
      config: what a person may choose; with an absolute path for `infer`, as steps may run in other processes.
      data: folder of the pictures.
      pipeline_root: where the steps' outputs go.
      serving: where blessed models are published, one folder per version. None for a pipeline that ends with Evaluator,
        where only the thresholds count and not the last blessed model.
      metadata: the metadata store.
      search: what Tuner searches, in a pipeline that ends with it instead of Trainer and all that follows.
    """
    # A search may give a setting its effect.
    used = config.effective if search is None else config
    example_gen = ImageExampleGen(data=data, **config.ingest.model_dump(exclude={"resize"}))
    example_gen.with_beam_pipeline_args(list(_BEAM_THREADS))
    examples = example_gen.outputs["examples"]
    schema_gen = ImageSchema().with_id("ImageSchema")
    schema = schema_gen.outputs["schema"]
    statistics_gen = StatisticsGen(examples=examples, schema=schema)
    statistics = statistics_gen.outputs["statistics"]
    example_validator = ExampleValidator(
        statistics=statistics,
        schema=schema,
        tested_classes=sorted(config.gate.slices),
        tests_each_class=int(config.gate.min_class_accuracy is not None),
    )
    transform = Transform(
        examples=examples,
        schema=schema,
        preprocessing_fn="modeling.picture_graph.preprocessing_fn",
        # Whoever consumes the pictures applies the graph: stored at 224x224 they would take 500 KB each.
        materialize=False,
        disable_statistics=True,
        custom_config={
            "image_size": config.backbone.image_size,
            **config.ingest.model_dump(include={"resize", "max_pixels"}),
        },
    )
    graph = transform.outputs["transform_graph"]

    feature_extractor = FeatureExtractor(
        examples=examples,
        transform_graph=graph,
        backbone=config.backbone.name,
        **config.backbone.model_dump(exclude={"name"}),
        **used.trainer.model_dump(include={"fine_tune", "fine_tune_at"}),
        **used.features.model_dump(exclude={"augmentation"}),
        **used.features.augmentation.model_dump(),
        # Nothing else of it is random.
        seed=config.seed if used.features.augmentation_views or config.backbone.weights == "random" else 0,
    )
    # Pictures with anomalies are not worth the hours that this step may take.
    feature_extractor.add_upstream_node(example_validator)
    features = feature_extractor.outputs["features"]
    settings = TrainerSettings(
        **used.trainer.model_dump(exclude={"fine_tune_at"}),
        weights=config.backbone.weights,
        seed=config.seed,
        max_pixels=config.ingest.max_pixels,
    )
    steps = [example_gen, schema_gen, statistics_gen, example_validator, transform, feature_extractor]
    if search is not None:
        tuner_fn = "components.trainer.tuner_fn.tuner_fn"
        what = {"settings": settings._asdict(), "search": search._asdict()}
        return _pipeline(
            [*steps, Tuner(examples=features, tuner_fn=tuner_fn, custom_config=what)], pipeline_root, metadata
        )
    run_fn, custom_config = "components.trainer.run_fn.run_fn", settings._asdict()
    trainer = Trainer(examples=features, transform_graph=graph, run_fn=run_fn, custom_config=custom_config)
    model = trainer.outputs["model"]

    steps.append(trainer)
    if serving is None:
        steps.append(Evaluator(examples=examples, model=model, **config.gate.model_dump()))
        return _pipeline(steps, pipeline_root, metadata)

    models, blessings = Channel(type=standard_artifacts.Model), Channel(type=standard_artifacts.ModelBlessing)
    evaluations = Channel(type=standard_artifacts.ModelEvaluation)
    choice = {"model": models, "model_blessing": blessings, "model_evaluation": evaluations, CANDIDATE: model}
    resolver = Resolver(strategy_class=LatestOtherBlessedModel, **choice).with_id("LatestBlessedModel")
    baseline = resolver.outputs["model"]
    evaluator = Evaluator(
        examples=examples,
        model=model,
        baseline_model=baseline,
        baseline_blessing=resolver.outputs["model_blessing"],
        baseline_evaluation=resolver.outputs["model_evaluation"],
        **config.gate.model_dump(),
    )
    evaluation, blessing = evaluator.outputs["evaluation"], evaluator.outputs["blessing"]
    folder = pusher_pb2.PushDestination.Filesystem(base_directory=serving)
    destination = pusher_pb2.PushDestination(filesystem=folder)
    pusher = Pusher(model=model, model_blessing=blessing, push_destination=destination)
    data_audit = DataAudit(examples=examples, features=features, evaluation=evaluation, seed=config.seed)
    data_audit.add_upstream_node(pusher)  # a model that is good need not wait
    report = Report(
        examples=examples,
        statistics=statistics,
        features=features,
        model=model,
        model_run=trainer.outputs["model_run"],
        evaluation=evaluation,
        blessing=blessing,
        data_issues=data_audit.outputs["data_issues"],
        resize=config.ingest.resize,
        # What the model does not depend on is no reason to write the page again.
        configuration=to_yaml(config, without=("output", "infer", "beam")),
    )
    steps += [resolver, evaluator, pusher, data_audit, report]
    if config.infer is not None:
        chosen = {"model": model, "model_blessing": blessing, "baseline_model": baseline}
        bulk_inferrer = BulkInferrer(**chosen, data=config.infer)
        # A model that is good need not wait for the hours that this step may take.
        bulk_inferrer.add_upstream_node(pusher)
        steps.append(bulk_inferrer)
    return _pipeline(steps, pipeline_root, metadata)


def _pipeline(
    steps: list[base_node.BaseNode], pipeline_root: str, metadata: metadata_store_pb2.ConnectionConfig
) -> Pipeline:
    drivers.complete(steps)
    return Pipeline(
        pipeline_name=PIPELINE,
        pipeline_root=pipeline_root,
        metadata_connection_config=metadata,
        enable_cache=True,
        beam_pipeline_args=list(_BEAM),
        components=steps,
    )
