"""Which options of Beam a step gets, and what is said of an engine that is not there."""

import socket

import pytest

from common.errors import TransientError, UserError
from pipeline import config as configuration
from pipeline.beam import options
from pipeline.config import BeamConfig


def test_a_step_runs_in_its_own_process_unless_an_engine_is_set() -> None:
    beam = BeamConfig(runner="portable", address="jobs:8099", steps=["Evaluator"])
    assert options.of_step(BeamConfig(), "Evaluator") == []
    assert options.of_step(beam, "Trainer") == []
    assert options.of_step(beam, "Evaluator")[0] == "--runner=PortableRunner"


def test_options_of_the_user_come_last_as_beam_takes_the_last() -> None:
    jar, pool = "--flink_job_server_jar=/jars/flink.jar", "--environment_config=localhost:50001"
    beam = BeamConfig(runner="flink", address="flink:8081", parallelism=4, args=[jar, pool])
    found = options.of_step(beam, "StatisticsGen")
    assert found[:2] == ["--runner=FlinkRunner", "--flink_master=flink:8081"]
    assert "--parallelism=4" in found
    assert found[-2:] == [jar, pool]


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (
            ["beam.runner=flink"],
            "--set: beam.runner: flink needs beam.address, the HOST:PORT of Flink's REST interface",
        ),
        (["beam.address=a:1"], "--set: beam.address: got 'a:1', expected '' for beam.runner: local"),
        (
            ["beam.args=[region]"],
            "--set: beam.args.0: got 'region', expected an option of Beam such as --region=europe",
        ),
        (
            ["beam.steps=[Trainer]"],
            "--set: beam.steps.0: got 'Trainer', expected one of ImageExampleGen, StatisticsGen",
        ),
    ],
)
def test_what_cannot_be_is_told_in_one_line(overrides: list[str], line: str) -> None:
    with pytest.raises(UserError) as told:
        configuration.load(None, overrides)
    assert str(told.value).startswith(line)
    assert "\n" not in str(told.value)


def test_an_engine_that_is_not_there_is_told_at_once() -> None:
    with socket.create_server(("localhost", 0)) as server:
        port = server.getsockname()[1]
        options.check_address(BeamConfig(runner="portable", address=f"localhost:{port}"))
    with pytest.raises(TransientError) as told:
        options.check_address(BeamConfig(runner="portable", address=f"localhost:{port}"))
    assert str(told.value) == (
        f"beam.address: nothing answers at 'localhost:{port}' (Connection refused); expected Beam's job service"
    )
