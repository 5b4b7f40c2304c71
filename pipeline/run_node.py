"""Runs one node of the pipeline, as each step on Kubeflow does."""

import argparse
import contextlib
import importlib.metadata
import json
import logging
import os
import sys
import tempfile
import time
import traceback
import warnings
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common import escaping, folders, locks, packages, progress
from common.errors import TransientError, UserError
from modeling import weights
from pipeline import run_folders
from pipeline.beam import options as beam_options
from pipeline.command import BAD_INPUT, DONE, Command, is_interrupted
from pipeline.config import Config
from pipeline.engine import compiled, connection, faults, kept, reachable, verdicts, writable
from pipeline.kubeflow import parameters, sdk
from pipeline.steps import STEPS

if TYPE_CHECKING:
    from tfx.proto.orchestration import pipeline_pb2
    from tfx.types import Artifact

_PROGRESS_SECONDS = 30
_LOCK = ".lock"
# Kubernetes shows what it holds as the reason why the container ended, and Argo as that of the step.
_LAST_WORDS = Path("/dev/termination-log")
# Where Keras and this project keep them.
_WEIGHTS = ("~/.keras/models", "~/.cache/image-classification-pipeline")


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--node", metavar="NAME", required=True, help="such as Trainer")
    parser.add_argument("--nodes", metavar="NAMES", required=True, help="all nodes of the pipeline, with commas")
    parser.add_argument("--run-id", metavar="ID", required=True, help="the same for all nodes of a run")
    parser.add_argument("--pipeline-root", metavar="URI", required=True, help="a folder, or gs://...")
    parser.add_argument("--serving", metavar="URI", required=True, help="where models are published")
    parser.add_argument("--metadata", metavar="URI", required=True, help=connection.EXPECTED)
    parser.add_argument("--tfx", metavar="VERSION", required=True, help="the version that the pipeline is meant for")
    parser.add_argument(
        "--gpus", metavar="COUNT", type=int, required=True, help="how many the node was compiled to have"
    )
    parser.add_argument(
        "--executor-input", metavar="JSON", required=True, help="KFP's ExecutorInput: the settings and the outputs"
    )
    parser.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="a setting that is no parameter of the run"
    )
    parser.add_argument(
        "--output",
        metavar=("NAME", "PATH"),
        nargs=2,
        action="append",
        default=[],
        help="where KFP looks for an output's file",
    )


def _log_to_pod() -> None:
    """Kubernetes collects what a container prints: there go this project's log and progress, and others' errors."""
    warnings.simplefilter("ignore")  # the libraries' talk of their own futures
    ours, others = logging.StreamHandler(sys.stdout), logging.StreamHandler(sys.stdout)
    others.setLevel(logging.ERROR)
    for handler in (ours, others):
        handler.setFormatter(logging.Formatter("%(asctime)s %(name)s: %(message)s"))
    logging.getLogger().handlers = [others]
    for log in packages.loggers():
        log.setLevel(logging.INFO)
        log.handlers, log.propagate = [ours], False
    shown = time.monotonic()

    def show(done: int, total: int, unit: str) -> None:
        nonlocal shown
        if time.monotonic() - shown >= _PROGRESS_SECONDS:
            shown = time.monotonic()
            print(f"{done} of {total} {unit}", flush=True)

    progress.listen(show)


def _run_step(options: argparse.Namespace) -> int:
    try:
        return _start(options)
    except (UserError, faults.FaultError) as error:
        # Only containers of Kubernetes have the file.
        with contextlib.suppress(OSError), open(_LAST_WORDS, "r+", errors="backslashreplace") as file:
            file.truncate()
            file.write(f"error: {error}")
        raise


