"""A LocalDagRunner that reports each step, and fails if one did not run."""

import datetime
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Literal, NamedTuple, Protocol

from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.compiler import constants
from tfx.orchestration import metadata
from tfx.orchestration.local import runner_utils
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.portable import (
    base_executor_operator,
    beam_executor_operator,
    data_types,
    launcher,
    runtime_parameter_utils,
)
from tfx.proto.orchestration import execution_result_pb2, pipeline_pb2

from pipeline.engine.store import RoomyMetadata

State = Literal["run", "cached", "failed"]
_STATES: dict[int, State] = {
    metadata_store_pb2.Execution.COMPLETE: "run",
    metadata_store_pb2.Execution.CACHED: "cached",
}


class Step(NamedTuple):
    """One step of a run.

    Attributes:
      name: the node's id.
      state: "run", "cached" or "failed".
      seconds: wall time.
      execution_id: in the metadata store; 0 where it never got there.
    """

    name: str
    state: State
    seconds: float
    execution_id: int


class Watcher(Protocol):
    """Follows the progress of a run."""

    def running(self, name: str) -> AbstractContextManager[None]:
        """Holds while a step runs."""

    def step(self, name: str, state: str, seconds: float) -> None:
        """Called after a step, whatever its state."""


class StepFailedError(Exception):
    """A step did not complete. What it raised is the cause; there is none where its inputs could not be resolved."""

    def __init__(self, step: Step, cause: Exception | None) -> None:
        lines = str(cause).strip().splitlines() if cause else []
        reason = ": ".join([type(cause).__name__, *lines[:1]]) if cause else "its inputs could not be resolved"
        super().__init__(f"{step.name} failed: {reason}")


class StepRunner(LocalDagRunner):
    """Runs the steps one after another in this process.

    LocalDagRunner returns normally when a step's inputs cannot be resolved; this one looks each step's state up in the
    metadata store.
    """

    def __init__(
        self,
        watcher: Watcher,
        is_interrupted: Callable[[], bool],
        make_beam_pipeline: Callable[[str], Callable[[], Any] | None] = lambda name: None,
    ) -> None:
        """Starts without steps.

        Args:
          watcher: is notified of each step.
          is_interrupted: whether the run shall end; asked after each step.
          make_beam_pipeline: what `launch` takes, from the step's name.
        """
        super().__init__()
        self._make_beam_pipeline = make_beam_pipeline
        self._watcher = watcher
        self._is_interrupted = is_interrupted
        self.steps: list[Step] = []

    def run_with_ir(self, pipeline: pipeline_pb2.Pipeline, run_options: pipeline_pb2.RunOptions | None = None) -> None:
        """Runs a compiled pipeline.

        Args:
          pipeline: TFX's intermediate representation.
          run_options: not supported.

        Raises:
          StepFailedError: a step failed; those after it have not started.
          KeyboardInterrupt: the run was interrupted.
        """
        if run_options is not None:
            raise ValueError("partial runs are not supported: the cache skips what is done")
        run_id = datetime.datetime.now().isoformat()
        runtime_parameter_utils.substitute_runtime_parameter(
            pipeline, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: run_id}
        )
        config = runner_utils.extract_local_deployment_config(pipeline).metadata_connection_config
        store = getattr(config, config.WhichOneof("connection_config"))
        for node in pipeline.nodes:
            self._run_step(pipeline, node.pipeline_node, store)

    def _run_step(
        self,
        pipeline: pipeline_pb2.Pipeline,
        node: pipeline_pb2.PipelineNode,
        store: metadata.ConnectionConfigType,
    ) -> None:
        name = node.node_info.id
        began = time.monotonic()
        execution_id = 0
        state: State = "failed"
        cause: Exception | None = None
        try:
            with self._watcher.running(name):
                execution_id, state = launch(pipeline, node, store, make_beam_pipeline=self._make_beam_pipeline(name))
        except Exception as error:
            cause = error
        step = Step(name, state, round(time.monotonic() - began, 3), execution_id)
        self.steps.append(step)
        self._watcher.step(step.name, step.state, step.seconds)
        if self._is_interrupted():
            raise KeyboardInterrupt from cause
        if state == "failed":
            raise StepFailedError(step, cause) from cause


def launch(
    pipeline: pipeline_pb2.Pipeline,
    node: pipeline_pb2.PipelineNode,
    store: metadata.ConnectionConfigType,
    before_work: Callable[[], None] = lambda: None,
    make_beam_pipeline: Callable[[], Any] | None = None,
) -> tuple[int, State]:
    """Runs one node of a compiled pipeline with TFX's launcher: driver, cache, executor and publisher.

    Args:
      pipeline: TFX's intermediate representation.
      node: one of it.
      store: the metadata store.
      before_work: called where the node is not taken from the cache, before its executor is imported.
      make_beam_pipeline: makes the Beam pipelines of a node that has some, instead of the options that it was compiled
        with: these are part of its cache key. None for those.

    Returns:
      The execution's id in the metadata store, and its state.

    Raises:
      Exception: whatever the node's executor or `before_work` raised.
    """
    deployment = runner_utils.extract_local_deployment_config(pipeline)
    name = node.node_info.id
    info = launcher.Launcher(
        pipeline_node=node,
        mlmd_connection=RoomyMetadata(store),
        pipeline_info=pipeline.pipeline_info,
        pipeline_runtime_spec=pipeline.runtime_spec,
        executor_spec=runner_utils.extract_executor_spec(deployment, name),
        custom_driver_spec=runner_utils.extract_custom_driver_spec(deployment, name),
        custom_executor_operators={
            spec: _after(before_work, operator, make_beam_pipeline)
            for spec, operator in launcher.DEFAULT_EXECUTOR_OPERATORS.items()
        },
    ).launch()
    with RoomyMetadata(store) as handle:
        (execution,) = handle.store.get_executions_by_id([info.execution_id])
    return execution.id, _STATES.get(execution.last_known_state, "failed")


def _after(
    before_work: Callable[[], None],
    operator: type[base_executor_operator.BaseExecutorOperator],
    make_beam_pipeline: Callable[[], Any] | None,
) -> type[base_executor_operator.BaseExecutorOperator]:
    """TFX's operators import the executor, which takes seconds, as soon as they are made; this one when it works."""

    class Operator(base_executor_operator.BaseExecutorOperator):
        SUPPORTED_EXECUTOR_SPEC_TYPE = operator.SUPPORTED_EXECUTOR_SPEC_TYPE
        SUPPORTED_PLATFORM_CONFIG_TYPE = operator.SUPPORTED_PLATFORM_CONFIG_TYPE

        def run_executor(self, execution_info: data_types.ExecutionInfo) -> execution_result_pb2.ExecutorOutput:
            before_work()
            lazy = operator(self._executor_spec, self._platform_config)
            if isinstance(lazy, beam_executor_operator.BeamExecutorOperator):
                return lazy.run_executor(execution_info, make_beam_pipeline)
            return lazy.run_executor(execution_info)

    return Operator
