"""Beam's own job service, as a peer."""

import socket
from collections.abc import Iterator

import pytest
from apache_beam.runners.portability import local_job_service


@pytest.fixture(scope="module")
def service() -> Iterator[local_job_service.LocalJobServicer]:
    service = local_job_service.LocalJobServicer()
    service.port = service.start_grpc_server()
    with pytest.MonkeyPatch.context() as patch:
        # By which the service tells workers where it is; not every container knows its own name.
        patch.setattr(socket, "getfqdn", lambda: "localhost")
        yield service
    service.stop()


@pytest.fixture
def engine(service: local_job_service.LocalJobServicer) -> list[str]:
    """Options of an engine that lets this process be its worker."""
    return ["--runner=PortableRunner", f"--job_endpoint=localhost:{service.port}", "--environment_type=LOOPBACK"]
