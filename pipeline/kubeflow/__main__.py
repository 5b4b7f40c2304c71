"""Compiles the pipeline for Kubeflow Pipelines, starts runs of it, and says what they are at."""

import argparse
import os
import shlex
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import config as configuration
from pipeline import screen
from pipeline.command import BAD_INPUT, DONE, FAILED, INTERRUPTED, Command
from pipeline.kubeflow import arguments as checked
from pipeline.kubeflow import naming, parameters, pipeline_file, sdk
from pipeline.kubeflow.deployment import GPU_TYPE, IMAGE_TFX
from pipeline.steps import GPU_STEPS

if TYPE_CHECKING:
    import kfp

    from pipeline.kubeflow import submit

    Connect = Callable[[], kfp.Client]


def _run(options: argparse.Namespace) -> int:
    run: Callable[[argparse.Namespace], int] = options.run
    return run(options)


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, purpose, add in (
        ("compile", "write the file that Kubeflow Pipelines runs", _add_compile),
        ("submit", "start a run of that file, or a schedule of runs", _add_submit),
        ("status", "say what each step of a run waits for, does, or failed by", _add_status),
    ):
        add(commands.add_parser(name, help=purpose, description=purpose, epilog=parser.epilog))


def _add_compile(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_compile)
    add = parser.add_argument
    add("--config", metavar="FILE", help=configuration.FILE_HELP)
    add("--data", metavar="PATH", help="the pictures' folder or table, in the container; default: a small sample")
    add("--set", metavar="KEY=VALUE", action="append", default=[], help="changes one key, as in trainer.dropout=0.2")
    add("--image", required=True, help="the container image of every step")
    add(
        "--pipeline-root",
        metavar="URI",
        default=checked.ROOT,
        help=f"a folder on a --pvc, or gs://BUCKET/PATH; default: {checked.ROOT}",
    )
    add("--serving", metavar="URI", help="where models are published; default: 'serving' in the pipeline root")
    add(
        "--metadata",
        metavar="URI",
        default=checked.STORE,
        help=f"the metadata store: {checked.METADATA}; default: {checked.STORE}",
    )
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
    add(
        "--pvc",
        metavar="CLAIM:/MOUNT",
        action="append",
        default=[],
        help=f"a volume for every step; default: {checked.VOLUME} with the default --pipeline-root",
    )
    add(
        "--secret",
        metavar="NAME:/MOUNT",
        action="append",
        default=[],
        help=f"a secret's files for every step; default: {checked.SECRET} with the default --metadata",
    )
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
    _add_server(parser)
    add("--set", metavar="KEY=VALUE", action="append", default=[], help="changes one parameter of this run")
    add("--experiment", metavar="NAME", help="default: the server's default experiment")
    how = parser.add_mutually_exclusive_group().add_argument
    how("--wait", action="store_true", help="show what `status` shows until the run has ended")
    how(
        "--cron",
        metavar="FIELDS",
        help="start a run at each of these times, such as '0 3 * * *' for every night at three, in place of an earlier "
        "schedule of the same pipeline, backbone and data",
    )


def _add_status(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_status)
    parser.add_argument("id", metavar="RUN", nargs="?", help="the run's id; default: the newest run of this pipeline")
    _add_server(parser)


def _add_server(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--host", metavar="URL", required=True, help="of Kubeflow Pipelines")
    add("--namespace", metavar="NAME", help="of the user, where Kubeflow has several; of the runs' pods")
    add("--token-file", metavar="FILE", help="holds a token for the server")


def _compile(options: argparse.Namespace) -> int:
    """What needs no TFX comes first."""
    parameters.check_overrides(options.set)
    config = configuration.load(options.config, options.set, options.data, elsewhere=True)
    deployment = checked.deployment(options, config)
    output = checked.output_file(options.output)
    sdk.check()

    with screen.output_to(Path(os.devnull)):  # what the libraries tell of themselves
        from pipeline.kubeflow.compiler import compile_pipeline

        compile_pipeline(config, deployment, output)
    print(f"wrote {output}")
    return DONE


def _submit(options: argparse.Namespace) -> int:
    parameters.check_overrides(options.set)
    cron = checked.cron(options.cron)
    pipeline = pipeline_file.read(options.file)
    defaults = parameters.to_settings(pipeline.defaults)
    config = configuration.of_values(defaults, options.set, elsewhere=True)
    checked.check_settings(config)
    values = parameters.changes(defaults, config)
    connect = _connector(options)

    from pipeline.kubeflow import submit

    run = submit.Run(
        pipeline=pipeline,
        values=values,
        name=naming.name(pipeline, config),
        description=naming.description(pipeline, config),
        experiment=options.experiment,
        namespace=options.namespace,
    )
    if cron:
        return _schedule(options, run, cron, connect)
    run_id = submit.start(run, options.host, connect)
    print(f"{options.host.rstrip('/')}/#/runs/details/{run_id}")
    print(f"started {run_id}", flush=True)
    return _wait(options, run_id, connect) if options.wait else DONE


def _schedule(options: argparse.Namespace, run: "submit.Run", cron: str, connect: "Connect") -> int:
    from pipeline.kubeflow import submit

    schedule, earlier = submit.schedule(run, cron, options.host, connect)
    print(f"{run.name}: {cron!r} (second, minute, hour, ...) in the time zone of the cluster's controller")
    for one in earlier:
        print(f"replaced {one}")
    print(f"scheduled {schedule}")
    return DONE


def _wait(options: argparse.Namespace, run_id: str, connect: "Connect") -> int:
    """Shows each step's line when there is something new in it, until the run has ended."""
    from pipeline.kubeflow import status

    shown: dict[str, object] = {}
    try:
        for look in status.Watch(options.host, options.namespace, connect).follow(run_id):
            for subject, told, line in status.news(look):
                if shown.get(subject) != told:
                    shown[subject] = told
                    print(line, flush=True)
    except KeyboardInterrupt:
        given = {"--host": options.host, "--namespace": options.namespace, "--token-file": options.token_file}
        server = [part for option, value in given.items() if value for part in (option, value)]
        again = shlex.join(["python", "-m", "pipeline.kubeflow", "status", run_id, *server])
        screen.error_line(f"interrupted; the run goes on, and `{again}` shows it")
        return INTERRUPTED
    return FAILED if look.has_failed else DONE


def _status(options: argparse.Namespace) -> int:
    connect = _connector(options)

    from pipeline.kubeflow import status

    watch = status.Watch(options.host, options.namespace, connect)
    look = watch.look(options.id or watch.newest())
    print("\n".join(status.lines(look)))
    return FAILED if look.has_failed else DONE


def _connector(options: argparse.Namespace) -> "Connect":
    """Makes clients of the server, after a look at the token's file and whether KFP's SDK is there."""
    checked.token(options.token_file)
    sdk.check()
    warnings.simplefilter("ignore")  # the libraries' talk of their own futures

    def connect() -> "kfp.Client":
        from pipeline.kubeflow import backend

        return backend.connect(options.host, options.namespace, checked.token(options.token_file))

    return connect


COMMAND = Command(
    name="python -m pipeline.kubeflow",
    doc=__doc__,
    add_arguments=_add_arguments,
    run=_run,
    codes={
        DONE: "done; of a run, it succeeded or goes on",
        BAD_INPUT: "bad input or configuration, or refused by the server",
        FAILED: "the run failed or was cancelled, or anything else",
    },
)
main = COMMAND.main


if __name__ == "__main__":
    COMMAND.end_process()
