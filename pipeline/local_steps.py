"""What the commands share that run steps on this machine: the output folder, the log, the steps, how faults are told.

Imports nothing heavy until `load`, so that what can be told before is told at once.
"""

import argparse
import contextlib
import datetime
import errno
import os
import sys
import traceback
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from common import escaping, fingerprint, folders, progress
from common.errors import UserError
from common.examples import EVAL, SPLITS, TEST
from components.image_example_gen import layout
from components.trainer.trials import Search
from modeling import weights
from pipeline import config as configuration
from pipeline import run_folders
from pipeline.beam import options as beam_options
from pipeline.command import is_interrupted
from pipeline.engine import faults, run_lock
from pipeline.sample_data import write_sample
from pipeline.screen import Screen, output_to

if TYPE_CHECKING:
    from pipeline.engine.runner import Step

_SHOWN_CLASSES = 20
_LOGS, _PIPELINE = "logs", "pipeline"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares what decides a run: `config`, `data`, `output` and `set`, as `pipeline.config.load` takes them."""
    parser.add_argument("--config", metavar="FILE", help=configuration.FILE_HELP)
    parser.add_argument(
        "--data",
        metavar="PATH",
        help="folder of pictures, as PATH/<class>/* or PATH/{train,eval,test}/<class>/*, or table of labels with the "
        "columns file_name and label; default: a small sample",
    )
    parser.add_argument("--output", metavar="DIR", help="where everything goes; default: output")
    parser.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="changes one key, as in trainer.dropout=0.2"
    )


@contextlib.contextmanager
def open_output(config: configuration.Config, output: Path, own: Collection[str]) -> Iterator[layout.Layout]:
    """Keeps other commands out of an output folder, once steps can run there, until the block ends.

    What needs neither TensorFlow nor much time comes first, and the lock before anything is written.

    Args:
      config: the settings.
      output: made if missing; absolute, links resolved.
      own: names of what the command writes there besides the steps' outputs, their metadata and the logs.

    Yields:
      What the data folder holds; that of the sample where the settings name none.

    Raises:
      UserError: the data or the output folder is not fit for this.
      FaultError: the disk is full, or the metadata store cannot be used.
    """
    own = (*own, _LOGS, _PIPELINE, faults.METADATA_FILE)
    folders.check_no_pattern("--output", str(output))
    beam_options.check_address(config.beam)
    pictures = {setting: os.path.realpath(folder) for setting, folder in run_folders.of_pictures(config).items()}
    run_folders.check_apart("--output", str(output), pictures, inside=own)
    with faults.writing(output):
        output.mkdir(parents=True, exist_ok=True)
    with run_lock.hold(output):
        with faults.writing(output):
            _check_writable([output, *(output / name for name in own)])
            (output / _LOGS).mkdir(exist_ok=True)
            faults.check_room(output)
            data = _resolved(config.data) if config.data else write_sample(output / "sample_data")
        faults.check_metadata(output)
        yield run_folders.check_data(config, str(data))


def _resolved(data: str) -> Path:
    """A table may be a link to elsewhere; the pictures lie beside the link."""
    path = Path(data).absolute()
    return path.parent.resolve() / path.name if path.is_file() else path.resolve()


def _check_writable(paths: Iterable[Path]) -> None:
    """What an earlier run has left may belong to another user."""
    for path in paths:
        if path.exists() and not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


@contextlib.contextmanager
def logged(output: Path, screen: Screen) -> Iterator[None]:
    """Sends what the block prints to a log in the output folder.

    Raises:
      UserError: as the block raised it.
      FaultError: the block raised anything else; the message is one line.
    """
    log = output / _LOGS / f"{datetime.datetime.now():%Y-%m-%dT%H-%M-%S}.log"
    screen.line(f"log        {log}")
    screen.line()
    try:
        with output_to(log):
            try:
                yield
            except Exception:
                traceback.print_exc()  # into the log
                raise
    except (UserError, faults.FaultError):
        raise
    except Exception as error:
        faults.raise_if_known(error, output)
        raise faults.FaultError(f"{error}; see the log: {log}") from error


def load(backbones: Iterable[configuration.BackboneConfig], screen: Screen) -> None:
    """Fetches the backbones' weights and imports what `run` needs, which takes seconds."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    # TensorFlow imports the code that it generates from the folder for temporary files, and would leave bytecode there.
    sys.dont_write_bytecode = True
    for backbone in backbones:
        if backbone.weights == "imagenet":
            with screen.running("ImageNet weights"):
                weights.fetch(backbone.name, backbone.image_size)
    with screen.running("loading TensorFlow"):
        import pipeline.dag
        import pipeline.engine.leftovers
        import pipeline.engine.runner  # noqa: F401

        fingerprint.of_code("pipeline.dag")  # what runs is the code as it is now, whatever becomes of its files
    if is_interrupted():  # some modules swallow what is raised while they are imported
        raise KeyboardInterrupt


