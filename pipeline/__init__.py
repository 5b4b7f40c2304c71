"""From a folder of pictures to a gated, published image classifier."""

__version__ = "0.2.0"
