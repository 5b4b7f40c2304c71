"""What ImageExampleGen declares about itself for schedulers and displays."""

from typing import TYPE_CHECKING

from common.examples import FileCounts
from common.step_facts import METRICS, Output, StepFacts

if TYPE_CHECKING:
    from common.step_facts import Artifacts


def _files(artifacts: "Artifacts") -> dict[str, float]:
    return FileCounts.read(artifacts["examples"])._asdict()


FACTS = StepFacts(shows=(Output("files", METRICS, _files),))
