"""Whether the server of a metadata store answers, and if not, why.

ML Metadata's client for MySQL waits without limit for a server that accepts a connection and says nothing, and does not
say why it cannot reach one; its client for gRPC connects with the first call only.
"""

import socket
import time

from pipeline.engine.connection import Address
from pipeline.engine.faults import FaultError

_SECONDS = 10
_MYSQL_PROTOCOL, _MYSQL_ERROR = 10, 255  # first byte of what a server of MySQL or MariaDB says first


def check(address: Address) -> None:
    """Asks the server; a file is not looked at.

    Raises:
      FaultError: it cannot be reached, does not answer within ten seconds, or is another server.
    """
    if address.kind == "sqlite":
        return
    try:
        with socket.create_connection((address.host, address.port), _SECONDS) as server:
            problem = _greeting_problem(server) if address.kind == "mysql" else ""
        problem = problem or (_call_problem(address) if address.kind == "grpc" else "")
    except TimeoutError:
        problem = f"no answer within {_SECONDS} seconds"
    except OSError as error:
        problem = error.strerror or str(error)
    if problem:
        raise FaultError(f"the metadata store {address} cannot be reached: {problem}")


def _greeting_problem(server: socket.socket) -> str:
    """What is wrong with a MySQL server's first packet; nothing if it greets.

    The packet's length takes three bytes, its number one; a protocol's version or an error follows:
    https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_packets.html
    """
    deadline = time.monotonic() + _SECONDS
    header = _receive(server, 5, deadline)
    if len(header) < 5 or header[4] not in (_MYSQL_PROTOCOL, _MYSQL_ERROR):
        return "what answers is no MySQL or MariaDB server"
    if header[4] == _MYSQL_PROTOCOL:
        return ""
    code_and_message = _receive(server, int.from_bytes(header[:3], "little") - 1, deadline)
    return f"it refuses: {code_and_message[2:].decode(errors='replace')}"


def _receive(server: socket.socket, size: int, deadline: float) -> bytes:
    """So many bytes, or fewer where the server ends.

    Raises:
      TimeoutError: the deadline passed.
    """
    received = b""
    while len(received) < size:
        server.settimeout(max(0.001, deadline - time.monotonic()))
        more = server.recv(size - len(received))
        if not more:
            break
        received += more
    return received


def _call_problem(address: Address) -> str:
    from ml_metadata import MetadataStore, errors
    from ml_metadata.proto import metadata_store_pb2

    config = metadata_store_pb2.MetadataStoreClientConfig(
        host=address.host, port=address.port, client_timeout_sec=_SECONDS
    )
    try:
        MetadataStore(config).get_artifact_types()
    except errors.StatusError as error:
        return str(error)
    return ""
