"""Jobs on Beam's own job service, with workers of its own."""

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.portability.api import beam_job_api_pb2
from apache_beam.runners.portability import local_job_service

from common.errors import TransientError, UserError
from pipeline.beam.jobs import Job, TooLateError

_STATE = beam_job_api_pb2.JobState


def test_a_job_runs_to_its_end(engine: list[str], tmp_path: Path) -> None:
    with Job(engine) as pipeline:
        _ = pipeline | beam.Create(["done"]) | beam.Map(lambda name: (tmp_path / name).touch())
    assert (tmp_path / "done").exists()


@pytest.mark.parametrize("kind", [UserError, TransientError])
def test_what_a_worker_finds_wrong_is_told_in_its_words(engine: list[str], kind: type[Exception]) -> None:
    def fail(_: int) -> None:
        raise kind("the data folder is gone: mount it")

    with pytest.raises(kind) as told, Job(engine) as pipeline:
        _ = pipeline | beam.Create([0]) | beam.Map(fail)
    assert (type(told.value), str(told.value)) == (kind, "the data folder is gone: mount it")


_ended = threading.Event()


def _wait(_: int) -> None:
    """No longer than the test: a thread that waits in a worker of this process would disturb the tests after it."""
    _ended.wait(60)


@pytest.fixture
def waiting() -> Iterator[None]:
    _ended.clear()
    yield
    _ended.set()


@pytest.mark.usefixtures("waiting")
def test_a_job_ends_with_its_time_and_with_ctrl_c(
    service: local_job_service.LocalJobServicer, engine: list[str]
) -> None:
    with pytest.raises(TooLateError), Job(engine, seconds=2) as pipeline:
        _ = pipeline | beam.Create([0]) | beam.Map(_wait)
    assert states(service)[-1] == _STATE.CANCELLED
    interrupt = threading.Timer(2, signal.raise_signal, [signal.SIGINT])
    interrupt.start()
    with pytest.raises(KeyboardInterrupt), Job(engine) as pipeline:
        _ = pipeline | beam.Create([0]) | beam.Map(_wait)
    assert states(service)[-1] == _STATE.CANCELLED


def states(service: local_job_service.LocalJobServicer) -> list[int]:
    return [job.state for job in service._jobs.values()]
