"""The typed configuration: YAML and command-line overrides in, one frozen `Config` or one-line errors out.

Imports nothing heavy, so that a mistake in a configuration is reported before TensorFlow is loaded.
"""

from pipeline.config.dialect import to_text
from pipeline.config.keys import Key, get, leaf_keys
from pipeline.config.loading import DEFAULT_FILE, FILE_HELP, load, of_values, to_yaml
from pipeline.config.sections import (
    AugmentationConfig,
    BackboneConfig,
    BeamConfig,
    Config,
    FeaturesConfig,
    GateConfig,
    IngestConfig,
    TrainerConfig,
)

__all__ = [
    "DEFAULT_FILE",
    "FILE_HELP",
    "AugmentationConfig",
    "BackboneConfig",
    "BeamConfig",
    "Config",
    "FeaturesConfig",
    "GateConfig",
    "IngestConfig",
    "Key",
    "TrainerConfig",
    "get",
    "leaf_keys",
    "load",
    "of_values",
    "to_text",
    "to_yaml",
]
