"""Shows the latest evaluation of an output folder in the browser, with TFMA's own components.

    python -m pipeline.view_evaluation [--output DIR] [--slice KEY]

The page is served on this machine alone until Ctrl-C, and asks the network for nothing: TFMA loads its charts from
there, and where one would be stands a table.

Exit codes: 0 ended by Ctrl-C; 2 bad usage, or nothing to show; 1 anything else.
"""

import argparse
import os
import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path

from common.errors import UserError
from pipeline import config as configuration
from pipeline.command import BAD_INPUT, FAILED, interrupts
from pipeline.engine import faults
from pipeline.screen import Screen, error_line, output_to
from pipeline.viewer import stored_evaluations

ENDED = 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        with interrupts():
            _show(Path(options.output).expanduser().resolve(), options.slice)
    except UserError as error:
        error_line(f"error: {error}")
        return BAD_INPUT
    except faults.FaultError as error:
        error_line(f"error: {error}")
        return FAILED
    except KeyboardInterrupt:
        pass
    return ENDED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.view_evaluation",
        description="Shows the latest evaluation of an output folder in the browser, until Ctrl-C.",
        epilog="Exit codes: 0 ended by Ctrl-C; 2 bad usage, or nothing to show; 1 anything else.",
    )
    parser.add_argument(
        "--output",
        metavar="DIR",
        default=configuration.Config().output,
        help="a run's output folder; default: %(default)s",
    )
    parser.add_argument("--slice", metavar="KEY", help="what to slice by, such as class_name; default: all there is")
    return parser


def _show(output: Path, slice_key: str | None) -> None:
    evaluation = stored_evaluations.latest(output)
    if slice_key is not None:
        stored_evaluations.check_slice_key(evaluation.directory, slice_key)
    screen = Screen()
    screen.line(f"evaluation  {evaluation.directory}")
    screen.line(f"finished    {evaluation.finished:%Y-%m-%d %H:%M}, {'' if evaluation.blessed else 'not '}blessed")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    with screen.running("loading TFMA"), output_to(Path(os.devnull)):
        from pipeline.viewer.document import make_page
        from pipeline.viewer.server import PageServer

        try:
            page = make_page(evaluation.directory, slice_key)
        except faults.FaultError:
            raise
        except Exception as error:
            place = str(evaluation.directory)
            raise faults.FaultError(f"the evaluation {place!r} cannot be read ({error})") from error
    with PageServer(page) as server:
        screen.line(f"address     {server.address} (Ctrl-C ends it)")
        # Without a desktop, Python would start a browser in the terminal.
        if any(os.environ.get(name) for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")):
            webbrowser.open(server.address)
        server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
