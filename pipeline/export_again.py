"""Publishes a model of an earlier release again, for TensorFlow Serving.

    python -m pipeline.export_again DIR

The new version lies beside the old one, holds the same weights and gives the same answers. Nothing is trained.
"""

import argparse
import os
from pathlib import Path

from common import escaping, versions
from pipeline.command import BAD_INPUT, DONE, Command
from pipeline.engine import faults
from pipeline.predict_inputs import find_model
from pipeline.screen import Screen, output_to


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model",
        metavar="DIR",
        help="a version's folder, a folder of versions, whose highest number is taken, or a run's output folder",
    )


def _export(options: argparse.Namespace) -> int:
    """The new version appears beside the old one once a session has answered from it."""
    model = find_model(options.model)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    base = os.path.dirname(os.path.abspath(model))
    screen = Screen()
    with output_to(Path(os.devnull)):
        from modeling import served, signatures

        if served.examine(model).passed:
            screen.line(f"{escaping.escape(model)} answers in TensorFlow Serving: there is nothing to do")
            return DONE
        with faults.writing(Path(base)), versions.new_version(base) as (version, folder):
            signatures.export_again(model, folder)
            answered = served.examine(folder)
            if not answered.passed:
                raise faults.FaultError(f"exported again, {escaping.escape(model)} fails as before: {answered.problem}")
    screen.line(f"published  {escaping.escape(os.path.join(base, version))}")
    return DONE


COMMAND = Command(
    name="python -m pipeline.export_again",
    doc=__doc__,
    add_arguments=_add_arguments,
    run=_export,
    codes={DONE: "published, or nothing to do", BAD_INPUT: "bad usage or model"},
    interrupted="interrupted: nothing was published",
)
main = COMMAND.main


if __name__ == "__main__":
    COMMAND.end_process()
