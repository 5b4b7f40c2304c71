"""One node in a container: what stops it before anything is loaded, and what runs on Kubeflow come to."""

import importlib.metadata
import json
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import kubeflow_local
import mariadb_server
import metadata_server
import ml_metadata as mlmd
import pytest
import yaml
from kubeflow_launcher import Done, Forks, Kubeflow, Run, run_process
from ml_metadata.proto import metadata_store_pb2
from pictures import encode, make_pixels, write_classes
from workplace import REPOSITORY, SMALL, all_steps, steps_from

from common.errors import UserError
from pipeline import config as configuration
from pipeline import run_node
from pipeline.engine import connection
from pipeline.kubeflow import parameters
from pipeline.kubeflow.__main__ import main as kubeflow
from pipeline.steps import GPU_STEPS, STEPS

TFX = importlib.metadata.version("tfx")


# --- What is told at once ---


def _arguments(**changes: str) -> list[str]:
    values = {
        one.name: one.default for one in parameters.of_config(configuration.load(None, ["backbone.weights=random"]))
    }
    options = {
        "node": "Trainer",
        "nodes": ",".join(STEPS),
        "run_id": "1",
        "pipeline_root": f"{tempfile.gettempdir()}/no/such",
        "serving": f"{tempfile.gettempdir()}/no/such/serving",
        "metadata": "mysql://127.0.0.1/metadata?credentials=/no/such",
        "tfx": TFX,
        "gpus": "0",
        "executor_input": json.dumps({"inputs": {"parameterValues": {**values, "run_id": "1"}}}),
        **changes,
    }
    return [f"--{key.replace('_', '-')}={value}" for key, value in options.items()]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "credentials of the metadata store: '/no/such/username' cannot be read"),
        ({"tfx": "1.99.0"}, f"this image holds TFX {TFX}, the pipeline was compiled for one with TFX 1.99.0;"),
        ({"run_id": "{{$.pipeline_job_uuid}}"}, "--run-id: got '{{$.pipeline_job_uuid}}': this Kubeflow does not tell"),
        ({"executor_input": "{{$}}"}, "--executor-input: not a JSON object"),
        ({"executor_input": "{}"}, "parameter 'backbone_image_size': missing"),
        ({"metadata": "store"}, "--metadata: got 'store', expected sqlite:///"),
        # Where nobody can make a file.
        ({"pipeline_root": "/sys/pipeline"}, f"--pipeline-root: user {os.geteuid()} "),
        ({"serving": "/sys/serving"}, f"--serving: user {os.geteuid()} "),
        ({"metadata": "sqlite:///sys/metadata.db"}, f"--metadata: user {os.geteuid()} "),
    ],
)
def test_what_cannot_run_is_told_in_one_line(
    changes: dict[str, str], message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_node.main(_arguments(**changes)) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"error: {message}")


def test_a_store_that_cannot_be_reached_is_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    assert run_node.main(_arguments(metadata="grpc://127.0.0.1:9")) == 1
    assert capfd.readouterr().err == (
        "error: the metadata store grpc://127.0.0.1:9 cannot be reached: Connection refused\n"
    )


def test_a_step_s_fault_is_left_where_kubernetes_shows_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = tmp_path / "termination-log"
    monkeypatch.setattr(run_node, "_LAST_WORDS", words)
    assert run_node.main(_arguments(run_id="")) == 2
    assert not words.exists()  # in no container of Kubernetes
    words.write_text("of an earlier step")
    assert run_node.main(_arguments(run_id="")) == 2
    assert words.read_text().startswith("error: --run-id: got '': ")


