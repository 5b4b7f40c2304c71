"""Whole runs of the pipeline, measured from outside."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import measuring
from pipeline.local_run import NOT_BLESSED, PUBLISHED

# What the model is worth is not what is measured.
OPEN_GATE = {"gate.min_accuracy": 0}


class PipelineRun(NamedTuple):
    """A finished run.

    Attributes:
      command: what it took as a whole.
      summary: its run_summary.json.
      seconds: wall time of each step, by name, as the summary has it.
      cpu_seconds: processor time of each step; what comes before the first step, imports above all, counts to it.
    """

    command: measuring.Command
    summary: dict[str, Any]
    seconds: dict[str, float]
    cpu_seconds: dict[str, float]


def run(data: Path, output: Path, settings: Mapping[str, object], config: str | None = None) -> PipelineRun:
    """Runs `pipeline.local_run` in a process of its own.

    Args:
      data: the pictures.
      output: the run's folder; what an earlier run left there is its cache.
      settings: keys of the configuration and their values.
      config: a recipe.

    Raises:
      RuntimeError: the run failed.
    """
    output.mkdir(parents=True, exist_ok=True)
    arguments = ["--data", str(data), "--output", str(output), *(["--config", config] if config else [])]
    for key, value in settings.items():
        arguments += ["--set", f"{key}={value if isinstance(value, str) else json.dumps(value)}"]
    log = output / "errors.log"
    command = measuring.command([sys.executable, "-m", "pipeline.local_run", *arguments], log)
    if command.exit_code not in (PUBLISHED, NOT_BLESSED):
        last = "".join(log.read_text().splitlines(keepends=True)[-5:])
        raise RuntimeError(
            f"pipeline.local_run ended with exit code {command.exit_code}; expected a run to its end: {last}"
        )
    summary = json.loads((output / "run_summary.json").read_text())
    seconds = {step["name"]: step["seconds"] for step in summary["steps"]}
    return PipelineRun(command, summary, seconds, cpu_by_step(command.lines, list(seconds)))


def cpu_by_step(lines: Sequence[measuring.Line], steps: Sequence[str]) -> dict[str, float]:
    """The processor time between the lines that the run prints as each step ends, by step."""
    ends = {line.text.split()[0]: line.cpu_seconds for line in lines if line.text.split()[:1]}
    found, before = {}, 0.0
    for step in steps:
        found[step] = ends[step] - before
        before = ends[step]
    return found
