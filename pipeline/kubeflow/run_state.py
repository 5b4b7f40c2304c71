"""What each step of a run is at, read out of what Kubeflow Pipelines and Argo say of it: plain functions on JSON.

KFP makes two nodes of a step in Argo's workflow: its own driver, `NAME.root.trainer-driver`, and the step,
`NAME.root.trainer`, below which the attempts are, as `NAME.root.trainer.executor(1)`. Where the cluster retries all
nodes, the driver and the step have attempts as well, `NAME.root(0).trainer(0)`. KFP itself tells the nodes' states
alone, without their messages and the attempts' places.
"""

import base64
import gzip
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum
from graphlib import TopologicalSorter
from typing import Any, NamedTuple

DRIVER = "KFP's driver"
_ATTEMPT = re.compile(r"\([0-9]+\)$")
_FAILED = ("Failed", "Error")
_UNDER_WAY = ("Running", "Pending")
# What Argo says of a step that is not tried again; the last attempt itself says why it failed.
_NO_MORE = ("", "No more retries left", "retryStrategy.expression evaluated to false")
# What a container ended with, after its name, and what it left as its last words, which may be the end of its log.
_ENDED = re.compile(r"(?:main: )?(.*?\(exit code [0-9]+\))(?:: (.*))?", re.DOTALL)
_LONGEST = 400


class State(Enum):
    """Of a step, as it is shown."""

    TO_COME = "to come"
    BEGUN = "begun"  # no attempt is known, so it may wait as well as run
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Step(NamedTuple):
    """What a step is at.

    Attributes:
      name: such as "Trainer".
      state: what it is at.
      since: when that began, or when the step began if it is done; None where nobody says.
      until: when it ended, if it has.
      reason: what is waited for, or why it failed, or why an attempt before this one did; may be empty.
      node: Argo's id of the attempt, whose pod may tell more; may be empty.
    """

    name: str
    state: State
    since: datetime | None = None
    until: datetime | None = None
    reason: str = ""
    node: str = ""


class Node(NamedTuple):
    """A node of Argo's workflow.

    Attributes:
      id: Argo's.
      path: its name below the workflow's, without the numbers of attempts.
      is_attempt: whether its own name has such a number.
      is_pod: whether it is a pod; no other node is one that waits or fails by itself.
      phase: Argo's.
      message: Argo's; may be empty.
      started: when it began.
      finished: when it ended, if it has.
    """

    id: str
    path: tuple[str, ...]
    is_attempt: bool
    is_pod: bool
    phase: str
    message: str
    started: datetime | None
    finished: datetime | None


def tasks(spec: Mapping[str, Any]) -> dict[str, str]:
    """The steps of a pipeline, each after those that it needs.

    Args:
      spec: KFP's pipeline specification.

    Returns:
      The name that a step is shown under, by the name of its task.
    """
    found = spec.get("root", {}).get("dag", {}).get("tasks", {})
    order = TopologicalSorter({key: sorted(one.get("dependentTasks", [])) for key, one in sorted(found.items())})
    return {key: found[key].get("taskInfo", {}).get("name", key) for key in order.static_order()}


def argo_nodes(workflow: Mapping[str, Any]) -> list[Node]:
    """The nodes of Argo's workflow, as Kubernetes has it; Argo packs them where there are many."""
    status = workflow.get("status", {})
    nodes = status.get("nodes") or {}
    if packed := status.get("compressedNodes"):
        nodes = json.loads(gzip.decompress(base64.b64decode(packed)))
    return [
        Node(
            one["id"],
            tuple(_ATTEMPT.sub("", part) for part in one["name"].split(".")[1:]),
            bool(_ATTEMPT.search(one["name"])),
            one.get("type") == "Pod",
            one.get("phase", "Pending"),
            _message(one.get("message", "")),
            _time(one.get("startedAt")),
            _time(one.get("finishedAt")),
        )
        for one in nodes.values()
    ]


def kfp_nodes(run: Mapping[str, Any]) -> list[Node]:
    """The nodes that KFP tells of, which are those of Argo without message; none of them is known to be a pod.

    Args:
      run: KFP's run, with times as `datetime`.
    """
    details = (run.get("run_details") or {}).get("task_details") or []
    return [
        Node(
            "",
            ("root", _ATTEMPT.sub("", one["display_name"] or "")),
            bool(_ATTEMPT.search(one["display_name"] or "")),
            False,
            (one["state"] or "PENDING").capitalize(),
            "",
            _time(one["start_time"]),
            _time(one["end_time"]),
        )
        for one in details
    ]


def steps(names: Mapping[str, str], nodes: Sequence[Node]) -> list[Step]:
    """What each step is at.

    Args:
      names: as `tasks` returns them.
      nodes: those of the run.
    """
    by_path: dict[tuple[str, ...], list[Node]] = {}
    for node in sorted(nodes, key=lambda one: str(one.started)):
        by_path.setdefault(node.path, []).append(node)
    first = _step(DRIVER, by_path, ("root-driver",), ("root-driver",))
    shown = [] if first.state in (State.DONE, State.TO_COME) else [first]
    return shown + [_step(name, by_path, ("root", f"{key}-driver"), ("root", key)) for key, name in names.items()]


