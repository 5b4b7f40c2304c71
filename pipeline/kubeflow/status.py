"""Shows what a run on Kubeflow is at, once or until it ends."""

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

import kfp

from common.errors import TransientError, UserError
from pipeline.kubeflow import backend, run_state
from pipeline.kubeflow.cluster import Cluster, UnreadableError
from pipeline.kubeflow.deployment import NAME
from pipeline.kubeflow.run_state import State, Step

SUCCEEDED = "SUCCEEDED"
_ENDED = (SUCCEEDED, "FAILED", "SKIPPED", "CANCELED")
_NAMESPACE = "kubeflow"
_PAGES, _PAGE = 10, 20
_PAUSE = 10.0
_PATIENCE = 600.0  # a server that is updated, or moves to another node, is back by then
_POLICIES = {
    "Always": "whatever fails is tried again",
    "OnFailure": "a step that fails or runs out of memory is tried again, one that loses its node or pod is not",
    "OnError": "a step that loses its node or pod is tried again, one that fails or runs out of memory is not",
    "OnTransientError": "only what looks like a passing fault of the cluster is tried again",
}


class Look(NamedTuple):
    """What a run is at.

    Attributes:
      name: of the run.
      description: of the run; may be empty.
      state: KFP's.
      steps: each after those that it needs.
      error: what is said of the run as a whole.
      policy: which failures the cluster tries again, as Argo calls it; empty where it cannot be read.
      notes: what could not be read, and why.
    """

    name: str
    description: str
    state: str
    steps: list[Step]
    error: str
    policy: str
    notes: list[str]

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will come."""
        return self.state in _ENDED

    @property
    def has_failed(self) -> bool:
        """Whether it ended, and otherwise than it was meant to."""
        return self.has_ended and self.state != SUCCEEDED


class Watch:
    """Looks at runs on a server, and in the cluster where it lets the user."""

    def __init__(self, host: str, namespace: str | None, connect: Callable[[], kfp.Client]) -> None:
        """Asks nothing yet.

        Args:
          host: the server's address.
          namespace: of the user, where Kubeflow has several.
          connect: makes a client of the server; called again after a failure, as a token may have come to its end.
        """
        self._host, self._connect, self._namespace = host, connect, namespace
        self._client: kfp.Client | None = None
        self._specs: dict[str, Mapping[str, Any]] = {}
        self._cluster: Cluster | None = None

    def newest(self) -> str:
        """The id of the newest run of this pipeline.

        Raises:
          UserError: there is none, or the server does not answer.
        """
        with backend.one_line(self._host, "list its runs"):
            found = next((run["run_id"] for run in self._runs() if _name(self._spec(run)) == NAME), None)
        if found is None:
            raise UserError(
                f"--host: {self._host!r} lists no run of the pipeline {NAME!r}; {backend.EXPECTED}, "
                f"and --namespace where Kubeflow has several users"
            )
        return str(found)

    def look(self, run_id: str) -> Look:
        """What a run is at now.

        Raises:
          UserError: the server does not answer, or knows no such run.
        """
        with backend.one_line(self._host, "tell of the run"):
            run = self._server().get_run(run_id).to_dict()
            backend.answer(self._host, run["run_id"])
            names = run_state.tasks(self._spec(run))
        workflow, notes = self._workflow(run_id)
        steps = run_state.steps(names, run_state.argo_nodes(workflow) if workflow else run_state.kfp_nodes(run))
        if workflow and self._cluster:
            steps, unread = _explained(steps, self._cluster, workflow["metadata"]["name"])
            notes += unread
        return Look(
            name=run["display_name"] or run_id,
            description=run["description"] or "",
            state=run["state"] or "PENDING",
            steps=steps,
            error=run_state.error(run, workflow),
            policy=run_state.retry_policy(workflow) if workflow else "",
            notes=notes,
        )

    def follow(self, run_id: str) -> Iterator[Look]:
        """Looks again and again until the run has ended.

        Raises:
          UserError: the server refuses, or has not answered for ten minutes.
        """
        answered = time.monotonic()
        while True:
            try:
                look = self.look(run_id)
            except TransientError:
                if time.monotonic() - answered > _PATIENCE:
                    raise
                self._client = None
            else:
                answered = time.monotonic()
                yield look
                if look.has_ended:
                    return
            time.sleep(_PAUSE)

    def _server(self) -> kfp.Client:
        self._client = self._client or self._connect()
        return self._client

    def _runs(self) -> Iterator[dict[str, Any]]:
        """The newest runs first."""
        token = ""
        for _ in range(_PAGES):
            page = self._server().list_runs(
                page_token=token, page_size=_PAGE, sort_by="created_at desc", namespace=self._namespace
            )
            yield from (run.to_dict() for run in page.runs or [])
            token = page.next_page_token
            if not token:
                return

    def _spec(self, run: Mapping[str, Any]) -> Mapping[str, Any]:
        """KFP's specification of a run's pipeline, which lies in the run or is one that was uploaded before."""
        reference = run["pipeline_version_reference"]
        if not reference:
            return _of_platform(run["pipeline_spec"])
        version = reference["pipeline_version_id"]
        if version not in self._specs:
            found = self._server().get_pipeline_version(reference["pipeline_id"], version)
            self._specs[version] = _of_platform(found.pipeline_spec)
        return self._specs[version]

    def _workflow(self, run_id: str) -> tuple[dict[str, Any] | None, list[str]]:
        try:
            namespace = self._namespace or self._server().get_user_namespace() or _NAMESPACE
            self._cluster = self._cluster or Cluster(namespace)
            if workflow := self._cluster.workflow(run_id):
                return workflow, []
            unread = f"no workflow of the run in the namespace {namespace}: it is gone, or in another (--namespace)"
        except UnreadableError as error:
            unread = str(error)
        return None, [f"only what Kubeflow Pipelines tells, and no reasons: the cluster was not read ({unread})"]


def lines(look: Look) -> list[str]:
    """A run as a person reads it: a line for each step that has begun, and what else is to be known."""
    to_come = [step.name for step in look.steps if step.state is State.TO_COME]
    failed = any(step.state is State.FAILED for step in look.steps)
    return [
        f"{look.name}: {look.state.lower()}",
        *([look.description] if look.description else []),
        *(step_line(step) for step in look.steps if step.state is not State.TO_COME),
        *([f"{'not begun' if look.has_ended else 'to come'}: {', '.join(to_come)}"] if to_come else []),
        *([look.error] if look.error and not failed else []),
        *remarks(look),
    ]


def news(look: Look) -> Iterator[tuple[str, object, str]]:
    """The lines that tell of a run while it is waited for: of what, what it is at, and the line that says so."""
    for step in look.steps:
        if step.state is not State.TO_COME:
            yield step.name, (step.state, step.reason), step_line(step)
    for line in remarks(look):
        yield line, line, line
    if look.has_ended:
        yield look.name, look.state, f"{look.name}: {look.state.lower()}" + (f": {look.error}" if look.error else "")


def step_line(step: Step) -> str:
    """A step's name, what it is at, for how long, and why."""
    until = step.until or datetime.now(timezone.utc)
    lasted = timedelta(seconds=round((until - step.since).total_seconds())) if step.since else ""
    return f"{step.name:<20} {step.state.value:<8} {lasted!s:>8}  {step.reason}".rstrip()


