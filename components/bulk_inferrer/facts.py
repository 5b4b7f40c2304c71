"""What BulkInferrer declares about itself for schedulers and displays."""

from typing import TYPE_CHECKING

from common.step_facts import METRICS, Output, StepFacts

if TYPE_CHECKING:
    from common.step_facts import Artifacts


def _predictions(artifacts: "Artifacts") -> dict[str, float]:
    from components.bulk_inferrer import executor

    result = artifacts["inference_result"]
    keys = (executor.FOUND, executor.PREDICTED, executor.FAILED)
    return {key: int(result.get_int_custom_property(key)) for key in keys}


FACTS = StepFacts(shows=(Output("predictions", METRICS, _predictions),))
