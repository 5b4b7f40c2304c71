"""Writes report.html again from the last finished run.

    python -m pipeline.report --output DIR

Each run writes it by itself.
"""

import argparse
import os
import tempfile
from pathlib import Path

from common.errors import UserError
from components.report import FILE_NAME
from pipeline import config as configuration
from pipeline.command import BAD_INPUT, DONE, Command
from pipeline.engine import faults, run_lock
from pipeline.screen import Screen, output_to

_STEP = "Report"


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--output",
        metavar="DIR",
        default=configuration.Config().output,
        help="a run's output folder; default: %(default)s",
    )


def _write(options: argparse.Namespace) -> int:
    output = Path(options.output).resolve()
    if not (output / faults.METADATA_FILE).exists():
        raise UserError(f"output: {str(output)!r} holds no run; expected the output folder of pipeline.local_run")
    screen = Screen()
    with run_lock.hold(output):
        faults.check_metadata(output)
        with screen.running("report"), output_to(Path(os.devnull)):
            try:
                html = _render(output)
            except UserError:
                raise
            except Exception as error:
                faults.raise_if_known(error, output)
                raise faults.FaultError(f"the report cannot be written: {type(error).__name__}: {error}") from error
        with faults.writing(output):
            (output / FILE_NAME).write_text(html)
    screen.line(str(output / FILE_NAME))
    return DONE


def _render(output: Path) -> str:
    from tfx.orchestration import data_types_utils

    from common import lineage
    from components.report.component import HtmlReport
    from components.report.executor import Executor
    from pipeline.engine.store import as_tfx

    runs = lineage.open_for_reading(output / faults.METADATA_FILE, output / "pipeline")
    finished = [one for one in runs.executions(_STEP) if one.last_known_state in lineage.SUCCEEDED]
    if not finished:
        raise UserError(f"output: {str(output)!r} holds no finished run; run pipeline.local_run to its end")
    inputs = as_tfx(runs, runs.inputs(finished[-1].id))
    properties = data_types_utils.build_value_dict(finished[-1].custom_properties)
    for artifact in (one for artifacts in inputs.values() for one in artifacts):
        if not os.path.exists(artifact.uri):
            raise UserError(f"output: {artifact.uri!r} is gone; run pipeline.local_run again, which writes it again")
    with tempfile.TemporaryDirectory() as directory:
        report = HtmlReport()
        report.uri = directory
        Executor().Do(inputs, {"report": [report]}, properties)
        return (Path(directory) / FILE_NAME).read_text()


COMMAND = Command(
    name="python -m pipeline.report",
    doc=__doc__,
    add_arguments=_add_arguments,
    run=_write,
    codes={DONE: "written", BAD_INPUT: "bad input"},
)
main = COMMAND.main


if __name__ == "__main__":
    COMMAND.end_process()
