"""What `status` and `submit --wait` show of servers that answer the clients of KFP and Kubernetes as these do."""

import base64
import functools
import gzip
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from inherited_signals import inherited
from kubernetes.config import kube_config

from pipeline.kubeflow import run_state, status
from pipeline.kubeflow.__main__ import main
from pipeline.kubeflow.run_state import State

COMPILED = Path(__file__).parent / "kubeflow_golden.yaml"
_RUN = "6b1e4a0c-0001"
_POD = "image-classification-x7k2p-retry-system-container-impl-77"
_KFP, _ARGO, _CORE = "/apis/v2beta1", "/apis/argoproj.io/v1alpha1/namespaces/kubeflow", "/api/v1/namespaces/kubeflow"
_NO_GPU = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu. preemption: 0/3 nodes are available."


@functools.cache
def _spec() -> dict[str, Any]:
    """The part of the compiled file that says which steps there are."""
    whole = next(yaml.safe_load_all(COMPILED.read_text()))
    return {"pipelineInfo": whole["pipelineInfo"], "root": {"dag": whole["root"]["dag"]}}


def _node(path: str, phase: str, message: str = "", kind: str = "Pod", **more: str) -> dict[str, Any]:
    """A node of Argo's workflow, as its controller writes it."""
    name = f"image-classification-x7k2p.{path}"
    return {
        "id": f"image-classification-x7k2p-{sum(map(ord, path))}",
        "name": name,
        "displayName": path.rpartition(".")[2],
        "type": kind,
        "phase": phase,
        "startedAt": "2026-11-26T01:06:53Z",
        "finishedAt": None if phase in ("Running", "Pending") else "2026-11-26T01:08:00Z",
        **({"message": message} if message else {}),
        **more,
    }


def _step(task: str, phase: str, message: str = "", earlier: str = "") -> list[dict[str, Any]]:
    """The nodes that KFP makes of a step: its driver, the step, and its attempts under the node that counts them."""
    attempt = 1 if earlier else 0
    whole = "Running" if phase == "Pending" else phase
    return [
        _node(f"root.{task}-driver", "Succeeded"),
        _node(f"root.{task}", whole, kind="DAG"),
        _node(f"root.{task}.executor", whole, "No more retries left" if phase == "Failed" else "", kind="Retry"),
        *([_node(f"root.{task}.executor(0)", "Failed", earlier)] if earlier else []),
        _node(f"root.{task}.executor({attempt})", phase, message, startedAt="2026-11-26T01:10:00Z"),
    ]


def _workflow(*nodes: dict[str, Any], spec: dict[str, Any] | None = None, **told: Any) -> dict[str, Any]:
    done = [
        _node("root-driver", "Succeeded"),
        _node("root", "Running", kind="DAG"),
        *_step("image-schema", "Succeeded"),
    ]
    return {
        "metadata": {"name": "image-classification-x7k2p", "creationTimestamp": "2026-11-26T01:06:50Z"},
        "spec": spec or {"templates": [{"name": "retry-system-container-impl", "retryStrategy": {"limit": 2}}]},
        "status": {"phase": "Running", "nodes": {one["id"]: one for one in [*done, *nodes]}, **told},
    }


def _pod(path: str) -> dict[str, Any]:
    """Argo names pods otherwise than nodes."""
    node = _node(path, "Failed")["id"]
    return {"metadata": {"name": _POD, "annotations": {"workflows.argoproj.io/node-id": node}}}


