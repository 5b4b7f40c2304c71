"""What Kubeflow Pipelines does with a compiled pipeline, on this machine, without a cluster.

KFP's driver hands each task its parameters and the id of the run, and adds to its pod what the platform's document asks
for; KFP's launcher puts values in the place of the placeholders, runs the command as a process, and collects the
outputs; Argo tries a task again that failed (kubeflow/pipelines: backend/src/v2/driver/{resolve,k8s}.go,
backend/src/v2/component/launcher_v2.go, backend/src/v2/compiler/argocompiler/security_context.go).
"""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, NamedTuple

import forks
import kubernetes_rules
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
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")  # RFC 1123's label
_INTERRUPTED = 130
_GRACE_SECONDS = 1  # between SIGTERM and SIGKILL
# What KFP sets in each step's container from 2.16 on.
_HARDENED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


class Done(NamedTuple):
    """A task that was run.

    Attributes:
      code: 1 if it failed, whatever its own exit code was; negative if its pod was deleted.
      log: what its attempts printed.
      output: the ExecutorOutput that it left, as JSON; empty where it left none.
      files: path of the file of each output artifact.
    """

    code: int
    log: str
    output: dict[str, Any]
    files: dict[str, Path]


Run = Callable[[list[str], Mapping[str, str]], tuple[int, str]]


