"""Trains, evaluates and publishes a classifier of pictures on this machine."""

import argparse
import datetime
import errno
import os
import shutil
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from common import escaping, fingerprint, folders, progress
from common.errors import UserError
from common.examples import LEAKAGE_FILE
from components import report
from components.bulk_inferrer import inputs
from components.image_example_gen import layout
from modeling import weights
from modeling.backbone_names import BACKBONES
from modeling.training_results import KEPT, UNDONE
from pipeline import config as configuration
from pipeline import run_folders
from pipeline.command import BAD_INPUT as BAD_INPUT  # by these names, this module's exit codes
from pipeline.command import DONE, Command, is_interrupted
from pipeline.command import FAILED as FAILED
from pipeline.command import INTERRUPTED as INTERRUPTED
from pipeline.command import NOT_BLESSED as NOT_BLESSED
from pipeline.engine import faults, run_lock
from pipeline.sample_data import write_sample
from pipeline.screen import Screen, output_to

if TYPE_CHECKING:
    from pipeline.summary import Inference, Summary

PUBLISHED = DONE

_STAGE_2 = {KEPT: "kept", UNDONE: "undone: it did not lower the loss on eval, so the model is that of stage 1"}
_FOLDERS = ("logs", "pipeline", "serving")
_WRITTEN = (*_FOLDERS, "config.yaml", "run_summary.json", report.FILE_NAME, faults.METADATA_FILE)


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", metavar="FILE", help=configuration.FILE_HELP)
    parser.add_argument(
        "--data",
        metavar="DIR",
        help="pictures, as DIR/<class>/* or DIR/{train,eval,test}/<class>/*; default: a small sample",
    )
    parser.add_argument("--output", metavar="DIR", help="where everything goes; default: output")
    parser.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="changes one key, as in trainer.epochs=3"
    )


def _start(options: argparse.Namespace) -> int:
    """What needs neither TensorFlow nor much time comes first, and the lock before anything is written."""
    config = configuration.load(options.config, options.set, options.data, options.output)
    weights.check(config.backbone.weights)
    output = Path(config.output).resolve()
    folders.check_no_pattern("--output", str(output))
    pictures = {setting: os.path.realpath(folder) for setting, folder in run_folders.of_pictures(config).items()}
    run_folders.check_apart("--output", str(output), pictures, inside=_FOLDERS)
    with faults.writing(output):
        output.mkdir(parents=True, exist_ok=True)
    with run_lock.hold(output):
        with faults.writing(output):
            _check_writable(output)
            (output / "logs").mkdir(exist_ok=True)
            faults.check_room(output)
            data = Path(config.data).resolve() if config.data else write_sample(output / "sample_data")
        faults.check_metadata(output)
        found = run_folders.check_data(config, str(data))
        if config.infer is not None:
            infer = str(Path(config.infer).resolve())
            inputs.find(infer)
            config = config.model_copy(update={"infer": infer})
        return _run(config, found, output)


def _check_writable(output: Path) -> None:
    """What an earlier run has left may belong to another user."""
    for path in [output, *(output / name for name in _WRITTEN)]:
        if path.exists() and not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def _run(config: configuration.Config, data: layout.Layout, output: Path) -> int:
    log = output / "logs" / f"{datetime.datetime.now():%Y-%m-%dT%H-%M-%S}.log"
    screen = Screen()
    _show_data(data, screen)
    _show_size(config.backbone, screen)
    screen.line(f"log        {log}")
    screen.line()
    try:
        with output_to(log):
            try:
                summary = _run_steps(config, data.root, output, screen)
            except Exception:
                traceback.print_exc()  # into the log
                raise
        summary.write(output)
        shutil.copyfile(summary.report, output / report.FILE_NAME)
    except (UserError, faults.FaultError):
        raise
    except Exception as error:
        faults.raise_if_known(error, output)
        raise faults.FaultError(f"{error}; see the log: {log}") from error
    _show(summary, output, screen)
    return PUBLISHED if summary.blessed else NOT_BLESSED