def retry_policy(workflow: Mapping[str, Any]) -> str:
    """Which failures are tried again: the template's policy, else that of the cluster's defaults, else Argo's own.

    Empty as long as Argo has not begun: it adds the cluster's defaults to the workflow then.
    """
    if not workflow.get("status", {}).get("phase"):
        return ""
    spec = workflow.get("spec", {})
    found = [one.get("retryStrategy") or {} for one in [*spec.get("templates", []), spec.get("templateDefaults", {})]]
    own = next((str(one["retryPolicy"]) for one in found if one.get("retryPolicy")), "")
    return own or ("Always" if any(one.get("expression") for one in found) else "OnFailure")


def error(run: Mapping[str, Any], workflow: Mapping[str, Any] | None) -> str:
    """What is said of the run as a whole, rather than of a step; usually empty."""
    history = run.get("state_history") or []
    errors = [run.get("error"), *(one.get("error") for one in reversed(history))]
    texts = [(workflow or {}).get("status", {}).get("message"), *(one.get("message") for one in errors if one)]
    return _one_line(next((text for text in texts if text), ""))


def pending_reason(events: Sequence[Mapping[str, Any]]) -> str:
    """What the newest of a pod's warnings says; empty if there are none.

    Args:
      events: of one pod, as Kubernetes has them.
    """

    def age(event: Mapping[str, Any]) -> tuple[bool, str]:
        # The kubelet sums up now and then that volumes are missing; the other warnings say why.
        summary = str(event.get("message")).startswith("Unable to attach or mount volumes")
        series = event.get("series") or {}
        time = series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime")
        return not summary, str(time or "")

    warnings = [event for event in events if event.get("type") == "Warning"]
    if not warnings:
        return ""
    newest = max(warnings, key=age)
    return _one_line(f"{newest.get('reason')}: {newest.get('message')}")


def fault(log: str) -> str:
    """The line of a pod's log that says why it failed: the last that a command of ours or KFP ends with, or the last.

    Args:
      log: the end of what the pod printed.
    """
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    told = [line for line in lines if line.startswith("error: ")]
    return _one_line((told or lines or [""])[-1])


def _step(
    name: str, nodes: Mapping[tuple[str, ...], list[Node]], driver: tuple[str, ...], work: tuple[str, ...]
) -> Step:
    own = [node for path, some in nodes.items() if path[: len(work)] == work for node in some]
    unit = _unit(nodes.get(work, []))
    if unit is None or unit.phase in ("Omitted", "Skipped"):
        own, unit = nodes.get(driver, []), _unit(nodes.get(driver, []))
    if unit is None or unit.phase in ("Omitted", "Skipped"):
        return Step(name, State.TO_COME)
    began = next((node.started for node in [*nodes.get(driver, []), unit] if node.started), None)
    attempts = [node for node in own if node.is_pod]
    failed = [node for node in attempts if node.phase in _FAILED]
    if unit.phase in _FAILED:
        return _failure(name, unit, own, failed, began)
    if unit.phase == "Succeeded" and unit.path == work:
        return Step(name, State.DONE, began, unit.finished)
    if not attempts:
        return Step(name, State.BEGUN, began)
    last = attempts[-1]
    earlier = f"attempt {len(failed)} failed: {failed[-1].message}" if failed else ""
    if last.phase == "Running":
        return Step(name, State.RUNNING, last.started, None, earlier)
    if last.phase == "Pending":
        return Step(name, State.WAITING, last.started, None, last.message, last.id)
    return Step(name, State.WAITING, last.finished, None, earlier)


def _failure(name: str, unit: Node, own: Sequence[Node], failed: Sequence[Node], began: datetime | None) -> Step:
    last = failed[-1] if failed else unit
    limits = [node.message for node in own if not node.is_pod and node.phase in _FAILED and node is not unit]
    limit = next((text for text in limits if text not in (*_NO_MORE, last.message)), "")
    said = [f"attempt {len(failed)}" if len(failed) > 1 else "", last.message, limit]
    if unit.path[-1].endswith("-driver") and name != DRIVER:
        said.insert(0, DRIVER)
    return Step(name, State.FAILED, began, unit.finished, ": ".join(text for text in said if text), last.id)


def _unit(nodes: Sequence[Node]) -> Node | None:
    """The node that stands for all attempts at it, if there are several."""
    return next((node for node in reversed(nodes) if not node.is_attempt), nodes[-1] if nodes else None)


def _time(given: Any) -> datetime | None:
    """A time as JSON or `datetime`; KFP writes the beginning of time, or of 1970, where there is none."""
    if isinstance(given, str):
        given = datetime.fromisoformat(given.replace("Z", "+00:00"))
    return given if given and given.year > 1970 else None


def _message(text: str) -> str:
    ended = _ENDED.fullmatch(text)
    return _one_line(": ".join(filter(None, (ended[1], fault(ended[2] or ""))))) if ended else _one_line(text)


def _one_line(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
