"""A place to run the command in: a data folder, a small configuration, an output folder."""

import functools
import json
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from pipeline import local_run
from pipeline.config import Config

REPOSITORY = Path(local_run.__file__).parent.parent
SMALL = {
    "backbone": {"weights": "random", "image_size": 32},
    "features": {"precision": "float32"},
    "trainer": {
        "penalty": 1.0,
        "schedule": "constant",
        "fine_tune_epochs": 1,
        "fine_tune_learning_rate": 1e-4,
        "batch_size": 8,
    },
    "gate": {"min_accuracy": 0.6},
}


@functools.cache
def all_steps() -> list[str]:
    """The steps of a pipeline without pictures to predict, in the order in which they run."""
    from pipeline.kubeflow import graph

    return [step.name for step in graph.steps_of(Config())]


def steps_from(name: str) -> list[str]:
    """A step and those that run after it."""
    return all_steps()[all_steps().index(name) :]


class Workplace(NamedTuple):
    """A data folder, a configuration and an output folder."""

    root: Path

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def output(self) -> Path:
        return self.root / "output"

    @property
    def temporary(self) -> Path:
        return self.root / "tmp"

    def arguments(self, *more: str) -> list[str]:
        config = self.root / "small.yaml"
        config.write_text(yaml.safe_dump(SMALL))
        return ["--config", str(config), "--data", str(self.data), "--output", str(self.output), *more]

    def run(self, *more: str) -> int:
        return local_run.main(self.arguments(*more))

    @property
    def summary(self) -> dict[str, Any]:
        return json.loads((self.output / "run_summary.json").read_text())

    def executed(self) -> list[str]:
        """The steps that were not taken from the cache; finding the baseline is a look-up, not a step that costs."""
        return [
            step["name"]
            for step in self.summary["steps"]
            if step["state"] != "cached" and step["name"] != "LatestBlessedModel"
        ]

    def versions(self) -> list[str]:
        return sorted(path.name for path in (self.output / "serving").glob("[0-9]*"))
