"""What a step declares about itself for schedulers and displays, readable without importing TFX.

The facts are in `facts.py` beside the step's executor, which does not import them: they are no part of the code in the
cache key.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from tfx.types import Artifact

    Artifacts = Mapping[str, Artifact]

METRICS, CLASSIFICATION, MARKDOWN, HTML, TEXT = "Metrics", "ClassificationMetrics", "Markdown", "HTML", "text"


class Output(NamedTuple):
    """One thing that a step shows in Kubeflow's interface.

    Attributes:
      name: as Kubeflow shows it.
      kind: a class of KFP's artifacts, or TEXT for an output parameter.
      make: what is shown, from the step's input and output artifacts by key: numbers by name for METRICS, a path for
        HTML, a text otherwise, and for CLASSIFICATION the class names and the matrix.
    """

    name: str
    kind: str
    make: "Callable[[Artifacts], Any]"


class StepFacts(NamedTuple):
    """What a step needs and shows.

    Attributes:
      gpu: whether a GPU makes it faster.
      shows: what Kubeflow displays of it; a step from the cache shows what the artifacts say that it took from there.
    """

    gpu: bool = False
    shows: tuple[Output, ...] = ()
