"""What Kubeflow Pipelines does with a compiled pipeline, on this machine, without a cluster.

KFP's driver hands each task its parameters and the id of the run; KFP's launcher puts values in the place of the
placeholders, runs the command as a process, and collects the outputs
(kubeflow/pipelines: backend/src/v2/driver/resolve.go, backend/src/v2/component/launcher_v2.go).
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, NamedTuple

import forks
import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

REPOSITORY = Path(__file__).parent.parent
RUN_ID = "{{$.pipeline_job_uuid}}"
_PYTHON_TYPES: dict[str, Any] = {
    "STRING": str,
    "BOOLEAN": bool,
    "NUMBER_INTEGER": (int, float),
    "NUMBER_DOUBLE": (int, float),
}
_TYPES = pipeline_spec_pb2.ParameterType.ParameterTypeEnum


class Done(NamedTuple):
    """A task that was run.

    Attributes:
      code: exit code of its process.
      log: what it printed.
      output: the ExecutorOutput that it left, as JSON; empty where it left none.
      files: path of the file of each output artifact.
    """

    code: int
    log: str
    output: dict[str, Any]
    files: dict[str, Path]


Run = Callable[[list[str]], tuple[int, str]]


def run_process(command: list[str]) -> tuple[int, str]:
    """Runs a command; `python` is this interpreter."""
    assert command[0] == "python"
    done = subprocess.run(
        [sys.executable, *command[1:]],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


class Forks:
    """Runs `python -m pipeline.run_node` in processes that find TensorFlow and TFX imported already."""

    def __init__(self) -> None:
        """Starts nothing yet."""
        self.dies_in = ""

    def __call__(self, command: list[str]) -> tuple[int, str]:
        """Runs a command; it is killed inside the node `dies_in`."""
        assert command[:3] == ["python", "-m", "pipeline.run_node"]
        return forks.run(_run_node, command[3:], self.dies_in)


def _run_node(arguments: list[str], dies_in: str) -> None:
    from pipeline import run_node

    if dies_in and arguments[arguments.index("--node") + 1] == dies_in:
        from common import progress

        def die(done: int, total: int, unit: str) -> None:
            if unit == "steps of stage 2" and done >= 0.75 * total:
                os.kill(os.getpid(), signal.SIGKILL)

        listen = progress.listen
        progress.listen = lambda listener: listen(die)  # type: ignore[misc]
    sys.exit(run_node.main(arguments))


class Kubeflow:
    """A stand-in for a Kubeflow Pipelines server."""

    def __init__(self, file: Path, workspace: Path, run: Run = run_process) -> None:
        """Reads a compiled pipeline.

        Args:
          file: the compiled pipeline.
          workspace: where the outputs of tasks go.
          run: runs a command and returns its exit code and what it printed.
        """
        document, *_ = yaml.safe_load_all(file.read_text())
        self._spec = json_format.ParseDict(document, pipeline_spec_pb2.PipelineSpec())
        self._executors = document["deploymentSpec"]["executors"]
        self._workspace = workspace
        self._run = run

    def run(self, run_id: str, **changes: Any) -> dict[str, Done]:
        """Runs the pipeline.

        Args:
          run_id: the id that the server would give the run; with that of a failed run, the run is retried: tasks that
            succeeded are not run again.
          changes: parameters that a person edited.

        Returns:
          The tasks that were run, by their display names. Where one fails, those after it are not.
        """
        parameters = self._parameters(changes)
        tasks = dict(self._spec.root.dag.tasks)
        finished = self._succeeded(run_id)
        done: dict[str, Done] = {}
        with ThreadPoolExecutor() as threads:
            running: dict[Future[Done], str] = {}
            started = set(finished)
            while True:
                failed = any(one.code for one in done.values())
                for name, task in tasks.items():
                    if name not in started and not failed and finished >= set(task.dependent_tasks):
                        started.add(name)
                        running[threads.submit(self._run_task, run_id, name, task, parameters)] = name
                if not running:
                    return done
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    name = running.pop(future)
                    done[tasks[name].task_info.name] = future.result()
                    if not future.result().code:
                        finished.add(name)
                        self._marker(run_id, name).touch()

    def _marker(self, run_id: str, name: str) -> Path:
        return self._workspace / run_id / name / "succeeded"

    def _succeeded(self, run_id: str) -> set[str]:
        return {path.parent.name for path in (self._workspace / run_id).glob("*/succeeded")}

    def _parameters(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        known = self._spec.root.input_definitions.parameters
        assert changes.keys() <= known.keys()
        defaults = {name: json_format.MessageToDict(one.default_value) for name, one in known.items()}
        values = {**defaults, **changes}
        for name, value in values.items():
            kind = _TYPES.Name(known[name].parameter_type)
            assert isinstance(value, _PYTHON_TYPES[kind]), (name, value, kind)
        return values

    def _run_task(self, run_id: str, name: str, task: Any, parameters: Mapping[str, Any]) -> Done:
        component = self._spec.components[task.component_ref.name]
        folder = self._workspace / run_id / name
        (folder / "outputs").mkdir(parents=True, exist_ok=True)
        executor_input = pipeline_spec_pb2.ExecutorInput()
        for key, source in task.inputs.parameters.items():
            value = executor_input.inputs.parameter_values[key]
            if source.component_input_parameter:
                json_format.ParseDict(parameters[source.component_input_parameter], value)
            else:
                # Only a constant that is nothing but this is replaced.
                constant = source.runtime_value.constant.string_value
                value.string_value = run_id if constant == RUN_ID else constant
        files = {}
        for key, spec in component.output_definitions.artifacts.items():
            artifact = executor_input.outputs.artifacts[key].artifacts.add()
            artifact.name, artifact.uri = key, f"minio://mlpipeline/{run_id}/{name}/{key}"
            artifact.type.CopyFrom(spec.artifact_type)
            files[key] = folder / "outputs" / key
        for key in component.output_definitions.parameters:
            executor_input.outputs.parameters[key].output_file = str(folder / "outputs" / f"{key}.txt")
        told = folder / "told" / "output_metadata.json"
        executor_input.outputs.output_file = str(told)
        placeholders = {
            "{{$}}": json_format.MessageToJson(executor_input, indent=None),
            **{
                f"{{{{$.inputs.parameters['{key}']}}}}": _text(value)
                for key, value in executor_input.inputs.parameter_values.items()
            },
            **{f"{{{{$.outputs.artifacts['{key}'].path}}}}": str(path) for key, path in files.items()},
        }
        container = self._executors[component.executor_label]["container"]
        code, log = self._run([_resolve(part, placeholders) for part in (*container["command"], *container["args"])])
        output: dict[str, Any] = {}
        if not code:
            # As strict as the launcher: an unknown field is an error, and so is an output parameter without a value.
            message = json_format.Parse(told.read_text(), pipeline_spec_pb2.ExecutorOutput()) if told.exists() else None
            output = json_format.MessageToDict(message) if message is not None else {}
            for key in component.output_definitions.parameters:
                if key not in output.get("parameterValues", {}):
                    Path(executor_input.outputs.parameters[key].output_file).read_text()
        return Done(code, log, output, files)


def _text(value: Any) -> str:
    plain = json_format.MessageToDict(value)
    if isinstance(plain, bool):
        return str(plain).lower()
    return plain if isinstance(plain, str) else f"{plain:g}"


def _resolve(text: str, placeholders: Mapping[str, str]) -> str:
    for placeholder, value in placeholders.items():
        text = text.replace(placeholder, value)
    return text
