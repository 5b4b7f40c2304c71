"""A component whose specification is all there is to write."""

from typing import Any

from tfx import types
from tfx.dsl.components.base import base_component


class SpecComponent(base_component.BaseComponent):
    """Takes what its SPEC_CLASS names as inputs and parameters, and makes the outputs.

    TFX's components have a constructor each, which says once more what the specification says. Its decorator
    `@component` would derive both from a function, but the function is then also the executor: it gets a single Beam
    pipeline, made before it knows whether it needs one, and cannot be a subclass of one of TFX's executors.
    """

    def __init__(self, **arguments: Any) -> None:
        """Declares the step.

        Args:
          **arguments: channels and values by their names in SPEC_CLASS, which raises ValueError for one that is
            missing or unknown, and TypeError for one of another type.
        """
        outputs = {key: types.Channel(type=output.type) for key, output in self.SPEC_CLASS.OUTPUTS.items()}
        super().__init__(self.SPEC_CLASS(**arguments, **outputs))
