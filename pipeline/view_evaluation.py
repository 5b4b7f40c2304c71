"""Shows the latest evaluation in the browser, with TFMA's components.

    python -m pipeline.view_evaluation [--output DIR] [--slice KEY]

The page is served on this machine alone until Ctrl-C, and asks the network for nothing: TFMA loads its charts from
there, and where one would be stands a table.
"""

import argparse
import os
import webbrowser
from pathlib import Path

from pipeline import config as configuration
from pipeline.command import BAD_INPUT, DONE, Command
from pipeline.engine import faults
from pipeline.screen import Screen, output_to
from pipeline.viewer import stored_evaluations


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--output",
        metavar="DIR",
        default=configuration.Config().output,
        help="a run's output folder; default: %(default)s",
    )
    parser.add_argument("--slice", metavar="KEY", help="what to slice by, such as class_name; default: all there is")


def _show(options: argparse.Namespace) -> int:
    slice_key: str | None = options.slice
    evaluation = stored_evaluations.latest(Path(options.output).expanduser().resolve())
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
    return DONE


COMMAND = Command(
    name="python -m pipeline.view_evaluation",
    doc=__doc__,
    add_arguments=_add_arguments,
    run=_show,
    codes={DONE: "ended by Ctrl-C", BAD_INPUT: "bad usage, or nothing to show"},
    interrupted="",
)
main = COMMAND.main


if __name__ == "__main__":
    COMMAND.end_process()
