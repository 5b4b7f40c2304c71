"""The base of drivers: what the launcher asks before it looks into the cache."""

from tfx.dsl.components.base import base_driver
from tfx.orchestration import metadata
from tfx.orchestration.portable import base_driver as portable_base_driver


class Driver(base_driver.BaseDriver, portable_base_driver.BaseDriver):
    """Both of TFX's base classes: a component must name one of the first kind, and the launcher calls the second."""

    def __init__(self, metadata_handle: metadata.Metadata) -> None:
        """Called by the launcher."""
        base_driver.BaseDriver.__init__(self, metadata_handle)
        portable_base_driver.BaseDriver.__init__(self, metadata_handle)
