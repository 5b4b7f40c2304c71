"""What `submit` sends, through KFP's own client, to a server that answers as Kubeflow Pipelines does."""

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from pipeline.kubeflow.__main__ import main

# What `compile` wrote, but for what differs between releases of KFP's SDK.
COMPILED = Path(__file__).parent / "kubeflow_golden.yaml"


class Server(ThreadingHTTPServer):
    """Kubeflow Pipelines' API (backend/api/v2beta1), as far as the start of a run needs it; keeps what it is asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.requests: list[tuple[str, Any]] = []
        self.refusal: tuple[int, str, bytes] | None = None
        self.schedules: list[dict[str, Any]] = []
        self.lost = False

    @property
    def run(self) -> dict[str, Any]:
        """The run that was asked for."""
        (run,) = (body for path, body in self.requests if path == "POST /apis/v2beta1/runs")
        return run


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        if self.server.lost:
            self._answer(404, "text/html", b"<html>\n<body>Nothing here</body>")
        elif "/recurringruns?" in self.path:
            wanted = json.loads(parse_qs(urlsplit(self.path).query)["filter"][0])["predicates"][0]
            assert (wanted["operation"], wanted["key"]) == ("EQUALS", "display_name")
            found = [one for one in self.server.schedules if one["display_name"] == wanted["stringValue"]]
            self._answer(200, "application/json", json.dumps({"recurringRuns": found}).encode())
        else:
            self._answer(200, "application/json", b"{}")  # no experiments yet

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append((f"POST {self.path}", body))
        if self.server.refusal is not None:
            self._answer(*self.server.refusal)
        elif self.path == "/apis/v2beta1/experiments":
            self._answer(200, "application/json", json.dumps({"experiment_id": "7", **body}).encode())
        elif self.path == "/apis/v2beta1/recurringruns":
            schedule = {"recurring_run_id": f"schedule-{len(self.server.requests)}", **body}
            self.server.schedules.append(schedule)
            self._answer(200, "application/json", json.dumps(schedule).encode())
        else:
            self._answer(200, "application/json", b'{"run_id": "run-42"}')

    def do_DELETE(self) -> None:
        gone = self.path.rpartition("/")[2]
        self.server.schedules = [one for one in self.server.schedules if one["recurring_run_id"] != gone]
        self._answer(200, "application/json", b"{}")

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})  # it ends as soon
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def _submit(server: Server, *arguments: str, file: Path = COMPILED) -> int:
    return main(["submit", str(file), "--host", server.address, *arguments])


def test_a_run_is_started_with_the_file_s_own_settings(server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    assert _submit(server) == 0
    assert server.run["experiment_id"] == "7"
    assert server.run["runtime_config"] == {"parameters": {}}
    assert server.run["pipeline_spec"]["pipeline_spec"]["pipelineInfo"]["name"] == "image-classification"
    assert capfd.readouterr().out.splitlines() == [f"{server.address}/#/runs/details/run-42", "started run-42"]


def test_a_run_s_name_and_description_say_what_it_is(server: Server) -> None:
    assert _submit(server) == _submit(server, "--set=trainer.epochs=3") == 0
    first, second = (body for path, body in server.requests if path == "POST /apis/v2beta1/runs")
    assert re.fullmatch(r"image-classification VGG16 /mnt/pictures 2[-0-9]{9} [0-9:]{8}", first["display_name"])
    words = re.compile("data /mnt/pictures; settings ([0-9a-f]{12}); image registry/classifier:1")
    hashes = [found.group(1) for one in (first, second) if (found := words.fullmatch(one["description"]))]
    assert len(set(hashes)) == 2


def test_a_name_and_a_description_fit_into_kfp_s_database(server: Server) -> None:
    assert _submit(server, f"--set=data=/{'long/' * 100}pictures") == 0
    assert len(server.run["display_name"]) < 255
    assert "ng/long/pictures" in server.run["display_name"]
    assert len(server.run["description"]) <= 255


def test_a_schedule_takes_the_place_of_the_one_before(server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    assert _submit(server, "--cron", "0 3 * * *", "--set=trainer.epochs=3") == 0
    name = "image-classification VGG16 /mnt/pictures"
    assert capfd.readouterr().out.splitlines() == [
        f"{name}: '0 0 3 * * *' (second, minute, hour, ...) in the time zone of the cluster's controller",
        "scheduled schedule-2",
    ]
    (one,) = server.schedules
    assert one["display_name"] == name
    assert one["description"].startswith("data /mnt/pictures; settings ")
    assert one["trigger"] == {"cron_schedule": {"cron": "0 0 3 * * *"}}
    assert one["runtime_config"] == {"parameters": {"trainer_epochs": 3}}
    assert one["pipeline_spec"]["pipeline_spec"]["pipelineInfo"]["name"] == "image-classification"
    # One run at a time; what was due while the cluster was down is not made up for.
    assert (one["mode"], one["max_concurrency"], one["no_catchup"]) == ("ENABLE", 1, True)

    assert _submit(server, "--cron", "0 30 4 * * MON", "--set=data=/mnt/other") == 0
    assert _submit(server, "--cron", "0 30 4 * * MON") == 0
    assert "replaced schedule-2\n" in capfd.readouterr().out
    assert [one["trigger"]["cron_schedule"]["cron"] for one in server.schedules] == ["0 30 4 * * MON"] * 2
    assert not any(path == "POST /apis/v2beta1/runs" for path, _ in server.requests)


@pytest.mark.parametrize("cron", ["", "daily", "0 3 * *", "0 0 3 * * * 2027"])
def test_a_schedule_of_too_few_or_too_many_fields_is_told(
    server: Server, cron: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert _submit(server, "--cron", cron) == 2
    assert capfd.readouterr().err.startswith(f"error: --cron: got {cron!r}, expected five fields (minute, hour, ")
    assert server.requests == []


@pytest.mark.parametrize(
    ("settings", "parameters"),
    [
        (["trainer.dropout=0.2"], {"trainer_dropout": 0.2}),
        (["trainer.dropout=0.2", "trainer.dropout=0.3"], {"trainer_dropout": 0.3}),
        (["trainer.dropout=0.1"], {}),
        # The file's floor for cats stays.
        (["gate.slices.dogs=0.9"], {"gate_slices": "{cats: 0.9, dogs: 0.9}"}),
        (["gate.slices={dogs: 0.5}"], {"gate_slices": "{dogs: 0.5}"}),
        (["gate={slices: {}}"], {"gate_slices": "{}"}),
        (
            ["trainer.fine_tune_at=100", "backbone.name=ResNet50"],
            {"trainer_fine_tune_at": "100", "backbone_name": "ResNet50"},
        ),
        (["infer=/mnt/new", "data=/mnt/other"], {"infer": "/mnt/new", "data": "/mnt/other"}),
    ],
)
def test_settings_change_the_file_s(server: Server, settings: list[str], parameters: dict[str, Any]) -> None:
    assert _submit(server, *(f"--set={text}" for text in settings)) == 0
    assert server.run["runtime_config"]["parameters"] == parameters


def test_settings_are_judged_with_the_others_of_the_file(
    server: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for_resnet = tmp_path / "resnet.yaml"
    for_resnet.write_text(COMPILED.read_text().replace("defaultValue: VGG16", "defaultValue: ResNet50"))
    assert _submit(server, "--set=trainer.fine_tune_at=100", file=for_resnet) == 0
    assert server.run["runtime_config"]["parameters"] == {"trainer_fine_tune_at": "100"}
    assert _submit(server, "--set=trainer.fine_tune_at=100") == 2
    assert capfd.readouterr().err == (
        "error: --set: trainer.fine_tune_at: got 100, expected a whole number from 0 to 18 for VGG16\n"
    )


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("trainer.epoch=3", "--set: trainer.epoch: unknown key; did you mean 'epochs'?"),
        ("gate.slices.cats=2", "--set: gate.slices.cats: got 2, expected a number from 0 to 1"),
        (
            "output=/mnt/run",
            "--set: output: on Kubeflow there is none; `compile` has --pipeline-root and --serving",
        ),
        ("data=pictures", "data: got 'pictures', expected an absolute path in the container"),
        ("trainer_epochs=3", "--set: trainer_epochs: unknown key"),
    ],
)
def test_what_the_file_s_runs_cannot_be_told_is_refused(
    server: Server, setting: str, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert _submit(server, "--set", setting) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"error: {message}")
    assert server.requests == []


def test_a_key_that_the_file_does_not_know_yet_is_told(
    server: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    older = tmp_path / "older.yaml"
    older.write_text(COMPILED.read_text().replace("trainer_class_weights", "trainer_something_else"))
    assert _submit(server, "--set=trainer.dropout=0.2", file=older) == 0
    assert _submit(server, "--set=trainer.class_weights=true", file=older) == 2
    assert capfd.readouterr().err.startswith("error: trainer.class_weights: no parameter of the compiled pipeline, ")


@pytest.mark.parametrize("text", ["", "a: [", "- 1", "root: {inputDefinitions: 3}", "root: {}", "\x00"])
def test_a_file_that_is_no_pipeline_is_told(
    server: Server, tmp_path: Path, text: str, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "pipeline.yaml"
    file.write_text(text)
    assert _submit(server, file=file) == 2
    assert capfd.readouterr().err == (
        f"error: '{file}' holds no compiled pipeline; expected what `python -m pipeline.kubeflow compile` writes\n"
    )


def test_a_file_that_is_not_there_is_told(server: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert _submit(server, file=tmp_path / "no.yaml") == 2
    assert capfd.readouterr().err.startswith(f"error: '{tmp_path}/no.yaml' cannot be read (No such file or directory);")


@pytest.mark.parametrize(
    ("refusal", "told"),
    [
        (
            (
                400,
                "application/json",
                json.dumps(
                    {
                        "error": "Failed to create a run",
                        "code": 3,
                        "message": "Failed to create a run: Invalid input error:\nthe pipeline needs a service account",
                        "details": [{"@type": "type.googleapis.com/google.rpc.Status", "code": 3}],
                    }
                ).encode(),
            ),
            "400 Failed to create a run: Invalid input error: the pipeline needs a service account",
        ),
        (
            (
                500,
                "application/json",
                b'{"message": "", "details": [{"@type": "x", "error_message": "Internal error: no workflow"}]}',
            ),
            "500 Internal error: no workflow",
        ),
        ((403, "text/html", b"<html>\n<body>Sign in</body>"), "403 Forbidden"),
        ((500, "application/json", b'["no", "message"]'), "500 Internal Server Error"),
    ],
)
def test_a_refusal_is_shown_in_the_server_s_words(
    server: Server, refusal: tuple[int, str, bytes], told: str, capfd: pytest.CaptureFixture[str]
) -> None:
    server.refusal = refusal
    assert _submit(server) == 2
    assert capfd.readouterr().err == f"error: --host: '{server.address}' refused to start the run: {told}\n"


def test_an_address_with_nothing_behind_it_is_told_at_once(server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    server.lost = True
    assert _submit(server) == 2
    assert capfd.readouterr().err == (
        f"error: --host: '{server.address}' refused to start the run: 404 Not Found; "
        f"expected the address of Kubeflow Pipelines\n"
    )


@pytest.mark.parametrize("command", ["compile", "submit", "status"])
def test_help_of_each_subcommand_lists_the_exit_codes(command: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    assert (
        "; 2 bad input or configuration, or refused by the server; 1 the run failed or was cancelled, or"
        in " ".join(capfd.readouterr().out.split())
    )


@pytest.mark.parametrize(("before", "setting"), [("/mnt/unlabelled", "infer=null"), ("null", "infer=/mnt/new")])
def test_a_run_cannot_gain_or_lose_the_step_that_predicts(
    server: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str], before: str, setting: str
) -> None:
    file = tmp_path / "compiled.yaml"
    file.write_text(COMPILED.read_text().replace("defaultValue: /mnt/unlabelled", f"defaultValue: '{before}'"))
    assert _submit(server, f"--set={setting}", file=file) == 2
    assert not server.requests
    assert capfd.readouterr().err == (
        "error: infer: whether a step predicts is decided by `compile`, expected --set infer=... there\n"
    )


@pytest.mark.parametrize("host", ["http://127.0.0.1:9", "two words", "http://[::1"])
def test_a_server_that_is_not_there_is_told(host: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["submit", str(COMPILED), "--host", host]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"error: --host: {host!r} did not start the run: ")
    assert "object at 0x" not in line


def test_a_sign_in_page_is_no_answer(server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    server.refusal = (200, "text/html", b"<html><body>Sign in</body>")
    assert _submit(server) == 2
    assert capfd.readouterr().err == (
        f"error: --host: '{server.address}' does not answer as Kubeflow Pipelines does; expected its address, "
        f"and --token-file where people sign in\n"
    )
