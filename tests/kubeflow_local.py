"""A compiled pipeline in the hands of KFP's own local runner: a reading of the file that is not this project's."""

import importlib.metadata
import json
import os
from itertools import pairwise
from pathlib import Path

import pytest
from google.protobuf import json_format
from kfp import components, local
from kfp.pipeline_spec import pipeline_spec_pb2
from kubeflow_launcher import Done, Run

# Older releases do not know what to do with a whole compiled file.
IS_THERE = tuple(map(int, importlib.metadata.version("kfp").split(".")[:2])) >= (2, 16)


def run(file: Path, workspace: Path, process: Run) -> dict[str, Done]:
    """Runs a pipeline's tasks, one after the other.

    The SDK finds their order, their parameters, the run's id and where their outputs go, and reads these.

    Args:
      file: the compiled pipeline.
      workspace: where the outputs of tasks go.
      process: runs a command and returns its exit code and what it printed.

    Returns:
      The tasks that were run, by the node that each was told to run. Where one fails, those after it are not.
    """
    from kfp.local import config, subprocess_task_handler

    done: dict[str, Done] = {}

    def run_task(full_command: list[str]) -> int:
        code, log = process(full_command, os.environ)
        given = dict(pairwise(full_command))
        outputs = json.loads(given["--executor-input"])["outputs"]
        told = Path(outputs["outputFile"])
        message = pipeline_spec_pb2.ExecutorOutput()
        if told.exists():
            json_format.Parse(told.read_text(), message)
        files = {name: Path(one["artifacts"][0]["uri"]) for name, one in outputs.get("artifacts", {}).items()}
        done[given["--node"]] = Done(code, log, json_format.MessageToDict(message), files)
        return code

    handler = subprocess_task_handler.SubprocessTaskHandler
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess_task_handler, "run_local_subprocess", run_task)
        # Both would have the tasks be functions of Python: this runner has no container for another program.
        for check in ("validate_image", "validate_not_container_component"):
            patch.setattr(handler, check, lambda *_: None)
        patch.setattr(config.LocalExecutionConfig, "instance", None)  # which `init` sets
        local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(workspace), raise_on_error=False)
        components.load_component_from_file(str(file))()
    return done