def _start(options: argparse.Namespace) -> int:
    """What needs neither TensorFlow nor much time comes first."""
    sdk.check()
    _check_version(options.tfx)
    if not options.run_id or "{{" in options.run_id:
        raise UserError(
            f"--run-id: got {options.run_id!r}: this Kubeflow does not tell its steps the id of their run, "
            f"without which two runs could not be told apart; expected Kubeflow Pipelines 2.5.0 or newer"
        )
    executor_input = _executor_input(options.executor_input)
    values = dict(executor_input.get("inputs", {}).get("parameterValues", {}))
    values.pop(parameters.RUN_ID, None)
    config = parameters.to_config(values, options.set)
    weights.check(config.backbone.weights)
    folders.check_no_pattern("--pipeline-root", options.pipeline_root)
    run_folders.check_apart("--pipeline-root", options.pipeline_root, run_folders.of_pictures(config))
    address = connection.parse(options.metadata)
    _check_writable(options, address)
    store = connection.connect(address)
    reachable.check(address)
    beam_options.check_address(config.beam)
    if options.node == "ImageExampleGen":
        _check_data(config)
    folder = Path(options.pipeline_root, options.node)
    is_local = not folders.is_address(options.pipeline_root)
    if is_local:
        verdicts.recall(folder, options.run_id)
    _log_to_pod()
    print(f"step       {options.node} of run {options.run_id}")
    print(f"settings   {_changed_settings(config)}", flush=True)
    try:
        with verdicts.kept(folder, options.run_id) if is_local else contextlib.nullcontext():
            _run(options, config, store, executor_input.get("outputs", {}))
    except (UserError, faults.FaultError):
        raise
    except Exception as error:
        if not is_interrupted():
            faults.raise_if_known(error, Path(options.pipeline_root), f"{options.node} failed: ")
            traceback.print_exc()
        raise faults.FaultError(f"{options.node} failed: {error}") from error
    finally:
        progress.listen(None)
    return DONE


def _changed_settings(config: Config) -> str:
    shown = zip(parameters.of_config(config), parameters.of_config(Config()), strict=True)
    changed = [f"{one.key}={one.default}" for one, standard in shown if one.default != standard.default]
    return escaping.escape(", ".join(changed) or "all as by default")


def _check_version(expected: str) -> None:
    here = importlib.metadata.version("tfx")
    if here != expected:
        raise UserError(
            f"this image holds TFX {here}, the pipeline was compiled for one with TFX {expected}; "
            f"build the image and compile the pipeline from the same checkout, or compile with --tfx {here}"
        )


def _executor_input(text: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise UserError("--executor-input: not a JSON object; expected what KFP's launcher substitutes for {{$}}")
    return content


def _check_writable(options: argparse.Namespace, address: connection.Address) -> None:
    """The first step tells it of all folders, though only the last may write to that of the published models."""
    node = f"{options.pipeline_root}/{options.node}"
    for path in (options.pipeline_root, node, f"{node}/{_LOCK}"):
        if not folders.is_address(path):
            writable.check("--pipeline-root", path)
    if not folders.is_address(options.serving):
        writable.check("--serving", options.serving)
    if address.file:
        writable.check("--metadata", address.file)
        writable.check("--metadata", os.path.dirname(address.file))


def _check_data(config: Config) -> None:
    """Of all nodes, one looks into the data folder."""
    if config.data is None:
        from pipeline.sample_data import write_sample

        write_sample(Path(_sample_folder()))
    run_folders.check_data(config, config.data or _sample_folder())


def _sample_folder() -> str:
    return os.path.join(tempfile.gettempdir(), "sample_data")


def _share_weights(root: str) -> None:
    """Lets the steps fetch ImageNet weights once, into the pipeline root, unless the image brings some."""
    if any(os.path.isdir(os.path.expanduser(folder)) for folder in _WEIGHTS):
        return
    for variable in ("KERAS_HOME", "XDG_CACHE_HOME"):
        os.environ.setdefault(variable, os.path.join(root, ".cache", variable.partition("_")[0].lower()))


def _run(options: argparse.Namespace, config: Config, store: "connection.Config", told: dict[str, Any]) -> None:
    # On a node without GPUs, its errors are that there are none.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1" if options.gpus else "3")
    is_local = not folders.is_address(options.pipeline_root)
    if is_local:
        _share_weights(options.pipeline_root)
        compiled.import_launcher()
    else:
        compiled.with_tensorflow()
    folder = os.path.join(options.pipeline_root, kept.FOLDER) if is_local else None
    pipeline, node = _load(options, config, folder)
    _check_metadata(store, options.metadata)
    with _only_attempt(options.pipeline_root, options.node) if is_local else contextlib.nullcontext():
        artifacts = _launch(pipeline, node, store, is_local, options.gpus, config)
    if told:
        from pipeline.kubeflow import outputs

        outputs.write(told, dict(options.output), STEPS[options.node].shows, artifacts, folder)


def _check_gpus(asked: int, node: str) -> None:
    """A step that asked for GPUs would otherwise compute on the processor, for a night and without a word."""
    if not asked:
        return
    import tensorflow as tf

    seen = len(tf.config.list_physical_devices("GPU"))
    if seen < asked:
        raise TransientError(
            f"{node} asked for {asked} GPU{'s' * (asked != 1)} and TensorFlow sees {seen}; usual causes: the image was "
            f"built without GPU=1, the node has no driver or its folder is not in LD_LIBRARY_PATH, or no GPU was free; "
            f"`compile` with --gpu-step {node}=0 lets the step use the processor"
        )


def _load(
    options: argparse.Namespace, config: Config, folder: str | None
) -> "tuple[pipeline_pb2.Pipeline, pipeline_pb2.PipelineNode]":
    """The pipeline of these settings, for this run, and the one node of it."""
    from tfx.dsl.compiler import constants
    from tfx.orchestration.portable import runtime_parameter_utils

    pipeline = compiled.load(
        config,
        data=config.data or _sample_folder(),
        pipeline_root=options.pipeline_root,
        serving=options.serving,
        folder=folder,
    )
    runtime_parameter_utils.substitute_runtime_parameter(
        pipeline, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: options.run_id}
    )
    nodes = {one.pipeline_node.node_info.id: one.pipeline_node for one in pipeline.nodes}
    if unlike := sorted(nodes.keys() ^ set(options.nodes.split(","))):
        raise UserError(
            f"the step {unlike[0]!r} is {'new' if unlike[0] in nodes else 'gone'} with these settings or this image; "
            f"compile the pipeline again with them"
        )
    return pipeline, nodes[options.node]


