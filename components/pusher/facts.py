"""What Pusher declares about itself for schedulers and displays."""

from typing import TYPE_CHECKING

from common.step_facts import TEXT, Output, StepFacts

if TYPE_CHECKING:
    from common.step_facts import Artifacts


def _published(artifacts: "Artifacts") -> str:
    where = artifacts["pushed_model"].get_string_custom_property("pushed_destination")
    return where or "nothing: the gate refused the model"


FACTS = StepFacts(shows=(Output("published", TEXT, _published),))