def remarks(look: Look) -> list[str]:
    """What a person must know to read the other lines."""
    if not look.policy:
        return look.notes
    remedy = "" if look.policy == "Always" else "; deploy/workflow-defaults.yaml has a policy that covers both"
    return [f"retries: {look.policy}: {_POLICIES.get(look.policy, 'as Argo says')}{remedy}", *look.notes]


def _explained(steps: list[Step], cluster: Cluster, workflow: str) -> tuple[list[Step], list[str]]:
    """The steps with what their pods' warnings and logs add, and what of that could not be read."""
    explained: list[Step] = []
    notes: dict[str, None] = {}
    pods: dict[str, str] | None = None
    for step in steps:
        if step.node and _is_unclear(step):
            try:
                pods = cluster.pods(workflow) if pods is None else pods
                if pod := pods.get(step.node):
                    step = step._replace(reason=_reason(step, cluster, pod))
            except UnreadableError as error:
                notes[f"the cluster lets you read no {error}"] = None
        explained.append(step)
    return explained, list(notes)


def _is_unclear(step: Step) -> bool:
    """Whether Argo's message is a mere "ContainerCreating" or "Error (exit code 1)"."""
    if step.state is State.FAILED:
        return "error: " not in step.reason
    return step.state is State.WAITING and ": " not in step.reason


def _reason(step: Step, cluster: Cluster, pod: str) -> str:
    if step.state is State.WAITING:
        return run_state.pending_reason(cluster.events(pod)) or step.reason
    return ": ".join(text for text in (step.reason, run_state.fault(cluster.log(pod))) if text)


def _of_platform(spec: Any) -> Mapping[str, Any]:
    """The pipeline's own specification, of a file that may hold one for its platform as well."""
    spec = spec if isinstance(spec, dict) else {}
    return dict(spec.get("pipeline_spec", spec))


def _name(spec: Mapping[str, Any]) -> str:
    return str(spec.get("pipelineInfo", {}).get("name", ""))
