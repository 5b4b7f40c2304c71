"""What Trainer declares about itself for schedulers and displays."""

from typing import TYPE_CHECKING

from common.examples import EVAL, TRAIN
from common.step_facts import METRICS, Output, StepFacts

if TYPE_CHECKING:
    from common.step_facts import Artifacts


def _training(artifacts: "Artifacts") -> dict[str, float]:
    from modeling.training_results import TrainingResults

    results = TrainingResults.read(artifacts["model_run"].uri)
    by_split = {TRAIN: results.train, EVAL: results.eval}
    return {f"{split}_{name}": value for split, metrics in by_split.items() for name, value in metrics.items()}


FACTS = StepFacts(gpu=True, shows=(Output("training", METRICS, _training),))
