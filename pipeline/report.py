"""Writes report.html anew, from what the last finished run left in its output folder.

    python -m pipeline.report --output DIR

Each run writes it by itself. Exit codes: 0 written; 2 bad input; 130 interrupted; 1 anything else.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from common.errors import UserError
from components.report import FILE_NAME
from pipeline import config as configuration
from pipeline.command import BAD_INPUT, FAILED, INTERRUPTED, interrupts
from pipeline.engine import faults, run_lock
from pipeline.screen import Screen, error_line, output_to

WRITTEN = 0

_STEP = "Report"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns the exit code."""
    options = _parser().parse_args(arguments)
    output = Path(options.output).resolve()
    try:
        with interrupts():
            _write(output)
    except UserError as error:
        error_line(f"error: {error}")
        return BAD_INPUT
    except faults.FaultError as error:
        error_line(f"error: {error}")
        return FAILED
    except KeyboardInterrupt:
        error_line("interrupted")
        return INTERRUPTED
    return WRITTEN


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.report",
        description="Writes report.html anew, from what the last finished run left in its output folder.",
        epilog="Exit codes: 0 written; 2 bad input; 130 interrupted; 1 anything else.",
    )
    parser.add_argument(
        "--output",
        metavar="DIR",
        default=configuration.Config().output,
        help="a run's output folder; default: %(default)s",
    )
    return parser


def _write(output: Path) -> None:
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


def _render(output: Path) -> str:
    from tfx.orchestration import data_types_utils, metadata
    from tfx.orchestration.portable.mlmd import execution_lib

    from components.report.component import HtmlReport
    from components.report.executor import Executor
    from pipeline.dag import NAME

    connection = metadata.sqlite_metadata_connection_config(str(output / faults.METADATA_FILE))
    with metadata.Metadata(connection) as handle:
        node = handle.store.get_context_by_type_and_name("node", f"{NAME}.{_STEP}")
        executions = handle.store.get_executions_by_context(node.id) if node else []
        finished = [one for one in executions if execution_lib.is_execution_successful(one)]
        if not finished:
            raise UserError(f"output: {str(output)!r} holds no finished run; run pipeline.local_run to its end")
        last = max(finished, key=lambda one: one.id)
        inputs = execution_lib.get_input_artifacts(handle, last.id)
        properties = data_types_utils.build_value_dict(last.custom_properties)
    for artifact in (one for artifacts in inputs.values() for one in artifacts):
        if not os.path.exists(artifact.uri):
            raise UserError(f"output: {artifact.uri!r} is gone; run pipeline.local_run again, which makes it anew")
    with tempfile.TemporaryDirectory() as directory:
        report = HtmlReport()
        report.uri = directory
        Executor().Do(inputs, {"report": [report]}, properties)
        return (Path(directory) / FILE_NAME).read_text()


if __name__ == "__main__":
    sys.exit(main())
