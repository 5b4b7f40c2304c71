"""Servers of metadata stores that are not there, say nothing, or are others."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import metadata_server
import pytest

from pipeline.engine import connection, reachable
from pipeline.engine.faults import FaultError


@contextmanager
def _server(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """The port of a server that does something with its first client."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            client, _ = listener.accept()
            with client:
                serve(client)

        thread = threading.Thread(target=run)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def _problem(kind: str, place: str) -> str:
    address = connection.parse(f"{kind}://{place}{'/metadata' if kind == 'mysql' else ''}")
    with pytest.raises(FaultError) as caught:
        reachable.check(address)
    said = str(caught.value)
    assert said.startswith(f"the metadata store {address} cannot be reached: ")
    return said.partition(" cannot be reached: ")[2]


def _closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.mark.parametrize("kind", ["mysql", "grpc"])
def test_a_server_that_is_not_there_is_told_with_the_reason(kind: str) -> None:
    assert _problem(kind, f"127.0.0.1:{_closed_port()}") == "Connection refused"
    assert "not known" in _problem(kind, "no-such-host.invalid:3306")


@pytest.mark.parametrize("kind", ["mysql", "grpc"])
def test_a_server_that_says_nothing_is_not_waited_for(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reachable, "_SECONDS", 1)
    ended = threading.Event()

    def wait(_: socket.socket) -> None:
        ended.wait()

    with _server(wait) as port:
        began = time.monotonic()
        said = _problem(kind, f"127.0.0.1:{port}")
        assert time.monotonic() - began < 10
        ended.set()
    assert said == "no answer within 1 seconds" if kind == "mysql" else "Deadline" in said


def test_another_server_in_the_place_of_mysql_is_told() -> None:
    with _server(lambda client: client.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")) as port:
        assert _problem("mysql", f"127.0.0.1:{port}") == "what answers is no MySQL or MariaDB server"


def test_a_mysql_server_that_lets_nobody_in_says_why() -> None:
    packet = b"\xff\x10\x04Too many connections"
    with _server(lambda client: client.sendall(len(packet).to_bytes(3, "little") + b"\0" + packet)) as port:
        assert _problem("mysql", f"127.0.0.1:{port}") == "it refuses: Too many connections"


def test_a_server_that_answers_is_fine(tmp_path: Path) -> None:
    with metadata_server.running(tmp_path / "metadata.db") as place:
        reachable.check(connection.parse(f"grpc://{place}"))
    reachable.check(connection.parse("sqlite:////no/such/file.db"))
