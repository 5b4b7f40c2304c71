"""A finished comparison, and its numbers for machines."""

import itertools
import os
import platform
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from common import example_records, labels
from common.examples import TEST
from common.lineage import Lineage
from pipeline.comparison import latency, measured, pairs
from pipeline.comparison.latency import Latency
from pipeline.comparison.measured import Measured
from pipeline.comparison.pairs import Pair
from pipeline.config import Config, to_yaml
from pipeline.engine.runner import Step


class Results(NamedTuple):
    """What a comparison found.

    Attributes:
      config: that of the first backbone; those of the others differ in its name alone.
      classes: names by class id.
      machine: what the latencies were measured on.
      backbones: in the order in which they were named.
      latencies: by the backbones' names.
      pairs: each backbone with each that comes after it.
    """

    config: Config
    classes: Sequence[str]
    machine: str
    backbones: Sequence[Measured]
    latencies: Mapping[str, Latency]
    pairs: Sequence[Pair]

    @property
    def configuration(self) -> str:
        """The settings as YAML, without places that only matter to a run."""
        return to_yaml(self.config, without=("output", "infer", "beam"))

    def as_json(self) -> dict[str, Any]:
        """All numbers, in the types of JSON: shares 0 to 1, times in seconds, sizes in bytes."""
        return {
            "image_size": self.config.backbone.image_size,
            "weights": self.config.backbone.weights,
            "seed": self.config.seed,
            "classes": list(self.classes),
            "machine": self.machine,
            "backbones": [self._of(one) for one in self.backbones],
            "pairs": [
                {
                    **pair._asdict(),
                    "only_first": len(pair.only_first),
                    "only_second": len(pair.only_second),
                    "difference": pair.difference._asdict(),
                    "better": pair.better or None,
                }
                for pair in self.pairs
            ],
        }

    def _of(self, one: Measured) -> dict[str, Any]:
        return {
            "name": one.name,
            "accuracy": one.accuracy._asdict(),
            "loss": one.loss,
            "passed": one.passed,
            "parameters": one.parameters,
            "bytes": one.bytes,
            "seconds": one.seconds,
            "latency": self.latencies[one.name]._asdict(),
            "model": one.saved_model,
        }


def collect(ran: Mapping[str, Sequence[Step]], config: Config, lineage: Lineage) -> Results:
    """Reads what the steps left, and measures the latencies, which takes a minute or so.

    Args:
      ran: the steps of each backbone's pipeline, all complete, by its name.
      config: that of the first.
      lineage: the store that they are in.
    """
    backbones = [measured.read(name, steps, lineage) for name, steps in ran.items()]
    examples = backbones[0].examples
    pictures = itertools.islice(example_records.read(examples, TEST), latency.BATCH)
    return Results(
        config=config,
        classes=labels.read_labels(examples),
        machine=_machine(),
        backbones=backbones,
        latencies=latency.measure(
            {one.name: one.saved_model for one in backbones}, [picture.image for picture in pictures]
        ),
        pairs=pairs.compare(backbones),
    )


def _machine() -> str:
    gpus = [tf.config.experimental.get_device_details(gpu) for gpu in tf.config.list_physical_devices("GPU")]
    names = ", ".join(str(gpu.get("device_name", "a GPU")) for gpu in gpus)
    return f"{os.cpu_count()} cores ({platform.machine()}), {names or 'no GPU'}"