def _check_metadata(store: "connection.Config", address: str) -> None:
    from pipeline.engine.store import RoomyMetadata

    try:
        with RoomyMetadata(store):
            pass
    except RuntimeError as error:
        raise faults.FaultError(
            f"the metadata store {connection.parse(address)} cannot be reached, or refuses this user: {error}"
        ) from error


def _only_attempt(root: str, node: str) -> AbstractContextManager[object]:
    """Lets one process at a time run a node, as two runs may share the root: the second finds the work done."""
    folder = Path(root, node)
    folder.mkdir(parents=True, exist_ok=True)
    return locks.hold(folder / _LOCK, lambda: print(f"waiting: another run is at {node}", flush=True))


def _launch(
    pipeline: "pipeline_pb2.Pipeline",
    node: "pipeline_pb2.PipelineNode",
    store: "connection.Config",
    is_local: bool,
    gpus: int,
    config: Config,
) -> "dict[str, Artifact]":
    """Clears what killed attempts left, launches the node and returns its inputs and outputs by key."""
    from pipeline.beam import pipelines as beam_pipelines
    from pipeline.engine import leftovers
    from pipeline.engine.runner import launch
    from pipeline.engine.store import RoomyMetadata, as_tfx

    name, root = node.node_info.id, pipeline.runtime_spec.pipeline_root.field_value.string_value
    # Without a lock, as in an object store, other runs' attempts may be alive.
    run_id = None if is_local else pipeline.runtime_spec.pipeline_run_id.field_value.string_value
    leftovers.clear(store, root, name, run_id)

    def before_work() -> None:
        compiled.with_tensorflow()
        _check_gpus(gpus, name)

    pictures = [config.data or _sample_folder(), *filter(None, [config.infer])]
    on_engine = beam_pipelines.maker(config.beam, name, Path(root), pictures)
    execution_id, state = launch(pipeline, node, store, before_work, on_engine)
    print(f"{name}: {state}", flush=True)
    if state == "failed":
        raise faults.FaultError(f"{name} failed: its inputs could not be resolved; the log above says why")
    if is_local:
        leftovers.clear_unfinished(root, name)
    with RoomyMetadata(store) as handle:
        found = {**handle.lineage.inputs(execution_id), **handle.lineage.outputs(execution_id)}
        return {key: one for key, (one, *_) in as_tfx(handle.lineage, found).items()}


COMMAND = Command(
    name="python -m pipeline.run_node",
    doc=__doc__,
    add_arguments=_add_arguments,
    run=_run_step,
    codes={DONE: "done, also where the gate refused the model", BAD_INPUT: "bad input or configuration"},
    interrupted="interrupted: a retry goes on where this attempt stopped",
    more_help="`python -m pipeline.kubeflow compile` writes these arguments.",
)
main = COMMAND.main


if __name__ == "__main__":
    COMMAND.end_process()
