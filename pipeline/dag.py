"""The pipeline: one definition for every scheduler."""

from collections.abc import Sequence

from ml_metadata.proto import metadata_store_pb2
from tfx.components import StatisticsGen, Trainer, Transform
from tfx.dsl.components.common.resolver import Resolver
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import pusher_pb2
from tfx.types import Channel, standard_artifacts

from common import fingerprint
from components.bulk_inferrer.component import BulkInferrer
from components.evaluator.component import Evaluator
from components.example_validator.component import ExampleValidator
from components.feature_extractor.augmentation import Augmentation
from components.feature_extractor.component import FeatureExtractor
from components.image_example_gen.component import ImageExampleGen
from components.image_schema.component import ImageSchema
from components.latest_blessed_model.strategy import CANDIDATE, LatestOtherBlessedModel
from components.pusher.component import Pusher
from components.report.component import Report
from components.trainer.run_fn import Settings as TrainerSettings
from modeling import weights
from pipeline.config import Config, to_yaml

NAME = "image_classification"
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
    serving: str,
    metadata: metadata_store_pb2.ConnectionConfig,
    beam_args: Sequence[str] = _BEAM,
) -> Pipeline:
    """From a folder of pictures to a published model.

    Args:
      config: what a person may choose; with an absolute path for `infer`, as steps may run in other processes.
      data: folder of the pictures.
      pipeline_root: where the steps' outputs go.
      serving: where blessed models are published, a folder a version.
      metadata: the metadata store.
      beam_args: flags of the Beam runner.
    """
    backbone, features, trainer, gate = config.backbone, config.features, config.trainer, config.gate
    code = fingerprint.of_code

    example_gen = ImageExampleGen(
        data=data,
        **config.ingest.model_dump(),
        code_fingerprint=code("components.image_example_gen.executor"),
    ).with_beam_pipeline_args(list(_BEAM_THREADS))

    schema = ImageSchema(code_fingerprint=code("components.image_schema.component")).with_id("ImageSchema")

    statistics_gen = StatisticsGen(examples=example_gen.outputs["examples"], schema=schema.outputs["schema"])

    example_validator = ExampleValidator(
        statistics=statistics_gen.outputs["statistics"], schema=schema.outputs["schema"]
    )

    transform = Transform(
        examples=example_gen.outputs["examples"],
        schema=schema.outputs["schema"],
        preprocessing_fn="modeling.picture_graph.preprocessing_fn",
        # Whoever consumes the pictures applies the graph: stored at 224x224 they would take 500 KB each.
        materialize=False,
        disable_statistics=True,
        custom_config={"image_size": backbone.image_size, "code_fingerprint": code("modeling.picture_graph")},
    )

    feature_extractor = FeatureExtractor(
        examples=example_gen.outputs["examples"],
        transform_graph=transform.outputs["transform_graph"],
        backbone=backbone.name,
        weights=backbone.weights,
        weights_fingerprint=weights.fingerprint(backbone.weights, backbone.name),
        image_size=backbone.image_size,
        fine_tune=trainer.fine_tune,
        fine_tune_at=trainer.fine_tune_at,
        views=features.augmentation_views,
        augmentation=Augmentation(**features.augmentation.model_dump()),
        precision=features.precision,
        batch_size=features.batch_size,
        seed=config.seed,
        code_fingerprint=code("components.feature_extractor.executor"),
    )
    # Pictures with anomalies are not worth the hours that this step may take.
    feature_extractor.add_upstream_node(example_validator)

    trainer_settings = TrainerSettings(
        **trainer.model_dump(exclude={"fine_tune_at"}),
        mirror=features.augmentation.flip,
        weights=backbone.weights,
        seed=config.seed,
        code_fingerprint=code("components.trainer.run_fn"),
    )
    train = Trainer(
        examples=feature_extractor.outputs["features"],
        transform_graph=transform.outputs["transform_graph"],
        run_fn="components.trainer.run_fn.run_fn",
        custom_config=trainer_settings._asdict(),
    )

    baseline = Resolver(
        strategy_class=LatestOtherBlessedModel,
        model=Channel(type=standard_artifacts.Model),
        model_blessing=Channel(type=standard_artifacts.ModelBlessing),
        **{CANDIDATE: train.outputs["model"]},
    ).with_id("LatestBlessedModel")

    evaluator = Evaluator(
        examples=example_gen.outputs["examples"],
        model=train.outputs["model"],
        baseline_model=baseline.outputs["model"],
        **gate.model_dump(),
        code_fingerprint=code("components.evaluator.executor"),
    )

    pusher = Pusher(
        model=train.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        push_destination=pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=serving)
        ),
        custom_config={"code_fingerprint": code("components.pusher.executor")},
    )

    report = Report(
        examples=example_gen.outputs["examples"],
        statistics=statistics_gen.outputs["statistics"],
        features=feature_extractor.outputs["features"],
        model=train.outputs["model"],
        model_run=train.outputs["model_run"],
        evaluation=evaluator.outputs["evaluation"],
        blessing=evaluator.outputs["blessing"],
        # What the model does not depend on is no reason to write the page again.
        configuration=to_yaml(config, without=("output", "infer")),
        code_fingerprint=code("components.report.executor"),
    )

    optional = []
    if config.infer is not None:
        bulk_inferrer = BulkInferrer(
            model=train.outputs["model"],
            model_blessing=evaluator.outputs["blessing"],
            baseline_model=baseline.outputs["model"],
            data=config.infer,
            max_pixels=config.ingest.max_pixels,
            code_fingerprint=code("components.bulk_inferrer.executor"),
        )
        # A model that is good need not wait for the hours that this step may take.
        bulk_inferrer.add_upstream_node(pusher)
        optional.append(bulk_inferrer)

    return Pipeline(
        pipeline_name=NAME,
        pipeline_root=pipeline_root,
        metadata_connection_config=metadata,
        enable_cache=True,
        beam_pipeline_args=list(beam_args),
        components=[
            example_gen,
            schema,
            statistics_gen,
            example_validator,
            transform,
            feature_extractor,
            train,
            baseline,
            evaluator,
            pusher,
            report,
            *optional,
        ],
    )
