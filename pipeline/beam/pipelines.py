"""What makes the Beam pipelines of a step that runs on an engine."""

import functools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.beam import options
from pipeline.config import BeamConfig

if TYPE_CHECKING:
    from pipeline.beam.jobs import Job


def maker(beam: BeamConfig, step: str, folder: Path, pictures: Iterable[str]) -> "Callable[[], Job] | None":
    """Makes them once a worker has shown that it can do the work, which is found out by the first of them.

    Args:
      beam: the settings.
      step: its name.
      folder: that this process and the workers both write to.
      pictures: folders that the workers have to see.

    Returns:
      None for a step that runs in its own process.
    """
    chosen = tuple(options.of_step(beam, step))
    return functools.partial(_make, chosen, folder, tuple(pictures)) if chosen else None


def _make(chosen: tuple[str, ...], folder: Path, pictures: tuple[str, ...]) -> "Job":
    from pipeline.beam.jobs import Job  # Beam takes a second to import, which a step from the cache need not wait for

    _check(chosen, folder, pictures)
    return Job(chosen)


@functools.cache  # all steps of a process have the same workers
def _check(chosen: tuple[str, ...], folder: Path, pictures: tuple[str, ...]) -> None:
    from pipeline.beam import probe

    probe.check(chosen, folder, pictures)
