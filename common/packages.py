"""The packages that hold this project's code, and the loggers of all of them."""

import logging

# Each may import those after it, and none before it.
PACKAGES = ("pipeline", "components", "modeling", "imaging", "common")


def loggers() -> list[logging.Logger]:
    """The packages' loggers, which are above those of their modules."""
    return [logging.getLogger(name) for name in PACKAGES]
