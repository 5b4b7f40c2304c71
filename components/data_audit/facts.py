"""What DataAudit declares about itself for schedulers and displays."""

from typing import TYPE_CHECKING

from common.data_issues import IssueCounts
from common.step_facts import METRICS, Output, StepFacts

if TYPE_CHECKING:
    from common.step_facts import Artifacts


def _issues(artifacts: "Artifacts") -> dict[str, float]:
    return IssueCounts.read(artifacts["data_issues"])._asdict()


FACTS = StepFacts(shows=(Output("issues", METRICS, _issues),))
