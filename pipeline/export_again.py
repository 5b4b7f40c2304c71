"""Publishes a model anew that an earlier release published and TensorFlow Serving cannot run.

    python -m pipeline.export_again DIR

The new version lies beside the old one, holds the same weights and gives the same answers. Nothing is trained.

Exit codes: 0 published, or nothing to do; 2 bad usage or model; 130 interrupted; 1 anything else.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from common import escaping, versions
from common.errors import UserError
from pipeline.command import BAD_INPUT, FAILED, INTERRUPTED, PUBLISHED, interrupts
from pipeline.engine import faults
from pipeline.predict_inputs import find_model
from pipeline.screen import Screen, error_line, output_to


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns the exit code."""
    options = _parser().parse_args(arguments)
    with interrupts():
        try:
            _export(find_model(options.model))
            return PUBLISHED
        except KeyboardInterrupt:
            code, line = INTERRUPTED, "interrupted: nothing was published"
        except (UserError, faults.FaultError) as error:
            code, line = BAD_INPUT if isinstance(error, UserError) else FAILED, f"error: {error}"
    error_line(line)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.export_again",
        description="Publishes a model anew that an earlier release published and TensorFlow Serving cannot run.",
        epilog="Exit codes: 0 published, or nothing to do; 2 bad usage or model; 130 interrupted; 1 anything else.",
    )
    parser.add_argument(
        "model",
        metavar="DIR",
        help="a version's folder, a folder of versions, whose highest number is taken, or a run's output folder",
    )
    return parser


def _export(model: str) -> None:
    """The new version appears beside the old one once a session has answered from it."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    base = os.path.dirname(os.path.abspath(model))
    screen = Screen()
    with output_to(Path(os.devnull)):
        from modeling import served, signatures

        if served.examine(model).passed:
            screen.line(f"{escaping.escape(model)} answers in TensorFlow Serving: there is nothing to do")
            return
        with faults.writing(Path(base)), versions.new_version(base) as (version, folder):
            signatures.export_again(model, folder)
            answered = served.examine(folder)
            if not answered.passed:
                raise faults.FaultError(f"exported again, {escaping.escape(model)} fails as before: {answered.problem}")
    screen.line(f"published  {escaping.escape(os.path.join(base, version))}")


if __name__ == "__main__":
    sys.exit(main())
