"""Every key of the configuration: its section, its type, its default. `configs/default.yaml` says the same in YAML."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from modeling.backbone_names import BACKBONES, LEAST_PICTURE_SIZE
from pipeline.config.values import (
    BEAM_STEPS,
    Address,
    BackboneName,
    BatchSize,
    BeamArgument,
    BeamStep,
    Epochs,
    Folder,
    Group,
    HeldOutFraction,
    LearningRate,
    Pictures,
    Proportion,
    Weights,
)

ACROSS_KEYS = "across_keys"  # type of an error that says itself what is allowed
_LARGEST_PICTURE_SIZE = 1024
_MAX_HELD_OUT = 0.6  # of the pictures; the rest must be enough to train on


def _across_keys(message: str, *key: str) -> PydanticCustomError:
    """What a check of several keys raises, with the path from there to the one that is wrong."""
    return PydanticCustomError(ACROSS_KEYS, "{message}", {"message": message, "key": key})


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _empty_means_defaults(cls, value: Any) -> Any:
        # In YAML a section whose keys are all commented out is null.
        return {} if value is None else value


class BackboneConfig(_Section):
    """The pretrained network."""

    name: BackboneName = "VGG16"  # a class of `keras.applications`
    weights: Weights = "imagenet"  # or "random", or the path of a weights file
    image_size: Annotated[int, Field(ge=LEAST_PICTURE_SIZE, le=_LARGEST_PICTURE_SIZE)] = (
        224  # pixels a side of the square that pictures are resized to
    )

    @model_validator(mode="after")
    def _takes_pictures_of_that_size(self) -> "BackboneConfig":
        least = BACKBONES[self.name].least_size
        if self.image_size < least:
            raise _across_keys(
                f"got {self.image_size}, expected a whole number from {least} to {_LARGEST_PICTURE_SIZE} "
                f"for {self.name}",
                "image_size",
            )
        return self


class ColumnsConfig(_Section):
    """What the columns of a table of labels are called. Usual names are understood where these are the defaults."""

    file_name: str = "file_name"  # paths relative to the table's folder
    label: str = "label"
    split: str = "split"  # empty: the table's splits do not count
    group: str = "group"  # the same for groups


class IngestConfig(_Section):
    """How files become examples."""

    eval_fraction: HeldOutFraction = 0.15  # of the training pictures, where no eval folder exists
    test_fraction: HeldOutFraction = 0.15  # of the training pictures, where no test folder exists
    max_quarantined_fraction: Proportion = 0.05  # largest part of the files that may be unusable
    max_pixels: Annotated[int, Field(ge=1024)] = 50_000_000  # a picture with more, height times width, is quarantined
    resize: Literal["squash", "crop", "pad"] = (
        "squash"  # how a picture becomes a square; crop: its centre; pad: on black
    )
    layout: Literal["auto", "classes", "splits"] = "auto"  # what folders are that could be either; auto: stop there
    follow_links: bool = False  # whether links are followed that leave the data folder
    strict: bool = False  # whether what would be left out is refused instead, but for hidden files
    # What puts pictures into groups, which no cut divides: "folder", "likeness", or a regular expression on paths
    group: Group = ""
    columns: ColumnsConfig = ColumnsConfig()

    @model_validator(mode="after")
    def _leaves_enough_to_train_on(self) -> "IngestConfig":
        held_out = round(self.eval_fraction + self.test_fraction, 9)  # 0.4 + 0.2 is a little above 0.6
        if held_out > _MAX_HELD_OUT:
            raise _across_keys(f"got eval_fraction + test_fraction = {held_out}, expected at most {_MAX_HELD_OUT}")
        return self


class AugmentationConfig(_Section):
    """How far a view may stray from its picture."""

    flip: bool = True  # half of the views are mirrored left to right
    rotation: Annotated[float, Field(ge=0, le=0.5)] = 0.05  # largest angle to either side, in full turns
    zoom: Annotated[float, Field(ge=0, le=0.5)] = 0.1  # largest relative change of size, in and out


class FeaturesConfig(_Section):
    """What goes through the frozen layers."""

    # 0 stores each picture once as it is; n stores n randomly augmented views, and epoch e trains on view e mod n.
    augmentation_views: Annotated[int, Field(ge=0, le=100)] = 0
    augmentation: AugmentationConfig = AugmentationConfig()
    engine: Literal["auto", "tensorflow", "ncnn"] = "auto"  # auto: the faster on this machine; ncnn: VGG alone
    precision: Literal["auto", "float32", "bfloat16"] = "auto"  # auto: bfloat16 where the processor has it
    batch_size: BatchSize = 32  # pictures at a time

    @model_validator(mode="after")
    def _computes_in_what_the_engine_has(self) -> "FeaturesConfig":
        if self.engine == "ncnn" and self.precision == "bfloat16":
            raise _across_keys("got ncnn with precision = bfloat16, expected auto or tensorflow", "engine")
        return self


class TrainerConfig(_Section):
    """The two stages of training: stage 1 trains the head alone, stage 2, by Adam, the backbone's end too."""

    solver: Literal["lbfgs", "adam"] = "lbfgs"  # of stage 1: to convergence, or `epochs` epochs at `learning_rate`
    penalty: Annotated[float, Field(gt=0)] | None = None  # L2, of lbfgs; None: that of the least loss on the eval split
    epochs: Epochs = 5
    learning_rate: LearningRate = 1e-3
    hidden: Annotated[int, Field(ge=0, le=4096)] = 0  # units of a hidden layer of the head; 0 for none
    fine_tune: bool = True  # whether stage 2 follows
    fine_tune_at: Annotated[int, Field(ge=0)] | None = None  # first layer of stage 2; None: the backbone's own
    fine_tune_epochs: Epochs = 4
    fine_tune_learning_rate: LearningRate = 3e-5
    schedule: Literal["constant", "cosine"] = "cosine"  # of Adam's learning rates; cosine: they rise, then fall to 0
    # Of the backbone's layers in stage 2. auto: bfloat16 where the processor has it, else float16 where the GPU has it
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "float32"
    batch_size: BatchSize = 32  # pictures a step, in both stages
    dropout: Annotated[float, Field(ge=0, le=0.9)] = 0.1  # part of the features that the head drops while training
    early_stopping_patience: Annotated[int, Field(ge=1)] = 3  # epochs without a lower loss on the eval split
    class_weights: bool = False  # whether rare classes weigh more in the loss

    @property
    def without_effect(self) -> dict[str, str]:
        """Keys that differ from their default and change nothing, each with the setting by which that is so."""
        idle = dict.fromkeys(_ONLY_WITHOUT[self.solver], f"trainer.solver: {self.solver}")
        if not self.fine_tune:
            idle |= dict.fromkeys(_OF_STAGE_2, "trainer.fine_tune: false")
        return {key: by for key, by in idle.items() if getattr(self, key) != type(self).model_fields[key].default}