def test_gpus_that_were_asked_for_and_are_not_there_stop_the_step(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    place = {"pipeline_root": str(tmp_path), "metadata": f"sqlite://{tmp_path}/metadata.db"}
    nodes = ",".join({*STEPS, "LatestBlessedModel"} - {"BulkInferrer"})
    assert run_node.main(_arguments(**place, node="ImageSchema", nodes=nodes, gpus="2")) == 2
    *_, line = capfd.readouterr().err.splitlines()  # TensorFlow may have said something before
    assert line.startswith("error: ImageSchema asked for 2 GPUs and TensorFlow sees 0; usual causes: ")


def test_the_step_that_reads_the_pictures_tells_what_the_gate_cannot_measure(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = write_classes(tmp_path / "data", {"apple": 2, "berry": 2})
    config = configuration.load(None, [f"data={data}", "gate.slices.plum=0.5"])
    values = {one.name: one.default for one in parameters.of_config(config)} | {"backbone_weights": "random"}
    arguments = _arguments(
        node="ImageExampleGen",
        metadata=f"sqlite://{tmp_path}/metadata.db",
        executor_input=json.dumps({"inputs": {"parameterValues": values}}),
    )
    assert run_node.main(arguments) == 2
    assert capfd.readouterr().err == (
        f"error: gate.slices: '{data}' holds no class 'plum'; expected one of its 2 classes, such as 'apple', 'berry'\n"
    )


def test_a_full_disk_is_told_as_a_run_tells_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fill(*_: Any) -> None:
        try:
            os.write(os.open("/dev/full", os.O_WRONLY), b"x")
        except OSError as error:
            raise RuntimeError("Beam failed") from error

    monkeypatch.setattr(run_node, "_run", fill)
    metadata = f"sqlite://{tmp_path}/metadata.db"
    assert run_node.main(_arguments(pipeline_root=str(tmp_path), metadata=metadata)) == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("error: Trainer failed: no space left on '")


def test_a_retry_tells_the_same_without_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    work = []

    def find_wrong(*_: Any) -> None:
        work.append(True)
        raise UserError("gate.slices: 'plum' is not a class")

    monkeypatch.setattr(run_node, "_run", find_wrong)
    arguments = _arguments(pipeline_root=str(tmp_path), metadata=f"sqlite://{tmp_path}/metadata.db")
    for _ in range(3):
        assert run_node.main(arguments) == 2
        assert capfd.readouterr().err == "error: gate.slices: 'plum' is not a class\n"
    assert len(work) == 1


def test_weights_are_fetched_into_the_pipeline_root_unless_the_image_has_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for variable in ("KERAS_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, "")
        monkeypatch.delenv(variable)
    (tmp_path / "home" / ".keras" / "models").mkdir(parents=True)
    run_node._share_weights("/mnt/pipeline")
    assert "KERAS_HOME" not in os.environ
    shutil.rmtree(tmp_path / "home")
    run_node._share_weights("/mnt/pipeline")
    assert os.environ["KERAS_HOME"] == "/mnt/pipeline/.cache/keras"
    assert os.environ["XDG_CACHE_HOME"] == "/mnt/pipeline/.cache/xdg"


def test_the_same_node_of_two_runs_never_runs_at_the_same_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entered = threading.Event()

    def enter() -> None:
        with run_node._only_attempt(str(tmp_path), "Trainer"):
            entered.set()

    thread = threading.Thread(target=enter)
    with run_node._only_attempt(str(tmp_path), "Trainer"), run_node._only_attempt(str(tmp_path), "Evaluator"):
        thread.start()
        assert not entered.wait(0.5)
    assert entered.wait(10)
    thread.join()
    assert capsys.readouterr().out == "waiting: another run is at Trainer\n"


def test_a_file_of_metadata_is_entered_by_one_at_a_time(tmp_path: Path) -> None:
    from pipeline.engine.store import RoomyMetadata

    store = connection.connect(connection.parse(f"sqlite://{tmp_path}/metadata.db"))
    entered = threading.Event()

    def enter() -> None:
        with RoomyMetadata(store):
            entered.set()

    with RoomyMetadata(store):
        thread = threading.Thread(target=enter)
        thread.start()
        assert not entered.wait(0.5)
    assert entered.wait(10)
    thread.join()


# --- Whole runs, as Kubeflow would have them ---


class Cluster:
    """A volume with pictures on it, and the pipeline compiled for it."""

    def __init__(self, root: Path, metadata: str, *options: str, **settings: Any) -> None:
        self.root = root
        self.metadata = metadata
        write_classes(root / "data", {"apple": 30, "berry": 40})
        (root / "config.yaml").write_text(yaml.safe_dump({**SMALL, **settings}))
        arguments = {
            "--config": root / "config.yaml",
            "--data": root / "data",
            "--image": "registry/classifier:1",
            "--pvc": f"volume:{root}",
            "--pipeline-root": root / "pipeline",
            "--metadata": metadata,
            "--tfx": TFX,
            "--output": root / "pipeline.yaml",
        }
        texts = [f"{key}={value}" for key, value in arguments.items()] + [f"--gpu-step={name}=0" for name in GPU_STEPS]
        assert kubeflow(["compile", *texts, *options]) == 0
        self.forks = Forks()
        self.compiled = root / "pipeline.yaml"

    def run(self, run_id: str, how: Run | None = None, **changes: Any) -> dict[str, Done]:
        return Kubeflow(self.compiled, self.root / "kubeflow", how or self.forks).run(run_id, **changes)

    def versions(self) -> list[str]:
        return sorted(path.name for path in (self.root / "pipeline" / "serving").glob("[0-9]*"))

    def states(self) -> set[int]:
        store = mlmd.MetadataStore(connection.connect(connection.parse(self.metadata)))
        return {one.last_known_state for one in store.get_executions()}


def _states(done: dict[str, Done]) -> dict[str, str]:
    """What each task said of itself."""
    assert not [one.log for one in done.values() if one.code > 0]
    return {
        name: next(line for line in one.log.splitlines() if line.startswith(f"{name}: ")).partition(": ")[2]
        for name, one in done.items()
        if not one.code
    }


def _foreign(log: str) -> list[str]:
    """The lines of a pod's log that are neither about the step, its settings, its progress nor what it came to."""
    ours = r"(step|settings) {2,}\S|\d+ of \d+ \w|waiting: |\w+: (run|cached)$|20\S+ \S+ (modeling|components)\.\S+: "
    return [line for line in log.splitlines() if not re.match(ours, line)]


def _metadata(done: Done, name: str) -> dict[str, Any]:
    (artifact,) = done.output["artifacts"][name]["artifacts"]
    return artifact["metadata"]


def _run_by_the_stand_in(cluster: Cluster, how: Run) -> dict[str, Done]:
    return cluster.run("first", how)


def _run_by_the_sdk(cluster: Cluster, how: Run) -> dict[str, Done]:
    return kubeflow_local.run(cluster.compiled, cluster.root / "kubeflow", how)


@pytest.mark.slow
@pytest.mark.parametrize(
    "run",
    [
        pytest.param(
            _run_by_the_stand_in,
            id="stand-in",
            marks=pytest.mark.skipif(kubeflow_local.IS_THERE, reason="KFP's own local runner takes its place"),
        ),
        pytest.param(
            _run_by_the_sdk,
            id="kfp.local",
            marks=pytest.mark.skipif(not kubeflow_local.IS_THERE, reason="KFP's SDK runs compiled files from 2.16 on"),
        ),
    ],
)
def test_a_run_publishes_and_the_next_one_is_cached(
    run: Callable[[Cluster, Run], dict[str, Done]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)  # which commands that ran in this process have set
    with metadata_server.running(tmp_path / "metadata.db") as server:
        _publish_and_take_from_the_cache(Cluster(tmp_path, f"grpc://{server}"), run, tmp_path)


def _publish_and_take_from_the_cache(
    cluster: Cluster, run: Callable[[Cluster, Run], dict[str, Done]], tmp_path: Path
) -> None:
    fresh = ("Transform", "Evaluator")  # as pods are, one of TFX's own steps and one of this project's

    def how(command: list[str], environment: Mapping[str, str]) -> tuple[int, str]:
        is_fresh = command[command.index("--node") + 1] in fresh
        return (run_process if is_fresh else cluster.forks)(command, environment)

    first = run(cluster, how)
    assert _states(first) == dict.fromkeys(all_steps(), "run")
    assert not [line for name in fresh for line in _foreign(first[name].log)]
    assert re.search("^settings   .*trainer.penalty=1.0", first["Evaluator"].log, re.MULTILINE)
    (version,) = cluster.versions()
    assert first["Pusher"].output == {"parameterValues": {"published": f"{tmp_path}/pipeline/serving/{version}"}}

    # What Kubeflow's interface draws.
    assert _metadata(first["ImageExampleGen"], "files")["used"] == 70
    assert _metadata(first["Trainer"], "training")["eval_accuracy"] >= 0.6
    accuracy = _metadata(first["Evaluator"], "test")["accuracy"]
    matrix = _metadata(first["Evaluator"], "confusion_matrix")["confusionMatrix"]
    assert [one["displayName"] for one in matrix["annotationSpecs"]] == ["apple", "berry"]
    rows = [one["row"] for one in matrix["rows"]]
    assert (rows[0][0] + rows[1][1]) / sum(map(sum, rows)) == pytest.approx(accuracy, abs=1e-6)  # MLMD keeps 6 decimals
    gate = first["Evaluator"].files["gate"].read_text()
    assert gate.startswith("# The gate let the model pass\n")
    assert f"| passed | accuracy | overall | {accuracy:.4f} | 0.6000 |" in gate

    assert "<html" in first["Report"].files["report"].read_text()[:200].lower()

    imports = {}

    def run_and_list_imports(command: list[str], environment: Mapping[str, str]) -> tuple[int, str]:
        name = command[command.index("--node") + 1]
        if name not in ("Evaluator", "LatestBlessedModel"):  # one from the cache that shows much, and the one that runs
            return cluster.forks(command, environment)
        code, log = run_process(["python", "-X", "importtime", *command[1:]], environment)
        imports[name] = {line.rpartition("|")[2].strip() for line in log.splitlines() if "|" in line}
        return code, log

    second = cluster.run("second", run_and_list_imports)
    # TensorFlow takes most of the time of a step that has nothing to do.
    assert {name: "tensorflow.python" in names for name, names in imports.items()} == dict.fromkeys(imports, False)
    assert all("ml_metadata" in names for names in imports.values())
    cached = {name for name, state in _states(second).items() if state == "cached"}
    assert cached == set(all_steps()) - {"LatestBlessedModel"}
    assert cluster.versions() == [version]
    # A cached step shows what it showed.
    assert _metadata(second["Evaluator"], "confusion_matrix")["confusionMatrix"] == matrix
    assert second["Pusher"].output == first["Pusher"].output

    # A setting that makes another step cannot be edited in: Kubeflow would never run that step.
    other = cluster.run("third", infer=str(tmp_path / "data"))
    assert {one.code for one in other.values()} == {1}
    # Only the first of three attempts came as far as to begin.
    log = other["ImageExampleGen"].log
    assert log.count("error: the step 'BulkInferrer' is new with these settings") == 3
    assert log.count("step       ImageExampleGen of run third") == 1


@pytest.fixture
def mariadb(tmp_path: Path) -> Iterator[mariadb_server.Server]:
    missing = mariadb_server.missing()
    if missing and os.environ.get("CI") != "true":
        pytest.skip(f"not installed: {', '.join(missing)} (apt-get install mariadb-server)")
    (tmp_path / "mariadb").mkdir()
    with mariadb_server.running(tmp_path / "mariadb", "not-to-be-seen") as server:
        yield server


@pytest.mark.slow
def test_two_runs_at_once_changed_pictures_a_kill_and_a_refusal_on_mariadb(
    tmp_path: Path, mariadb: mariadb_server.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    secret, root = tmp_path / "secret", tmp_path / "volume"
    secret.mkdir()
    (secret / "username").write_text(f"{mariadb.user}\n")
    (secret / "password").write_text(mariadb.password)
    shutil.copy(mariadb.ca, secret / "ca.crt")  # this server lets nobody in without TLS
    cluster = Cluster(
        root,
        f"mysql://127.0.0.1:{mariadb.port}/{mariadb.database}?credentials={secret}",
        f"--secret=metadata:{secret}",
        trainer={**SMALL["trainer"], "fine_tune_epochs": 2},
    )
    # Two runs at once: each step is done by the one that comes first, and the other finds it done.
    with ThreadPoolExecutor() as threads:
        first, twin = threads.map(cluster.run, ("first", "twin"))
    both = {name: sorted((_states(first)[name], _states(twin)[name])) for name in all_steps()}
    once = {name: ["cached", "run"] for name in all_steps()}
    assert both == {**once, "LatestBlessedModel": ["run", "run"]}
    assert len(cluster.versions()) == 1

    # A new picture makes everything run again but for the schema; the Trainer's pod is deleted.
    (root / "data" / "apple" / "new.png").write_bytes(encode(make_pixels(9999, 32, 32)))
    cluster.forks.dies_in = "Trainer"
    killed = cluster.run("second")
    assert killed["Trainer"].code < 0
    assert killed.keys() == {*all_steps()} - {*steps_from("LatestBlessedModel")}
    assert _states(killed) == {
        **dict.fromkeys({*all_steps()} - {*steps_from("Trainer")}, "run"),
        "ImageSchema": "cached",
    }

    # The retry goes on from the last epoch, and the first run's model is what the new one has to reach.
    cluster.forks.dies_in = ""
    retried = cluster.run("second")
    assert _states(retried) == dict.fromkeys(steps_from("Trainer"), "run")
    assert "epochs that an earlier attempt trained: 1" in retried["Trainer"].log
    assert "| accuracy_change | overall |" in retried["Evaluator"].files["gate"].read_text()
    assert len(cluster.versions()) == 2
    assert cluster.states() == {metadata_store_pb2.Execution.COMPLETE, metadata_store_pb2.Execution.CACHED}

    # What a person edits for one run: a model that learns nothing, and a gate that it cannot pass.
    refused = cluster.run("third", trainer_penalty="1e9", trainer_fine_tune=False, gate_slices="{apple: 1.0}")
    # ExampleValidator looks for the test pictures of the apples.
    executed = {name for name, state in _states(refused).items() if state == "run"}
    assert executed == {"ExampleValidator", *steps_from("FeatureExtractor")}
    assert refused["Pusher"].output["parameterValues"]["published"] == "nothing: the gate refused the model"
    gate = refused["Evaluator"].files["gate"].read_text()
    assert gate.startswith("# The gate refused the model: it is not published\n")
    assert "| **FAILED** | accuracy | apple | " in gate
    assert len(cluster.versions()) == 2

    logs = [one.log for run in (first, twin, killed, retried, refused) for one in run.values()]
    assert not [log for log in logs if mariadb.password in log]
    for path in root.rglob("*"):
        assert not path.is_file() or mariadb.password.encode() not in path.read_bytes(), path
