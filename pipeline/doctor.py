"""Tells whether this environment or image can run the pipeline."""

import argparse
import contextlib
import functools
import importlib
import importlib.metadata
import os
import platform
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from common import escaping
from common.errors import UserError
from modeling import weights
from modeling.backbone_names import BACKBONES
from pipeline import config as configuration
from pipeline import run_folders
from pipeline.beam import options as beam_options
from pipeline.command import BAD_INPUT, DONE, UNHEALTHY, Command, is_interrupted
from pipeline.kubeflow import sdk
from pipeline.predict_inputs import find_model

_PACKAGES = ("tfx", "tensorflow", "keras", "ml-metadata", "apache-beam", "tensorflow-model-analysis")
_MODULES = (
    "tensorflow",
    "keras",
    "ml_metadata",
    "apache_beam",
    "tensorflow_transform",
    "tensorflow_data_validation",
    "tensorflow_model_analysis",
    "pipeline.dag",
    "pipeline.run_node",
)
_IMAGE_SIZE = 224


def _examine(options: argparse.Namespace) -> int:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    found = 0
    for name, look in _examinations(options):
        try:
            with _quiet():
                state = look()
            print(f"ok   {name:<9} {state}", flush=True)
        except Exception as error:
            found += 1
            print(f"BAD  {name:<9} {_line(error)}", flush=True)
        if is_interrupted():  # some modules swallow what is raised while they are imported
            raise KeyboardInterrupt
    return UNHEALTHY if found else DONE


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--gpu", action="store_true", help="a GPU has to be there")
    parser.add_argument(
        "--weights",
        metavar="BACKBONE",
        action="append",
        default=[],
        choices=list(BACKBONES),
        help="its ImageNet weights have to be there, such as VGG16",
    )
    parser.add_argument(
        "--served",
        metavar="DIR",
        action="append",
        default=[],
        help="a published model has to answer in TensorFlow Serving: a version's folder, a folder of versions, whose "
        "highest number is taken, or a run's output folder",
    )
    parser.add_argument(
        "--beam",
        metavar="FILE",
        action="append",
        default=[],
        help="the engine of a configuration has to answer, and its workers have to see the data and the output folder",
    )
    parser.add_argument("--fetch", action="store_true", help="downloads those weights where they are not")


def _examinations(options: argparse.Namespace) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "python", lambda: f"{platform.python_version()} on {platform.libc_ver()[1]}, {os.cpu_count()} processors"
    for package in _PACKAGES:
        yield "package", functools.partial(_version, package)
    for module in _MODULES:
        yield "import", functools.partial(_import, module)
    yield "kubeflow", _kubeflow
    yield "gpu", functools.partial(_gpus, options.gpu)
    for backbone in options.weights:
        yield "weights", functools.partial(_weights, backbone, options.fetch)
    for folder in options.served:
        yield "served", functools.partial(_served, folder)
    for file in options.beam:
        yield "beam", functools.partial(_beam, file)


def _version(package: str) -> str:
    return f"{package} {importlib.metadata.version(package)}"


def _import(module: str) -> str:
    return importlib.import_module(module).__name__


def _kubeflow() -> str:
    try:
        sdk.check()
    except UserError as error:
        return f"none: {error}"
    _import("kfp.kubernetes")
    return _version("kfp")


def _gpus(is_needed: bool) -> str:
    import tensorflow as tf

    devices = tf.config.list_physical_devices("GPU")
    if is_needed and not devices:
        built = "built with CUDA" if tf.test.is_built_with_cuda() else "built without CUDA"
        raise UserError(
            f"none seen by TensorFlow, {built}; expected one, with a driver on the machine and, "
            f"in the environment, the packages of requirements-gpu.lock"
        )
    if not devices:
        return "none"
    details = [tf.config.experimental.get_device_details(device) for device in devices]
    return ", ".join(one.get("device_name", "unknown") for one in details)


def _weights(backbone: str, fetch: bool) -> str:
    if fetch:
        return f"{backbone} from {weights.fetch(backbone, _IMAGE_SIZE)}"
    if not weights.at_hand(backbone, _IMAGE_SIZE):
        raise UserError(f"{backbone} is not on this machine: every run would download it; --fetch downloads it now")
    return f"{backbone} is on this machine"


def _served(folder: str) -> str:
    from modeling import served

    model = find_model(folder)
    answered = served.examine(model)
    if not answered.passed:
        raise UserError(
            f"{escaping.escape(model)} does not answer in TensorFlow Serving: {answered.problem}; "
            f"python -m pipeline.export_again {shlex.quote(folder)} publishes it again"
        )
    return f"{escaping.escape(model)} answers through a session, as in TensorFlow Serving"


def _beam(file: str) -> str:
    config = configuration.load(file)
    options = beam_options.of_step(config.beam, next(iter(config.beam.steps), ""))
    if not options:
        raise UserError(
            f"{file}: beam.runner: {config.beam.runner}, expected an engine such as flink, and a step for it"
        )
    beam_options.check_address(config.beam)
    from pipeline.beam import probe

    output = Path(config.output).resolve()
    output.mkdir(parents=True, exist_ok=True)
    probe.check(options, output, [str(Path(one).resolve()) for one in run_folders.of_pictures(config).values()])
    return f"a worker of {config.beam.runner} at {config.beam.address or 'its service'} has all that the steps need"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Drops what libraries print while they are imported, native code included."""
    sys.stderr.flush()
    saved = os.dup(2)
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)


def _line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, UserError) else f"{type(error).__name__}: {text}"


COMMAND = Command(
    name="python -m pipeline.doctor",
    doc=__doc__,
    add_arguments=_add_arguments,
    run=_examine,
    codes={DONE: "nothing is wrong", UNHEALTHY: "something is, with one line for each problem", BAD_INPUT: "bad usage"},
)
main = COMMAND.main


if __name__ == "__main__":
    COMMAND.end_process()
