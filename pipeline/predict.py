"""Predicts the classes of pictures with a published model.

    python -m pipeline.predict PATH... [--model DIR] [--format table|csv|jsonl] [--top K]

The rows come in the order in which the command line first leads to each file: the class that the model finds most
probable, its probability, and, where the file could not be predicted, why. Pictures go through what ingestion does to
them, so that any format, orientation and depth which it takes is predicted as it would have been evaluated.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from common import escaping
from modeling.prediction_formats import FORMATS, File, make_format
from pipeline import config as configuration
from pipeline.command import BAD_INPUT, DONE, INCOMPLETE, Command
from pipeline.predict_inputs import find_files, find_model
from pipeline.screen import error_line, output_to


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths",
        metavar="PATH",
        nargs="+",
        help="a file; a folder, of which every file at any depth counts but hidden ones; a quoted pattern such as "
        "'pictures/**/*.jpg'; or -: reads paths of files from standard input, one per line or each ended by a NUL. "
        "A file gets one row, however many arguments lead to it; a list from standard input gets a row a line",
    )
    parser.add_argument(
        "--model",
        metavar="DIR",
        default=os.path.join(configuration.Config().output, "serving"),
        help="a version's folder, a folder of versions, whose highest number is taken, or a run's output folder; "
        "default: %(default)s",
    )
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="table",
        help="table is for the eye; csv has all digits, and an apostrophe before what begins like a formula; jsonl has "
        "an object a line with the keys file, label, score, top and error; default: %(default)s",
    )
    parser.add_argument(
        "--top", metavar="K", type=_count, default=1, help="how many classes, the most probable first; default: 1"
    )


def _count(text: str) -> int:
    if not (text.isdecimal() and int(text) >= 1):
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a whole number of 1 or more")
    return int(text)


def _start(options: argparse.Namespace) -> int:
    files = find_files(options.paths, sys.stdin.buffer)
    return _run(files, find_model(options.model), options.format, options.top)


def _run(files: list[File], folder: str, format: str, top: int) -> int:
    with (
        open(os.dup(sys.stdout.fileno()), "w", encoding="utf-8") as out,
        open(os.dup(sys.stderr.fileno()), "w", encoding="utf-8") as terminal,
        # Libraries and native code talk to their developers: what is wrong with a file or model, its row or error says.
        output_to(Path(os.devnull)),
        _bar(terminal) as bar,
    ):
        bar.console.print(f"model  {escaping.escape(folder)}")
        task = bar.add_task("loading the model", total=None)
        from modeling.predictor import Predictor

        predictor = Predictor(folder)
        bar.reset(task, total=len(files), description="files")
        rows = make_format(format, (file.path for file in files), predictor.classes, top)
        _write(rows.header, out, bar)
        failed = 0
        for batch in predictor.predict(files, top=top):
            _write("".join(map(rows.row, batch)), out, bar)
            bar.advance(task, len(batch))
            failed += sum(bool(prediction.problem) for prediction in batch)
    if not failed:
        return DONE
    error_line(f"error: {failed} of {len(files)} files could not be predicted; their rows say why")
    return INCOMPLETE


def _bar(terminal: TextIO) -> Progress:
    """A bar, if that is a terminal."""
    is_terminal = terminal.isatty()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    console = Console(file=terminal, quiet=not is_terminal, markup=False, highlight=False, soft_wrap=True)
    return Progress(
        *columns, console=console, disable=not is_terminal, transient=True, redirect_stdout=False, redirect_stderr=False
    )


def _write(text: str, out: TextIO, bar: Progress) -> None:
    """Writes rows; the bar makes room for them, as both may be on one terminal."""
    bar.stop()
    out.write(text)
    out.flush()
    bar.start()


COMMAND = Command(
    name="python -m pipeline.predict",
    doc=__doc__,
    add_arguments=_add_arguments,
    run=_start,
    codes={
        DONE: "all predicted",
        INCOMPLETE: "some files could not be, and their rows say why",
        BAD_INPUT: "bad usage or model, or no file",
    },
    leaves_threads=True,  # the model's would finish its batch
    more_help="A SavedModel is a program: load only models that you trust.",
)
main = COMMAND.main


if __name__ == "__main__":
    COMMAND.end_process()