class Server(ThreadingHTTPServer):
    """Kubeflow Pipelines and Kubernetes in one: JSON, or a status and a text, by path."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.answers: dict[str, Any] = {
            f"{_KFP}/healthz": {"multi_user": False},
            f"{_KFP}/runs/{_RUN}": self.run_of("RUNNING"),
            f"{_ARGO}/workflows": {"items": []},
            f"{_CORE}/pods": {"items": []},
            f"{_CORE}/events": {"items": []},
        }
        self.asked: list[tuple[str, dict[str, list[str]]]] = []

    def run_of(self, state: str, *details: tuple[str, str], **more: Any) -> dict[str, Any]:
        """A run as KFP's API server tells of it; it knows the states of Argo's nodes, but no messages."""
        return {
            "run_id": _RUN,
            "display_name": "image-classification VGG16 /mnt/pictures",
            "description": "data /mnt/pictures",
            "state": state,
            "pipeline_spec": {"pipeline_spec": _spec(), "platform_spec": {}},
            "finished_at": "1970-01-01T00:00:00Z",
            "run_details": {
                "task_details": [
                    {"display_name": name, "state": phase, "start_time": "2026-11-26T01:06:53Z", "end_time": None}
                    for name, phase in details
                ]
            },
            **more,
        }

    def workflow(self, *nodes: dict[str, Any], **told: Any) -> None:
        """Lets the cluster have this workflow of the run."""
        self.answers[f"{_ARGO}/workflows"] = {"items": [_workflow(*nodes, **told)]}


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        self.server.asked.append((url.path, parse_qs(url.query)))
        given = self.server.answers.get(url.path, (404, f"no {url.path}"))
        given = given.pop(0) if isinstance(given, list) and len(given) > 1 else given
        given = given[0] if isinstance(given, list) else given
        code, text = given if isinstance(given, tuple) else (200, json.dumps(given))
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(text.encode())

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        names = {"cluster": "c", "user": "u"}
        kubeconfig = {
            "clusters": [{"name": "c", "cluster": {"server": running.address}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
            "contexts": [{"name": "x", "context": names}],
            "current-context": "x",
        }
        (tmp_path / "config").write_text(yaml.safe_dump(kubeconfig))
        monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "config"))
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
        yield running
        running.shutdown()
        thread.join()


def _status(server: Server, *arguments: str) -> int:
    return main(["status", _RUN, "--host", server.address, *arguments])


def _lines(capfd: pytest.CaptureFixture[str]) -> dict[str, str]:
    """What was printed, by the first word of the line, with single spaces and without durations."""
    timeless = re.sub(
        r" ([0-9]+ days?, )?[0-9]+:[0-9]{2}:[0-9]{2}(?=  |$)", "", capfd.readouterr().out, flags=re.MULTILINE
    )
    lines = [line.split() for line in timeless.splitlines()]
    return {line[0]: " ".join(line[1:]) for line in lines}


@pytest.mark.parametrize(
    ("message", "event", "told"),
    [
        (f"Unschedulable: {_NO_GPU}", "", f"Unschedulable: {_NO_GPU}"),
        (
            "ContainerCreating",
            'MountVolume.SetUp failed for volume "metadata" : secret "metadata" not found',
            'FailedMount: MountVolume.SetUp failed for volume "metadata" : secret "metadata" not found',
        ),
        ("", "", ""),
    ],
)
def test_what_a_step_waits_for_is_told(
    server: Server, capfd: pytest.CaptureFixture[str], message: str, event: str, told: str
) -> None:
    server.workflow(*_step("image-example-gen", "Succeeded"), *_step("trainer", "Pending", message))
    server.answers[f"{_CORE}/pods"] = {"items": [_pod("root.trainer.executor(0)")]}
    summary = "Unable to attach or mount volumes: unmounted volumes=[metadata]: timed out waiting for the condition"
    server.answers[f"{_CORE}/events"] = {
        "items": [
            {"type": "Warning", "reason": "FailedMount", "message": event, "lastTimestamp": "2026-11-26T01:20:00Z"},
            {"type": "Warning", "reason": "FailedMount", "message": summary, "lastTimestamp": "2026-11-26T01:21:00Z"},
            {"type": "Normal", "reason": "Scheduled", "message": "assigned", "lastTimestamp": "2026-11-26T01:22:00Z"},
        ]
        if event
        else []
    }
    assert _status(server) == 0
    lines = _lines(capfd)
    assert lines["Trainer"] == f"waiting {told}".strip()
    assert lines["ImageExampleGen"] == "done"
    assert "StatisticsGen" in lines["to"]
    assert lines["image-classification"] == "VGG16 /mnt/pictures: running"
    if event:
        asked = dict(server.asked)
        assert asked[f"{_CORE}/events"]["fieldSelector"] == [f"involvedObject.kind=Pod,involvedObject.name={_POD}"]
        assert asked[f"{_ARGO}/workflows"]["labelSelector"] == [f"pipeline/runid={_RUN}"]


@pytest.mark.parametrize(
    ("message", "log", "told"),
    [
        (
            "main: Error (exit code 1)",
            "3 epochs\nerror: Trainer asked for 1 GPU and TensorFlow sees 0\nF1126 main.go:50] exit status 2\n",
            "failed Error (exit code 1): error: Trainer asked for 1 GPU and TensorFlow sees 0",
        ),
        ("main: Error (exit code 1): error: no room", None, "failed Error (exit code 1): error: no room"),
        ("Error (exit code 2): Epoch 2\nerror: no room\nF1126 x\n", None, "failed Error (exit code 2): error: no room"),
        ("OOMKilled (exit code 137)", "Epoch 2\n\n", "failed OOMKilled (exit code 137): Epoch 2"),
        ("pod deleted", (404, '{"message": "pods \\"p\\" not found"}'), "failed pod deleted"),
    ],
)
def test_why_a_step_failed_is_told(
    server: Server, capfd: pytest.CaptureFixture[str], message: str, log: Any, told: str
) -> None:
    server.answers[f"{_KFP}/runs/{_RUN}"] = server.run_of("FAILED", error=None)
    server.workflow(*_step("trainer", "Failed", message), message="child 'x' failed")
    server.answers[f"{_CORE}/pods"] = {"items": [_pod("root.trainer.executor(0)")]}
    server.answers[f"{_CORE}/pods/{_POD}/log"] = (200, log) if isinstance(log, str) else log
    assert _status(server) == 1
    lines = _lines(capfd)
    assert lines["Trainer"] == told
    assert lines["not"].startswith("begun: ImageExampleGen, ")
    assert ("the" in lines) == isinstance(log, tuple)
    if "the" in lines:
        assert lines["the"] == 'cluster lets you read no pods/log: 404 pods "p" not found'


def test_attempts_are_counted(server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    oom = "OOMKilled (exit code 137)"
    server.workflow(*_step("trainer", "Running", earlier=oom), *_step("transform", "Failed", oom, earlier=oom))
    assert _status(server) == 0
    lines = _lines(capfd)
    assert lines["Trainer"] == f"running attempt 1 failed: {oom}"
    assert lines["Transform"] == f"failed attempt 2: {oom}"


def test_a_failed_driver_is_told_apart(server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    server.answers[f"{_KFP}/runs/{_RUN}"] = server.run_of("FAILED")
    server.workflow(
        _node("root.trainer-driver", "Failed", "main: Error (exit code 1)"),
        _node("root.trainer", "Omitted", kind="Skipped"),
        _node("root.evaluator-driver", "Omitted", kind="Skipped"),
    )
    assert _status(server) == 1
    lines = _lines(capfd)
    assert lines["Trainer"] == "failed KFP's driver: Error (exit code 1)"
    assert "Evaluator" in lines["not"]


@pytest.mark.parametrize(
    ("ended", "told"),
    [
        ("Max duration limit exceeded", ": Max duration limit exceeded"),
        ("No more retries left", ""),
        ("retryStrategy.expression evaluated to false", ""),
        ("main: Error (exit code 1): error: no room\n", ""),  # the attempt's own, where the policy allows no other
    ],
)
def test_what_ended_the_attempts_is_told_if_it_is_news(
    server: Server, capfd: pytest.CaptureFixture[str], ended: str, told: str
) -> None:
    failed = _step("trainer", "Failed", "main: Error (exit code 1): error: no room\n")
    failed[2]["message"] = ended
    server.answers[f"{_KFP}/runs/{_RUN}"] = server.run_of("FAILED")
    server.workflow(*failed)
    assert _status(server) == 1
    assert _lines(capfd)["Trainer"] == f"failed Error (exit code 1): error: no room{told}"


@pytest.mark.parametrize(
    ("refusal", "why"),
    [
        (
            (403, '{"message": "workflows.argoproj.io is forbidden: User \\"u\\" cannot list resource"}'),
            'workflows: 403 workflows.argoproj.io is forbidden: User "u" cannot list resource',
        ),
        ({"items": []}, "no workflow of the run in the namespace kubeflow: it is gone, or in another (--namespace)"),
        (None, "no kubeconfig (Invalid kube-config file. No configuration found.), and not in a cluster"),
    ],
)
def test_where_the_cluster_may_not_be_read_kfp_s_states_are_told(
    server: Server, capfd: pytest.CaptureFixture[str], tmp_path: Path, refusal: Any, why: str
) -> None:
    if refusal is None:
        (tmp_path / "config").unlink()
    server.answers[f"{_ARGO}/workflows"] = refusal
    server.answers[f"{_KFP}/runs/{_RUN}"] = server.run_of(
        "RUNNING", ("root", "RUNNING"), ("image-schema-driver", "SUCCEEDED"), ("image-schema", "SUCCEEDED"),
        ("trainer", "RUNNING"), ("executor", "RUNNING"), ("executor(0)", "PENDING"), ("transform", "FAILED"),
    )  # fmt: skip
    assert _status(server) == 0
    out = capfd.readouterr().out
    (note,) = (line for line in out.splitlines() if line.startswith("only what Kubeflow Pipelines tells"))
    assert note == f"only what Kubeflow Pipelines tells, and no reasons: the cluster was not read ({why})"
    words = [line.split()[:2] for line in out.splitlines()]
    assert ["ImageSchema", "done"] in words
    assert ["Trainer", "begun"] in words
    assert ["Transform", "failed"] in words


def test_the_namespace_of_the_user_is_looked_into(server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    server.answers["/apis/argoproj.io/v1alpha1/namespaces/ada/workflows"] = {"items": [_workflow()]}
    assert _status(server, "--namespace", "ada") == 0
    assert "retries: " in capfd.readouterr().out


def test_a_cluster_that_does_not_answer_is_told(
    server: Server, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    config = (tmp_path / "config").read_text()
    (tmp_path / "config").write_text(config.replace(server.address, "http://127.0.0.1:9"))
    assert _status(server) == 0
    (note,) = (line for line in capfd.readouterr().out.splitlines() if "the cluster was not read" in line)
    assert "(workflows: " in note
    assert note.endswith("Failed to establish a new connection: [Errno 111] Connection refused)")


def test_a_workflow_that_argo_has_packed_is_read(server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    workflow = _workflow(*_step("trainer", "Pending", "Unschedulable: no"))
    nodes = json.dumps(workflow["status"].pop("nodes")).encode()
    workflow["status"]["compressedNodes"] = base64.b64encode(gzip.compress(nodes)).decode()
    server.answers[f"{_ARGO}/workflows"] = {"items": [workflow]}
    assert _status(server) == 0
    assert _lines(capfd)["Trainer"] == "waiting Unschedulable: no"


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        (
            {},
            "OnFailure: a step that fails or runs out of memory is tried again, one that loses its node or pod is not",
        ),
        ({"templateDefaults": {"retryStrategy": {"retryPolicy": "OnError"}}}, "OnError: a step that loses its node or"),
        ({"templateDefaults": {"retryStrategy": {"retryPolicy": "Always"}}}, "Always: whatever fails is tried again"),
        ({"templateDefaults": {"retryStrategy": {"expression": "true"}}}, "Always: whatever fails is tried again"),
    ],
)
def test_the_cluster_s_retry_policy_is_told(
    server: Server, capfd: pytest.CaptureFixture[str], spec: dict[str, Any], told: str
) -> None:
    server.workflow(spec={"templates": [{"retryStrategy": {"limit": 2}}, {"name": "root"}], **spec})
    assert _status(server) == 0
    policy = _lines(capfd)["retries:"]
    assert policy.startswith(told)
    assert ("deploy/workflow-defaults.yaml" in policy) == ("Always" not in told)


def test_a_fault_of_the_run_as_a_whole_is_told(server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    server.workflow(
        phase="", message="Workflow processing has been postponed because too many workflows are already running"
    )
    assert _status(server) == 0
    out = capfd.readouterr().out
    assert "Workflow processing has been postponed because" in out
    assert "retries: " not in out  # Argo has not yet added the cluster's defaults
    server.answers[f"{_KFP}/runs/{_RUN}"] = server.run_of(
        "FAILED", state_history=[{"state": "FAILED", "error": {"code": 3, "message": "invalid spec"}}]
    )
    server.answers[f"{_ARGO}/workflows"] = {"items": []}
    assert _status(server) == 1
    assert "\ninvalid spec\n" in capfd.readouterr().out


def test_without_an_id_the_newest_run_of_this_pipeline_is_shown(
    server: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    reference = {"pipeline_id": "p", "pipeline_version_id": "v"}
    uploaded = server.run_of("RUNNING", pipeline_spec=None, pipeline_version_reference=reference)
    other = server.run_of("FAILED", pipeline_spec={"pipelineInfo": {"name": "other"}}, run_id="another")
    server.answers[f"{_KFP}/runs"] = [{"runs": [other], "next_page_token": "2"}, {"runs": [uploaded]}]
    server.answers[f"{_KFP}/runs/{_RUN}"] = uploaded
    server.answers[f"{_KFP}/pipelines/p/versions/v"] = {"pipeline_spec": _spec()}
    server.workflow(*_step("trainer", "Running"))
    assert main(["status", "--host", server.address]) == 0
    assert "\nTrainer" in capfd.readouterr().out
    assert [query["page_token"] for path, query in server.asked if path == f"{_KFP}/runs" and query.get("page_token")]
    assert all(query["sort_by"] == ["created_at desc"] for path, query in server.asked if path == f"{_KFP}/runs")


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ({f"{_KFP}/runs": {}}, "lists no run of the pipeline 'image-classification'; expected its address, and "),
        ({f"{_KFP}/runs": (403, '{"message": "no access"}')}, "refused to list its runs: 403 no access"),
        ({}, "refused to list its runs: 404 Not Found; expected the address of Kubeflow Pipelines"),
    ],
)
def test_no_run_to_show_is_told(
    server: Server, capfd: pytest.CaptureFixture[str], answers: dict[str, Any], told: str
) -> None:
    server.answers.update(answers)
    assert main(["status", "--host", server.address]) == 2
    assert capfd.readouterr().err.startswith(f"error: --host: '{server.address}' {told}")


def test_a_run_that_is_not_there_is_told(server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    server.answers[f"{_KFP}/runs/{_RUN}"] = (404, '{"message": "Failed to get a run: Run 7 not found"}')
    assert _status(server) == 2
    assert capfd.readouterr().err == (
        f"error: --host: '{server.address}' refused to tell of the run: 404 Failed to get a run: Run 7 not found\n"
    )
    server.answers[f"{_KFP}/runs/{_RUN}"] = (200, "<html>Sign in</html>")
    assert _status(server) == 2
    assert "does not answer as Kubeflow Pipelines does; expected its address, and --token-file" in (
        capfd.readouterr().err
    )


def _submitted(server: Server, *looks: Any) -> list[str]:
    """Lets `submit` start the run, which then is as these looks have it; its command line."""
    server.answers |= {f"{_KFP}/experiments": {"experiment_id": "7"}, f"{_KFP}/runs": {"run_id": _RUN}}
    server.answers[f"{_KFP}/runs/{_RUN}"] = list(looks)
    return ["submit", str(COMPILED), "--host", server.address, "--wait"]


_PHASES = ("Pending", "Running", "Succeeded")


@pytest.mark.parametrize(("end", "code"), [("SUCCEEDED", 0), ("CANCELED", 1)])
def test_submit_waits_for_the_result(
    server: Server, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, end: str, code: int
) -> None:
    monkeypatch.setattr(status, "_PAUSE", 0.01)
    waiting, running, done = ({"items": [_workflow(*_step("trainer", phase))]} for phase in _PHASES)
    server.answers[f"{_ARGO}/workflows"] = [waiting, waiting, running, waiting, done]
    away = (503, "upstream connect error")  # while it is updated
    looks = [server.run_of("RUNNING")] * 4
    assert main(_submitted(server, *looks, away, server.run_of(end))) == code
    lines = [" ".join(line.split()) for line in capfd.readouterr().out.splitlines()]
    assert lines[1] == f"started {_RUN}"
    states = [line.split()[1] for line in lines if line.startswith("Trainer ")]
    assert states == ["waiting", "running", "waiting", "done"]
    assert lines[-1] == f"image-classification VGG16 /mnt/pictures: {end.lower()}"


def test_a_refusal_ends_the_wait(server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(_submitted(server, (404, '{"message": "Run 7 not found"}'))) == 2
    assert "refused to tell of the run: 404 Run 7 not found" in capfd.readouterr().err


def test_ctrl_c_leaves_the_run_alone_and_says_how_to_look_again(server: Server, tmp_path: Path) -> None:
    with inherited(signal.SIGINT):
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline.kubeflow", *_submitted(server, server.run_of("RUNNING"))],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "KUBECONFIG": str(tmp_path / "config")},
        )
    assert process.stdout is not None
    while "only what Kubeflow Pipelines tells" not in process.stdout.readline():
        assert process.poll() is None
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    again = f"python -m pipeline.kubeflow status {_RUN} --host {server.address}"
    assert (process.returncode, err) == (130, f"interrupted; the run goes on, and `{again}` shows it\n")


def test_wait_and_cron_exclude_each_other(server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*_submitted(server), "--cron", "0 3 * * *"])
    assert ended.value.code == 2
    assert "--cron: not allowed with argument --wait" in capfd.readouterr().err


def test_status_loads_neither_tensorflow_nor_tfx() -> None:
    program = (
        "import sys, pipeline.kubeflow.status; from pipeline.kubeflow import submit;"
        "assert not {'tensorflow', 'tfx', 'apache_beam', 'ml_metadata'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True)


def test_steps_come_after_those_that_they_need() -> None:
    names = list(run_state.tasks(_spec()).values())
    assert len(names) == 13
    assert names.index("ImageExampleGen") < names.index("Transform") < names.index("Trainer") < names.index("Pusher")


def test_nodes_of_a_cluster_that_tries_everything_again_are_found() -> None:
    """With templateDefaults.retryStrategy each node, the driver and the whole included, has attempts of its own."""
    workflow = _workflow(
        _node("root(0).trainer-driver", "Succeeded", kind="Retry"),
        _node("root(0).trainer-driver(0)", "Error", "pod deleted"),
        _node("root(0).trainer-driver(1)", "Succeeded"),
        _node("root(0).trainer", "Running", kind="Retry"),
        _node("root(0).trainer(0)", "Running", kind="DAG"),
        _node("root(0).trainer(0).executor", "Running", kind="Retry"),
        _node("root(0).trainer(0).executor(0)", "Pending", "Unschedulable: no"),
    )
    (trainer,) = run_state.steps({"trainer": "Trainer"}, run_state.argo_nodes(workflow))
    assert (trainer.state, trainer.reason) == (State.WAITING, "Unschedulable: no")


def test_long_reasons_are_one_line_of_bounded_length() -> None:
    event = {"type": "Warning", "reason": "Failed", "message": "a\nb" + "c" * 1000}
    reason = run_state.pending_reason([event])
    assert reason.startswith("Failed: a bccc")
    assert len(reason) < 500
