"""What Report declares about itself for schedulers and displays."""

import os
from typing import TYPE_CHECKING

from common.step_facts import HTML, Output, StepFacts
from components.report import FILE_NAME

if TYPE_CHECKING:
    from common.step_facts import Artifacts


def _report(artifacts: "Artifacts") -> str:
    return os.path.join(artifacts["report"].uri, FILE_NAME)


FACTS = StepFacts(shows=(Output("report", HTML, _report),))
