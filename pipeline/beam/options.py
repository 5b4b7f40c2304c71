"""Beam's options for an engine, without Beam: a wrong address is told before anything slow is imported."""

import socket

from common.errors import TransientError
from pipeline.config.sections import ANSWERED_BY, BeamConfig

LOCAL = "local"
_SECONDS = 5.0
# Of what runs beside each worker; an option of the configuration takes its place, as of two Beam takes the last. For
# workers without an image of their own, TFX would pack itself anew in each step.
_POOL = ("--environment_type=EXTERNAL", "--environment_config=localhost:50000", "--sdk_container_image=none")
# Beam's client gives up a job after this many seconds: a minute by default.
_LONGEST = f"--job_server_timeout={14 * 24 * 3600}"


def of_step(beam: BeamConfig, step: str) -> list[str]:
    """The options with which a step's jobs go to the engine; none where it runs in its own process."""
    if beam.runner == LOCAL or step not in beam.steps:
        return []
    options = {
        "portable": ["--runner=PortableRunner", f"--job_endpoint={beam.address}", _LONGEST, *_POOL],
        "flink": ["--runner=FlinkRunner", f"--flink_master={beam.address}", "--flink_submit_uber_jar", *_POOL],
        "dataflow": ["--runner=DataflowRunner"],
    }[beam.runner]
    if beam.parallelism:
        options.append(f"--{'max_num_workers' if beam.runner == 'dataflow' else 'parallelism'}={beam.parallelism}")
    return [*options, *beam.args]


def check_address(beam: BeamConfig) -> None:
    """Makes sure that something answers where the engine should be.

    Raises:
      TransientError: nothing does within five seconds.
    """
    if not beam.address:
        return
    host, _, port = beam.address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), _SECONDS).close()
    except (OSError, OverflowError) as error:
        raise TransientError(
            f"beam.address: nothing answers at {beam.address!r} ({getattr(error, 'strerror', None) or error}); "
            f"expected {ANSWERED_BY[beam.runner]}"
        ) from error