def _run_steps(config: configuration.Config, data: str, output: Path, screen: Screen) -> "Summary":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    # TensorFlow imports the code that it generates from the folder for temporary files, and would leave bytecode there.
    sys.dont_write_bytecode = True
    if config.backbone.weights == "imagenet":
        with screen.running("ImageNet weights"):
            weights.fetch(config.backbone.name, config.backbone.image_size)
    with screen.running("loading TensorFlow"):
        from tfx.orchestration import metadata

        from common import lineage
        from pipeline.dag import create_pipeline
        from pipeline.engine import leftovers
        from pipeline.engine.runner import StepFailedError, StepRunner
        from pipeline.summary import summarize

        fingerprint.of_code("pipeline.dag")  # what runs is the code as it is now, whatever becomes of its files
    if is_interrupted():  # some modules swallow what is raised while they are imported
        raise KeyboardInterrupt

    connection = metadata.sqlite_metadata_connection_config(str(output / faults.METADATA_FILE))
    pipeline_root = str(output / "pipeline")
    pipeline = create_pipeline(
        config,
        data=data,
        pipeline_root=pipeline_root,
        serving=str(output / "serving"),
        metadata=connection,
    )
    faults.check_room(output)
    leftovers.clear(connection, pipeline_root)
    leftovers.follow(connection, pipeline_root)
    leftovers.forget_removed_versions(connection)
    progress.listen(screen.advance)
    runner = StepRunner(screen, is_interrupted)
    try:
        runner.run(pipeline)
    except StepFailedError as error:
        if isinstance(error.__cause__, UserError):
            raise error.__cause__ from error
        faults.raise_if_known(error, output, f"{runner.steps[-1].name} failed: ")
        raise
    finally:
        progress.listen(None)
    leftovers.clear_unfinished(pipeline_root)
    (output / "config.yaml").write_text(configuration.to_yaml(config))
    return summarize(runner.steps, lineage.open_for_reading(output / faults.METADATA_FILE, output / "pipeline"))


def _show_data(data: layout.Layout, screen: Screen) -> None:
    screen.line(f"pictures   {data.root}")
    screen.line(f"classes    {len(data.classes)}: {escaping.first_few(data.classes)}")
    if data.ignored:
        screen.line(f"ignored    {escaping.first_few(data.ignored)}: hidden, or files of the system")


def _show_size(backbone: configuration.BackboneConfig, screen: Screen) -> None:
    size, trained = backbone.image_size, BACKBONES[backbone.name].picture_size
    if backbone.weights == "imagenet" and size != trained:
        screen.line(f"size       {size}x{size}; the weights of {backbone.name} were trained on {trained}x{trained}")


def _show(summary: "Summary", output: Path, screen: Screen) -> None:
    files = summary.files
    screen.line()
    screen.line(
        f"files      {files.found} found: {files.used} used, {files.duplicate} duplicate, "
        f"{files.quarantined} quarantined"
    )
    if files.leakage:
        pictures = "picture looks" if files.leakage == 1 else "pictures look"
        table = Path(summary.examples) / LEAKAGE_FILE
        screen.line(f"leakage    {files.leakage} held-out {pictures} like a training picture: {table}")
    for split, metrics in summary.metrics.items():
        screen.line(f"{split:<10} accuracy {metrics['accuracy']:.4f}, loss {metrics['loss']:.4f}")
    if summary.fine_tuning in _STAGE_2:
        screen.line(f"stage 2    {_STAGE_2[summary.fine_tuning]}")
    for check in summary.gate:
        sign = ">=" if check["passed"] else "<"
        where = f"{check['metric']} on {escaping.escape(check['slice'])}"
        verdict = "passed" if check["passed"] else "FAILED"
        screen.line(f"gate       {verdict}: {where} {check['value']:.4f} {sign} {check['threshold']:.4f}")
        if check["note"]:
            screen.line(f"gate       {check['metric']}: {escaping.escape(check['note'])}")
    if summary.baseline_note:
        screen.line(f"gate       {summary.baseline_note}")
    screen.line(f"published  {summary.pushed_to or 'nothing: the gate refused the model'}")
    if summary.inference:
        _show_inference(summary.inference, screen)
    screen.line(f"model      {summary.model}")
    screen.line(f"training   {summary.training}")
    screen.line(f"summary    {output / 'run_summary.json'}")
    screen.line(f"report     {output / report.FILE_NAME}")


def _show_inference(inference: "Inference", screen: Screen) -> None:
    if not inference.model:
        screen.line("predicted  nothing: there is no blessed model")
        return
    model = "" if inference.is_candidate else " by the last blessed model"
    failed = f", {inference.failed} could not be" if inference.failed else ""
    screen.line(f"predicted  {inference.predicted} of {inference.found} files{model}{failed}: {inference.csv}")


COMMAND = Command(
    name="python -m pipeline.local_run",
    doc=__doc__,
    add_arguments=_add_arguments,
    run=_start,
    codes={PUBLISHED: "published", NOT_BLESSED: "trained but not blessed", BAD_INPUT: "bad input or configuration"},
    interrupted="interrupted: the same command goes on where this one stopped",
)
main = COMMAND.main


if __name__ == "__main__":
    COMMAND.end_process()
