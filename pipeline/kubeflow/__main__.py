"""Compiles the pipeline for Kubeflow Pipelines, and starts runs of it."""

import argparse
import os
import warnings

from pipeline import config as configuration
from pipeline.command import BAD_INPUT, DONE, Command
from pipeline.kubeflow import arguments as checked
from pipeline.kubeflow import parameters, sdk
from pipeline.kubeflow.deployment import GPU_TYPE, IMAGE_TFX
from pipeline.steps import GPU_STEPS


def _run(options: argparse.Namespace) -> int:
    options.run(options)
    return DONE


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, purpose, add in (
        ("compile", "write the file that Kubeflow Pipelines runs", _add_compile),
        ("submit", "start a run of that file", _add_submit),
    ):
        add(commands.add_parser(name, help=purpose, description=purpose, epilog=parser.epilog))


def _add_compile(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_compile)
    add = parser.add_argument
    add("--config", metavar="FILE", help=configuration.FILE_HELP)
    add("--data", metavar="PATH", help="the pictures' folder or table, in the container; default: a small sample")
    add("--set", metavar="KEY=VALUE", action="append", default=[], help="changes one key, as in trainer.dropout=0.2")
    add("--image", required=True, help="the container image of every step")
    add("--pipeline-root", metavar="URI", required=True, help="a folder on a --pvc, or gs://BUCKET/PATH")
    add("--serving", metavar="URI", help="where models are published; default: 'serving' in the pipeline root")
    add("--metadata", metavar="URI", required=True, help=f"the metadata store: {checked.METADATA}")
    add("--output", metavar="FILE", default="pipeline.yaml", help="default: pipeline.yaml")
    add(
        "--gpu-step",
        metavar="NAME[=COUNT]",
        action="append",
        default=[],
        help=f"GPUs of a step; default: 1 for {', '.join(GPU_STEPS)}; =0 for none",
    )
    add("--gpu-type", metavar="RESOURCE", default=GPU_TYPE, help=f"default: {GPU_TYPE}")
    add("--node-selector", metavar="K=V", action="append", default=[], help="label of the nodes with GPUs")
    add(
        "--toleration",
        metavar="K[=V][:EFFECT]",
        action="append",
        default=[],
        help="taint of the nodes with GPUs; default: the GPU type's, with any value, NoSchedule",
    )
    add("--pvc", metavar="CLAIM:/MOUNT", action="append", default=[], help="a volume for every step")
    add("--secret", metavar="NAME:/MOUNT", action="append", default=[], help="a secret's files for every step")
    add("--cpu", metavar="STEP=LIMIT", action="append", default=[], help="such as Trainer=4")
    add("--memory", metavar="STEP=LIMIT", action="append", default=[], help="such as Trainer=16G")
    add(
        "--run-as-non-root",
        action="store_true",
        help="for namespaces that enforce PodSecurity `restricted`; needs KFP 2.16 or newer",
    )
    add("--tfx", metavar="VERSION", default=IMAGE_TFX, help=f"TFX's version in the image; default: {IMAGE_TFX}")


def _add_submit(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_submit)
    add = parser.add_argument
    add("file", metavar="FILE", nargs="?", default="pipeline.yaml", help="default: pipeline.yaml")
    add("--host", metavar="URL", required=True, help="of Kubeflow Pipelines")
    add("--set", metavar="KEY=VALUE", action="append", default=[], help="changes one parameter of this run")
    add("--experiment", metavar="NAME", help="default: the server's default experiment")
    add("--namespace", metavar="NAME", help="of the user, where Kubeflow has several")
    add("--token-file", metavar="FILE", help="holds a token for the server")


def _compile(options: argparse.Namespace) -> None:
    """What needs no TFX comes first."""
    parameters.check_overrides(options.set)
    config = configuration.load(options.config, options.set, options.data, elsewhere=True)
    deployment = checked.deployment(options, config)
    output = checked.output_file(options.output)
    sdk.check()

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.simplefilter("ignore")  # the libraries' talk of their own futures
    from pipeline.kubeflow.compiler import compile_pipeline

    compile_pipeline(config, deployment, output)
    print(f"wrote {output}")


def _submit(options: argparse.Namespace) -> None:
    parameters.check_overrides(options.set)
    defaults = parameters.of_file(options.file)
    config = configuration.of_values(defaults, options.set, elsewhere=True)
    checked.check_pictures(config)
    values = parameters.changes(defaults, config)
    token = checked.token(options.token_file)
    sdk.check()

    warnings.simplefilter("ignore")
    from pipeline.kubeflow.submit import submit

    print(f"started {submit(options.file, values, options.host, options.experiment, options.namespace, token)}")


COMMAND = Command(
    name="python -m pipeline.kubeflow",
    doc=__doc__,
    add_arguments=_add_arguments,
    run=_run,
    codes={DONE: "done", BAD_INPUT: "bad input or configuration"},
)
main = COMMAND.main


if __name__ == "__main__":
    COMMAND.end_process()
