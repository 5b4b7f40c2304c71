"""The types of the configuration's values, each with its limits.

An error says what is allowed from the limits given here; a description takes their place where they cannot.
"""

import os
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo
from pydantic_core import PydanticCustomError

from common import folders
from components.image_example_gen import group_names
from modeling.backbone_names import BACKBONES

# What takes long, and grows with the number of pictures.
BEAM_STEPS = ("ImageExampleGen", "StatisticsGen", "FeatureExtractor", "Evaluator", "BulkInferrer")
_WEIGHTS_SUFFIXES = (".weights.h5", ".keras")


def _known_backbone(value: str) -> str:
    if value not in BACKBONES:
        raise ValueError("no backbone")
    return value


def _existing_weights(value: str, info: ValidationInfo) -> str:
    if value in ("imagenet", "random"):
        return value
    path = _on_this_machine(value, info)
    if not (path.endswith(_WEIGHTS_SUFFIXES) and (_is_for_elsewhere(info) or os.path.isfile(path))):
        raise ValueError("no weights")
    return path


def _on_this_machine(path: str, info: ValidationInfo) -> str:
    if folders.is_address(path):
        hint = "; gs://, s3:// and other addresses are not supported here: mount them, or copy to or from a folder"
        raise PydanticCustomError("address", "{hint}", {"hint": hint})
    return path if _is_for_elsewhere(info) else os.path.expanduser(path)


def _known_group(value: str) -> str:
    try:
        group_names.by_path(value)
    except ValueError as error:
        raise PydanticCustomError("group", "{hint}", {"hint": f"; {error}"}) from error
    return value


def _is_for_elsewhere(info: ValidationInfo) -> bool:
    return bool(info.context)


Folder = Annotated[str, Field(pattern=r"^[^\x00]+$", description="a folder's path"), AfterValidator(_on_this_machine)]
Pictures = Annotated[
    str,
    Field(pattern=r"^[^\x00]+$", description="the path of a folder or of a table"),
    AfterValidator(_on_this_machine),
]
Group = Annotated[
    str,
    Field(
        description=r"folder, likeness, or a regular expression with one group in parentheses such as '(patient\d+)_'"
    ),
    AfterValidator(_known_group),
]
Address = Annotated[str, Field(pattern=r"^([^\s:/]+:[0-9]{1,5})?$", description="HOST:PORT")]
BeamStep = Annotated[str, Field(pattern=f"^({'|'.join(BEAM_STEPS)})$", description=f"one of {', '.join(BEAM_STEPS)}")]
BeamArgument = Annotated[
    str, Field(pattern=r"^--[a-z][a-z0-9_]*(=.*)?$", description="an option of Beam such as --region=europe-west1")
]
BackboneName = Annotated[str, Field(description=f"one of {', '.join(BACKBONES)}"), AfterValidator(_known_backbone)]
Weights = Annotated[
    str,
    Field(description=f"imagenet, random, or an existing file ending in {' or '.join(_WEIGHTS_SUFFIXES)}"),
    AfterValidator(_existing_weights),
]
Proportion = Annotated[float, Field(ge=0, le=1)]
HeldOutFraction = Annotated[float, Field(gt=0, lt=0.5)]
Epochs = Annotated[int, Field(ge=1, le=1000)]
BatchSize = Annotated[int, Field(ge=1, le=1024)]
LearningRate = Annotated[float, Field(gt=0, le=1)]
