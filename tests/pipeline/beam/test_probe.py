"""What is said of an engine whose workers cannot do the work."""

import time
from pathlib import Path

import pytest

from common.errors import TransientError, UserError
from pipeline.beam import probe


def test_a_worker_that_has_all_passes(engine: list[str], tmp_path: Path) -> None:
    probe.check(engine, tmp_path, [str(tmp_path)])
    assert not list(tmp_path.iterdir())


def test_a_folder_that_a_worker_does_not_see_is_named(engine: list[str], tmp_path: Path) -> None:
    pictures, output = tmp_path / "pictures", tmp_path / "output"
    with pytest.raises(UserError) as told:
        probe.check(engine, tmp_path, [str(pictures)])
    assert (
        str(told.value) == f"beam: a worker does not see '{pictures}'; expected the same volume there, at the same path"
    )
    with pytest.raises(UserError) as told:
        probe.check(engine, output, [])
    assert "a worker does not see this process's files" in str(told.value)
    assert f"'{output}/.worker-" in str(told.value)


def test_what_a_worker_has_otherwise_is_named(tmp_path: Path) -> None:
    here = probe.look([])
    for there, expected in (
        (here._replace(python="3.9"), "a worker runs Python 3.9"),
        (here._replace(code="0"), "a worker has other code or packages"),
    ):
        with pytest.raises(UserError, match=expected):
            probe.compare(here, there)


def test_an_engine_without_workers_is_told(service: object, tmp_path: Path) -> None:
    port = service.port  # type: ignore[attr-defined]
    engine = ["--runner=PortableRunner", f"--job_endpoint=localhost:{port}", "--environment_type=EXTERNAL"]
    with pytest.raises(UserError, match=r"the engine does not reach its workers; .*--environment_config=localhost:9\)"):
        probe.check([*engine, "--environment_config=localhost:9"], tmp_path, [])


def test_flink_without_workers_is_told() -> None:
    said = (
        "Pipeline job-8e79790b failed in state FAILED: java.lang.Exception: The user defined 'open()' method caused an "
        "exception: org.apache.beam.vendor.grpc.v1p60p1.io.grpc.StatusRuntimeException: UNAVAILABLE: io exception"
    )
    assert probe.reason(said, ["--environment_config=localhost:50000"]).startswith("the engine does not reach its")


def test_a_worker_that_does_not_answer_is_not_waited_for(
    engine: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "_SECONDS", 1)
    monkeypatch.setattr(probe, "look", lambda paths: time.sleep(3))
    with pytest.raises(TransientError, match="no worker has answered within 1 seconds"):
        probe.check(engine, tmp_path, [])
