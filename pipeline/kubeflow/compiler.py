"""Compiles the pipeline for an open-source Kubeflow Pipelines backend, with KFP's own SDK.

TFX's KubeflowV2DagRunner writes a file that such a backend does not run: its resolvers and drivers are not there.
Here each node becomes one container that runs `python -m pipeline.run_node`, and TFX's launcher does the rest in it.
"""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kfp import compiler, dsl

from common.step_facts import TEXT
from pipeline.config import Config
from pipeline.engine import verdicts
from pipeline.kubeflow import graph, parameters, platform
from pipeline.kubeflow.deployment import NAME, Deployment
from pipeline.steps import STEPS

_DESCRIPTION = "From a folder of pictures to a gated, published image classifier."
_BACKOFF = "60s"
# A backend counts this time from the start of the first attempt, so it must be longer than any step works; the SDK
# writes an hour at most. Without a time, backends from 2.14 on do not retry at all.
_LONGEST_BY_SDK = "backoffMaxDuration: 3600s"
_TWO_WEEKS = "backoffMaxDuration: 1209600s"


def compile_pipeline(config: Config, deployment: Deployment, path: Path) -> None:
    """Writes the pipeline's file: KFP's pipeline specification and the one for its platform, Kubernetes.

    Args:
      config: the defaults of the pipeline's parameters.
      deployment: where it runs.
      path: the file; ends in .yaml.
    """
    steps = graph.steps_of(config)
    settings = parameters.of_config(config)
    fixed = {step.name: parameters.fixed(config, step.name) for step in steps}

    def pipeline(**values: Any) -> None:
        tasks: dict[str, dsl.PipelineTask] = {}
        for step in steps:
            task = _component(step, steps, settings, fixed[step.name], deployment)(
                **values, **{parameters.RUN_ID: dsl.PIPELINE_JOB_ID_PLACEHOLDER}
            )
            task.set_display_name(step.name)
            # TFX's metadata decides what need not run again: it knows the data set by its content.
            task.set_caching_options(False)
            task.after(*(tasks[name] for name in step.upstream))
            task.set_retry(verdicts.RETRIES, backoff_duration=_BACKOFF)
            platform.place(task, step.name, deployment.placement)
            tasks[step.name] = task

    function = _with_signature(pipeline, NAME, {one.name: (one.type, one.default) for one in settings})
    compiler.Compiler().compile(dsl.pipeline(function, name=NAME, description=_DESCRIPTION), str(path))
    path.write_text(path.read_text().replace(_LONGEST_BY_SDK, _TWO_WEEKS))


def _component(
    step: graph.Step,
    steps: Sequence[graph.Step],
    settings: Sequence[parameters.Parameter],
    fixed: Sequence[str],
    deployment: Deployment,
) -> Any:
    """The step's component: all settings in, what it shows out."""
    shown = STEPS[step.name].shows

    def container(**given: Any) -> dsl.ContainerSpec:
        arguments = {
            "--node": step.name,
            "--nodes": ",".join(one.name for one in steps),
            "--run-id": given[parameters.RUN_ID],
            "--pipeline-root": deployment.pipeline_root,
            "--serving": deployment.serving,
            "--metadata": deployment.metadata,
            "--tfx": deployment.tfx,
            "--gpus": str(deployment.placement.gpus.get(step.name, 0)),
            "--executor-input": "{{$}}",
        }
        args = [part for pair in arguments.items() for part in pair]
        for text in fixed:
            args += ["--set", text]
        for one in shown:
            if one.kind != TEXT:
                args += ["--output", one.name, given[one.name].path]
        return dsl.ContainerSpec(image=deployment.image, command=["python", "-m", "pipeline.run_node"], args=args)

    inputs = {one.name: one.type for one in settings} | {parameters.RUN_ID: str}
    results = {
        one.name: dsl.OutputPath(str) if one.kind == TEXT else dsl.Output[getattr(dsl, one.kind)] for one in shown
    }
    empty = inspect.Parameter.empty
    return dsl.container_component(
        _with_signature(
            container, _snake(step.name), {name: (kind, empty) for name, kind in (inputs | results).items()}
        )
    )


def _with_signature(
    function: Callable[..., Any], name: str, arguments: Mapping[str, tuple[Any, Any]]
) -> Callable[..., Any]:
    """The function under a name, with arguments of these types and defaults: KFP reads both from a function."""

    def named(*positional: Any, **keywords: Any) -> Any:
        return function(**dict(zip(arguments, positional, strict=False)), **keywords)

    named.__name__ = name
    named.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(key, inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=kind, default=default)
            for key, (kind, default) in arguments.items()
        ]
    )
    return named


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