def run_process(command: list[str], environment: Mapping[str, str] = os.environ) -> tuple[int, str]:
    """Runs a command; `python` is this interpreter."""
    assert command[0] == "python"
    done = subprocess.run(
        [sys.executable, *command[1:]],
        cwd=REPOSITORY,
        env=environment,
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

    def __call__(self, command: list[str], environment: Mapping[str, str]) -> tuple[int, str]:
        """Runs a command; its pod is deleted inside the node `dies_in`."""
        assert command[:3] == ["python", "-m", "pipeline.run_node"]
        return forks.run(_run_node, command[3:], dict(environment), self.dies_in)


def _run_node(arguments: list[str], environment: dict[str, str], dies_in: str) -> None:
    from pipeline import run_node

    os.environ.update(environment)
    if dies_in and arguments[arguments.index("--node") + 1] == dies_in:
        from common import progress

        def delete(done: int, total: int, unit: str) -> None:
            if unit == "steps of stage 2" and done >= 0.75 * total:
                threading.Timer(_GRACE_SECONDS, os.kill, (os.getpid(), signal.SIGKILL)).start()
                os.kill(os.getpid(), signal.SIGTERM)

        listen = progress.listen
        progress.listen = lambda listener: listen(delete)  # type: ignore[misc]
    sys.exit(run_node.main(arguments))


class Kubeflow:
    """A stand-in for a Kubeflow Pipelines server.

    Attributes:
      pods: the specification of each executor's pod.
    """

    def __init__(self, file: Path, workspace: Path, run: Run = run_process) -> None:
        """Reads a compiled pipeline.

        Args:
          file: the compiled pipeline.
          workspace: where the outputs of tasks go.
          run: runs a command in an environment and returns its exit code and what it printed.
        """
        document, platform = yaml.safe_load_all(file.read_text())
        self._spec = json_format.ParseDict(document, pipeline_spec_pb2.PipelineSpec())
        self._executors = document["deploymentSpec"]["executors"]
        asked = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
        self.pods = {name: _pod(name, one["container"], asked[name]) for name, one in self._executors.items()}
        self._workspace = workspace
        self._run = run

    def run(self, run_id: str, **changes: Any) -> dict[str, Done]:
        """Runs the pipeline.

        Args:
          run_id: the id that the server would give the run; with that of a failed run, the run is retried: tasks that
            succeeded are not run again.
          changes: parameters that a person edited.

        Returns:
          The tasks that were run, by their display names. One that fails is tried again as its policy says, without a
          wait; where it fails for good, or its pod is deleted, those after it are not run.
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
        logs = []
        for attempt in range(task.retry_policy.max_retry_count + 1):
            done = self._attempt(run_id, name, task, parameters, attempt)
            logs.append(done.log)
            if done.code != 1:
                break
        return done._replace(log="".join(logs))

    def _attempt(self, run_id: str, name: str, task: Any, parameters: Mapping[str, Any], attempt: int) -> Done:
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
            _add_artifact(executor_input, f"{run_id}/{name}", key).type.CopyFrom(spec.artifact_type)
            files[key] = folder / "outputs" / key
        _add_artifact(executor_input, f"{run_id}/{name}", "executor-logs").type.schema_title = "system.Artifact"
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
        command = [_resolve(part, placeholders) for part in (*container["command"], *container["args"])]
        code, log = self._run(command, {**os.environ, "KFP_RETRY_INDEX": str(attempt)})
        (folder / f"executor-logs-{attempt}").write_text(log)
        if code < 0 or code == _INTERRUPTED:  # of the signal, the launcher died at once
            return Done(-signal.SIGTERM, log, {}, files)
        if code:
            return Done(1, log, {}, files)
        output = _read_strictly(told.read_text()) if told.exists() else {}
        for key in component.output_definitions.parameters:
            if key not in output.get("parameterValues", {}):
                Path(executor_input.outputs.parameters[key].output_file).read_text()
        return Done(0, log, output, files)


def _pod(name: str, container: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """What the driver makes of a container and of what the platform's document asks for it, if Kubernetes takes it."""
    volumes: dict[str, dict[str, Any]] = {}
    mounts: dict[str, str] = {}

    def mount(volume: str, one: dict[str, Any], **source: dict[str, Any]) -> None:
        assert _NAME.fullmatch(volume), volume
        # Kubernetes merges those of one name.
        assert volumes.setdefault(volume, source) == source, volume
        assert one["mountPath"].startswith("/"), one
        assert mounts.setdefault(one["mountPath"], volume) == volume, one

    for one in asked.get("pvcMount", []):
        mount(one["constant"], one, persistentVolumeClaim={"claimName": one["constant"]})
    for one in asked.get("secretAsVolume", []):
        mount(one["secretName"], one, secret={"secretName": one["secretName"], "optional": False})
    for one in asked.get("emptyDirMounts", []):
        mount(one["volumeName"], one, emptyDir={"medium": one["medium"]} if "medium" in one else {})
    resources = container.get("resources", {})
    amounts = {what: str(resources[f"{what}Limit"]) for what in ("cpu", "memory") if f"{what}Limit" in resources}
    if accelerator := resources.get("accelerator"):
        amounts[accelerator["type"]] = accelerator["count"]
    spec = {
        "containers": [
            {
                "name": "main",
                "image": container["image"],
                "command": container["command"],
                "args": container["args"],
                "resources": {"limits": amounts},
                "securityContext": {**_HARDENED, **asked.get("securityContext", {})},
                "volumeMounts": [{"name": volume, "mountPath": path} for path, volume in mounts.items()],
            }
        ],
        "volumes": [{"name": volume, **source} for volume, source in volumes.items()],
        "nodeSelector": asked.get("nodeSelector", {}).get("labels", {}),
        "tolerations": asked.get("tolerations", []),
    }
    kubernetes_rules.check({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})
    return spec


def _add_artifact(executor_input: Any, folder: str, key: str) -> Any:
    artifact = executor_input.outputs.artifacts[key].artifacts.add()
    artifact.name, artifact.uri = key, f"minio://mlpipeline/{folder}/{key}"
    return artifact


def _read_strictly(text: str) -> dict[str, Any]:
    """An ExecutorOutput, as the launcher reads it, without NaN, null or unknown fields, and as MLMD stores it."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    content = json.loads(text, parse_constant=refuse)
    for artifacts in content.get("artifacts", {}).values():
        for artifact in artifacts["artifacts"]:
            assert None not in artifact["metadata"].values(), artifact
            for key, value in artifact["metadata"].items():
                if isinstance(value, float):
                    artifact["metadata"][key] = round(value, 6)
    message = json_format.ParseDict(content, pipeline_spec_pb2.ExecutorOutput())
    return dict(json_format.MessageToDict(message))


def _text(value: Any) -> str:
    plain = json_format.MessageToDict(value)
    if isinstance(plain, bool):
        return str(plain).lower()
    return plain if isinstance(plain, str) else f"{plain:g}"


def _resolve(text: str, placeholders: Mapping[str, str]) -> str:
    for placeholder, value in placeholders.items():
        text = text.replace(placeholder, value)
    return text
