"""Runs the pipeline on this machine: from a folder of pictures to a published model.

Exit codes: 0 published; 3 trained but not blessed; 2 bad input or configuration; 130 interrupted; 1 anything else.
"""

import argparse
import contextlib
import datetime
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from components import progress, weights
from components.errors import UserError
from components.image_example_gen import layout
from components.sample_data import write_sample
from pipeline import config as configuration
from pipeline.screen import Screen, output_to

if TYPE_CHECKING:
    from pipeline.summary import Summary

PUBLISHED, FAILED, BAD_INPUT, NOT_BLESSED, INTERRUPTED = 0, 1, 2, 3, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        config = configuration.load(options.config, options.set, options.data, options.output)
        weights.check(config.backbone.weights)
        output = _make_folder(Path(config.output).resolve())
        data = Path(config.data).resolve() if config.data else write_sample(output / "sample_data")
        layout.find(str(data))
        return _run(config, data, output)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("interrupted: the same command goes on after the last finished step", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.local_run",
        description="Trains, evaluates and publishes an image classifier from a folder of pictures.",
        epilog=(
            "Exit codes: 0 published; 3 trained but not blessed; 2 bad input or configuration; "
            "130 interrupted; 1 anything else."
        ),
    )
    parser.add_argument("--config", metavar="FILE", help="YAML configuration; default: configs/default.yaml")
    parser.add_argument(
        "--data",
        metavar="DIR",
        help="pictures, as DIR/<class>/* or DIR/{train,eval,test}/<class>/*; default: a small sample",
    )
    parser.add_argument("--output", metavar="DIR", help="where everything goes; default: output")
    parser.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="changes one key, as in trainer.epochs=3"
    )
    return parser


def _make_folder(output: Path) -> Path:
    try:
        (output / "logs").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"output: the folder {str(output)!r} cannot be made ({error.strerror})") from error
    return output


def _run(config: configuration.Config, data: Path, output: Path) -> int:
    log = output / "logs" / f"{datetime.datetime.now():%Y-%m-%dT%H-%M-%S}.log"
    screen = Screen()
    screen.line(f"pictures   {data}")
    screen.line(f"log        {log}")
    screen.line()
    try:
        with output_to(log):
            try:
                summary = _run_steps(config, data, output, screen)
            except Exception:
                traceback.print_exc()  # into the log
                raise
    except UserError:
        raise
    except Exception as error:
        print(f"error: {error}; the log tells more: {log}", file=sys.stderr)
        return FAILED
    summary.write(output)
    _show(summary, output, screen)
    return PUBLISHED if summary.blessed else NOT_BLESSED


def _run_steps(config: configuration.Config, data: Path, output: Path, screen: Screen) -> "Summary":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    with screen.running("loading TensorFlow"):
        from tfx.orchestration import metadata

        from pipeline import leftovers
        from pipeline.dag import create_pipeline
        from pipeline.runner import StepFailedError, StepRunner
        from pipeline.summary import summarize

        if config.backbone.weights == "imagenet":
            weights.fetch(config.backbone.name, config.backbone.image_size)

    connection = metadata.sqlite_metadata_connection_config(str(output / "metadata.db"))
    pipeline_root = str(output / "pipeline")
    pipeline = create_pipeline(
        config,
        data=str(data),
        pipeline_root=pipeline_root,
        serving=str(output / "serving"),
        metadata=connection,
    )
    leftovers.clear(connection, pipeline_root)
    leftovers.forget_removed_versions(connection)
    progress.listen(screen.advance)
    try:
        with _interrupts() as interrupted:
            runner = StepRunner(screen, interrupted.is_set)
            runner.run(pipeline)
    except StepFailedError as error:
        if isinstance(error.__cause__, UserError):
            raise error.__cause__ from error
        raise
    finally:
        progress.listen(None)
    leftovers.clear_unfinished(pipeline_root)
    (output / "config.yaml").write_text(configuration.to_yaml(config))
    return summarize(runner.steps, connection)


@contextlib.contextmanager
def _interrupts() -> Iterator[threading.Event]:
    """Remembers Ctrl-C besides raising it: Beam wraps what is raised inside it, and a library may swallow it."""
    interrupted = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        interrupted.set()
        signal.default_int_handler(number, frame)

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)


def _show(summary: "Summary", output: Path, screen: Screen) -> None:
    files = summary.files
    screen.line()
    screen.line(
        f"files      {files['found']} found: {files['used']} used, {files['duplicate']} duplicate, "
        f"{files['quarantined']} quarantined"
    )
    for split, metrics in summary.metrics.items():
        screen.line(f"{split:<10} accuracy {metrics['accuracy']:.4f}, loss {metrics['loss']:.4f}")
    for check in summary.gate:
        sign = ">=" if check["passed"] else "<"
        where = f"{check['metric']} on {check['slice']}"
        verdict = "passed" if check["passed"] else "FAILED"
        screen.line(f"gate       {verdict}: {where} {check['value']:.4f} {sign} {check['threshold']:.4f}")
    if summary.baseline_note:
        screen.line(f"gate       {summary.baseline_note}")
    screen.line(f"published  {summary.pushed_to or 'nothing: the gate refused the model'}")
    screen.line(f"model      {summary.model}")
    screen.line(f"training   {summary.training}")
    screen.line(f"summary    {output / 'run_summary.json'}")


if __name__ == "__main__":
    sys.exit(main())