def run(
    config: configuration.Config,
    data: str,
    output: Path,
    screen: Screen,
    serving: str | None = None,
    search: Search | None = None,
) -> list["Step"]:
    """Runs the pipeline's steps, or takes them from the cache.

    Args:
      config: the settings.
      data: folder of the pictures, or table of labels.
      output: held by `open_output`.
      screen: shows each step.
      serving: as in `create_pipeline`.
      search: the same.

    Returns:
      The steps in their order, all of them complete.

    Raises:
      UserError: a step found the settings or the data wrong.
      FaultError: something is wrong with the output folder.
      StepFailedError: a step failed otherwise.
      KeyboardInterrupt: the command was interrupted.
    """
    from tfx.orchestration import metadata

    from pipeline.beam import pipelines as beam_pipelines
    from pipeline.dag import create_pipeline
    from pipeline.engine import leftovers
    from pipeline.engine.runner import StepFailedError, StepRunner

    connection = metadata.sqlite_metadata_connection_config(str(output / faults.METADATA_FILE))
    pipeline_root = str(output / _PIPELINE)
    pipeline = create_pipeline(
        config,
        data=data,
        pipeline_root=pipeline_root,
        serving=serving,
        metadata=connection,
        search=search,
    )
    faults.check_room(output)
    leftovers.clear(connection, pipeline_root)
    leftovers.follow(connection, pipeline_root)
    leftovers.forget_removed_versions(connection)
    progress.listen(screen.advance)
    pictures = [data, *filter(None, [config.infer])]
    runner = StepRunner(screen, is_interrupted, lambda step: beam_pipelines.maker(config.beam, step, output, pictures))
    try:
        runner.run(pipeline)
    except StepFailedError as error:
        if isinstance(error.__cause__, UserError):
            raise error.__cause__ from error
        faults.raise_if_known(error, output, f"{runner.steps[-1].name} failed: ")
        raise
    finally:
        progress.listen(None)
    return runner.steps


def clear_unfinished(output: Path) -> None:
    """Removes what earlier commands left half done, once a command has all that it wanted."""
    from pipeline.engine import leftovers

    leftovers.clear_unfinished(str(output / _PIPELINE))


def show_data(data: layout.Layout, ingest: configuration.IngestConfig, screen: Screen) -> None:
    """Prints what was understood of the data folder: its splits and classes, and what is left out of it."""
    screen.line(f"pictures   {data.data}")
    for path, columns in data.columns.items():
        read = (f"{use} from {name!r}" for use, name in columns._asdict().items() if name)
        screen.line(f"table      {escaping.escape(path)}: {', '.join(read)}")
    cut = {EVAL: ingest.eval_fraction, TEST: ingest.test_fraction}
    for split in SPLITS:
        if split in data.splits:
            where = escaping.escape(data.splits[split]) or "the folder"
            screen.line(f"{split:<10} {_files(data.counts(split).total())} in {where}")
        else:
            screen.line(f"{split:<10} {cut[split]:.0%} of train, cut by hash")
    counts = data.counts()
    classes = [f"{name} ({counts[name]})" for name in data.classes]
    screen.line(f"classes    {len(classes)}: {escaping.first_few(classes, _SHOWN_CLASSES)}")
    if groups := {file.group for file in data.files if file.group}:
        alone = [file.path for file in data.files if not file.group]
        rest = f"; {_files(len(alone))} in none: {escaping.first_few(alone)}" if alone else ""
        screen.line(f"groups     {len(groups)}{rest}")
    for split in data.splits:
        if missing := [name for name in data.classes if name not in data.counts(split)]:
            screen.line(f"missing    {split} has no file of {escaping.first_few(missing)}")
    for path, reason in data.left_out:
        screen.line(f"left out   {escaping.escape(path)}: {reason}")
    if data.unlabelled:
        screen.line(f"left out   {_files(len(data.unlabelled))} without a label: {escaping.first_few(data.unlabelled)}")
    if data.unlisted:
        screen.line(f"left out   {_files(len(data.unlisted))} not in the table: {escaping.first_few(data.unlisted)}")
    if data.others:
        kind = "1 file that is not a picture" if len(data.others) == 1 else f"{len(data.others)} that are not pictures"
        screen.line(f"left out   {kind}: {escaping.first_few(data.others)}")
    if data.ignored:
        screen.line(f"left out   {len(data.ignored)} hidden or of the system: {escaping.first_few(data.ignored)}")


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def show_unused(trainer: configuration.TrainerConfig, screen: Screen) -> None:
    """Prints the keys that were changed to no effect."""
    for key, by in trainer.without_effect.items():
        screen.line(f"unused     trainer.{key} has no effect with {by}")


def show_size(backbone: configuration.BackboneConfig, screen: Screen) -> None:
    """Prints the pictures' size if the backbone's weights were trained on another."""
    size, trained = backbone.image_size, weights.trained_size(backbone.name, backbone.image_size)
    if backbone.weights == "imagenet" and size != trained:
        screen.line(f"size       {size}x{size}; the weights of {backbone.name} were trained on {trained}x{trained}")
