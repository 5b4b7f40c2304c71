"""A MariaDB server of one's own, with TLS, from the system's packages."""

import contextlib
import datetime
import ipaddress
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

PROGRAMS = ("mariadb-install-db", "mariadbd", "mariadb")
_SECONDS = 60


class Server(NamedTuple):
    """A running server.

    Attributes:
      port: on this machine's own interface.
      database: an empty one.
      user: may do everything there, over TLS alone.
      password: of the user.
      ca: the certificate that the server's is signed by.
    """

    port: int
    database: str
    user: str
    password: str
    ca: Path


def missing() -> list[str]:
    """The programs that are needed and not installed."""
    return [name for name in PROGRAMS if not _find(name)]


def _find(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")


@contextlib.contextmanager
def running(folder: Path, password: str) -> Iterator[Server]:
    """Runs a server until the block ends.

    Args:
      folder: an empty one, for all that it writes.
      password: of the user that is made.
    """
    data, ca, certificate, key = folder / "data", folder / "ca.crt", folder / "server.crt", folder / "server.key"
    _write_certificates(ca, certificate, key)
    me = f"--user={os.environ.get('USER', 'root')}" if os.geteuid() else "--user=root"
    install = [_find("mariadb-install-db"), "--no-defaults", f"--datadir={data}", me]
    install += ["--auth-root-authentication-method=normal", "--skip-test-db"]
    subprocess.run([str(part) for part in install], check=True, capture_output=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # The path of a socket has at most 107 bytes.
    link = Path("/tmp", f"mariadb-{os.getpid()}-{port}.sock")
    server = [_find("mariadbd"), "--no-defaults", f"--datadir={data}", me, f"--socket={link}", f"--port={port}"]
    server += ["--bind-address=127.0.0.1", f"--ssl-ca={ca}", f"--ssl-cert={certificate}", f"--ssl-key={key}"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([str(part) for part in server], stdout=log, stderr=log)
    try:
        _execute(
            link,
            f"CREATE DATABASE metadata; CREATE USER 'pipeline'@'%' IDENTIFIED BY '{password}' REQUIRE SSL;"
            "GRANT ALL ON metadata.* TO 'pipeline'@'%';",
        )
        yield Server(port, "metadata", "pipeline", password, ca)
    finally:
        process.terminate()
        process.wait(_SECONDS)
        link.unlink(missing_ok=True)


def _execute(link: Path, statements: str) -> None:
    """Waits until the server answers."""
    client = [_find("mariadb"), "--no-defaults", f"--socket={link}", "--user=root", "--execute", statements]
    for _ in range(10 * _SECONDS):
        done = subprocess.run([str(part) for part in client], capture_output=True, text=True, check=False)
        if not done.returncode:
            return
        time.sleep(0.1)
    raise RuntimeError(done.stderr)


def _write_certificates(ca: Path, certificate: Path, key: Path) -> None:
    """An authority and a certificate of 127.0.0.1 that it signed."""
    now = datetime.datetime.now(datetime.timezone.utc)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]) for name in ("test", "127.0.0.1")]
    for index, path in enumerate((ca, certificate)):
        builder = (
            x509.CertificateBuilder()
            .subject_name(names[index])
            .issuer_name(names[0])
            .public_key(keys[index].public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=index == 0, path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
            )
        )
        path.write_bytes(builder.sign(keys[0], hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        keys[1].private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
