"""ImageExampleGen: folders of pictures in, examples out."""

from typing import Any

from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import component_spec, standard_artifacts
from tfx.types.channel import OutputChannel  # noqa: F401