_ONLY_WITHOUT = {"lbfgs": ("epochs", "learning_rate", "hidden"), "adam": ("penalty",)}
_OF_STAGE_2 = ("fine_tune_at", "fine_tune_epochs", "fine_tune_learning_rate", "precision")


class GateConfig(_Section):
    """What a model must reach on the test split to be published."""

    min_accuracy: Proportion = 0.8
    max_accuracy_drop: Proportion = 0.0  # how far the accuracy may lie below the last blessed model's
    min_balanced_accuracy: Proportion | None = None  # of the mean of the classes' accuracies; None: not checked
    min_class_accuracy: Proportion | None = None  # of each class, the worst one included; None: not checked
    slices: dict[str, Proportion] = Field(default_factory=dict)  # class name -> smallest accuracy on its pictures


ANSWERED_BY = {"portable": "Beam's job service", "flink": "Flink's REST interface"}


class BeamConfig(_Section):
    """Where those steps run that Beam divides among workers. It changes no result, and no step runs again for it."""

    runner: Literal["local", "portable", "flink", "dataflow"] = "local"  # local: in the step's own process
    address: Address = ""  # of Beam's job service (portable), or of Flink's REST interface (flink)
    parallelism: Annotated[int, Field(ge=1, le=10_000)] | None = None  # workers; None: as many as the engine gives
    steps: list[BeamStep] = list(BEAM_STEPS)
    args: list[BeamArgument] = []  # more options of Beam

    @model_validator(mode="after")
    def _has_what_the_runner_needs(self) -> "BeamConfig":
        needs_address = self.runner in ANSWERED_BY
        if needs_address and not self.address:
            raise _across_keys(
                f"{self.runner} needs beam.address, the HOST:PORT of {ANSWERED_BY[self.runner]}", "runner"
            )
        if self.address and not needs_address:
            raise _across_keys(f"got {self.address!r}, expected '' for beam.runner: {self.runner}", "address")
        if self.runner == "flink" and not any(one.startswith("--flink_job_server_jar=") for one in self.args):
            raise _across_keys("flink needs --flink_job_server_jar=PATH: Beam would download it", "args")
        return self


class Config(_Section):
    """Everything that a run depends on. Paths may begin with ~; relative ones start at the working directory."""

    data: Pictures | None = None  # root folder of the pictures, or a table of labels; None for the sample set
    infer: Folder | None = None  # folder of pictures without classes, which each run predicts
    output: Folder = "output"  # folder of the run's artifacts, metadata, published models and logs
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0  # of all that is random
    backbone: BackboneConfig = BackboneConfig()
    ingest: IngestConfig = IngestConfig()
    features: FeaturesConfig = FeaturesConfig()
    trainer: TrainerConfig = TrainerConfig()
    gate: GateConfig = GateConfig()
    beam: BeamConfig = BeamConfig()

    @field_validator("features")
    @classmethod
    def _runs_a_backbone_that_the_engine_takes(cls, features: FeaturesConfig, info: ValidationInfo) -> FeaturesConfig:
        backbone = info.data.get("backbone")
        if features.engine == "ncnn" and backbone is not None and not BACKBONES[backbone.name].is_chain:
            chains = " and ".join(name for name, one in BACKBONES.items() if one.is_chain)
            raise _across_keys(
                f"got ncnn, which runs {chains}, expected auto or tensorflow for {backbone.name}", "engine"
            )
        return features

    @field_validator("trainer")
    @classmethod
    def _fine_tunes_a_layer_that_exists(cls, trainer: TrainerConfig, info: ValidationInfo) -> TrainerConfig:
        at, backbone = trainer.fine_tune_at, info.data.get("backbone")
        if at is not None and backbone is not None and at >= (layers := BACKBONES[backbone.name].layers):
            raise _across_keys(
                f"got {at}, expected a whole number from 0 to {layers - 1} for {backbone.name}", "fine_tune_at"
            )
        return trainer

    @property
    def effective(self) -> "Config":
        """The same with each setting that changes nothing at its default, so that no step runs again because of it."""
        trainer = self.trainer.model_dump(exclude=set(self.trainer.without_effect))
        features = {} if self.features.augmentation_views else {"augmentation": AugmentationConfig()}
        return self.model_copy(
            update={"trainer": TrainerConfig(**trainer), "features": self.features.model_copy(update=features)}
        )
