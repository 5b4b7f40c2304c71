"""Where the metadata store is, as one address; who may use it comes from mounted files.

    sqlite:///mnt/pipeline/metadata.db                                    a file on a volume, for trials
    mysql://mariadb:3306/metadata?credentials=/secrets/metadata           MySQL or MariaDB
    grpc://metadata-store:8080                                            a server of ML Metadata's own

The folder of credentials is a mounted secret with the files `username` and `password`. With a `ca.crt` in it, the
connection is encrypted; ML Metadata's client still does not check that the server is the right one.
"""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias
from urllib.parse import SplitResult, parse_qsl, urlsplit

from common.errors import UserError

if TYPE_CHECKING:
    from ml_metadata.proto import metadata_store_pb2

    Config: TypeAlias = metadata_store_pb2.ConnectionConfig | metadata_store_pb2.MetadataStoreClientConfig

EXPECTED = "sqlite:///ABSOLUTE/FILE, mysql://HOST:PORT/DATABASE?credentials=FOLDER or grpc://HOST:PORT"
_PORTS = {"mysql": 3306, "grpc": 8080}
_SQLITE_FILE = re.compile("//?[^/](.*[^/])?")


class Address(NamedTuple):
    """A metadata store.

    Attributes:
      kind: "sqlite", "mysql" or "grpc".
      file: of SQLite; otherwise empty.
      host: of the server; empty for SQLite.
      port: of the server; 0 for SQLite.
      database: of MySQL; otherwise empty.
      credentials: folder of the mounted secret; empty for none.
    """

    kind: str
    file: str = ""
    host: str = ""
    port: int = 0
    database: str = ""
    credentials: str = ""

    def __str__(self) -> str:
        """For people: nothing of it is secret."""
        if self.file:
            return f"sqlite://{self.file}"
        return f"{self.kind}://{self.host}:{self.port}" + (f"/{self.database}" if self.database else "")


def parse(text: str, option: str = "--metadata") -> Address:
    """Takes an address apart, without a look at what is there.

    Args:
      text: the address.
      option: named in errors.

    Raises:
      UserError: it is none, or it holds a user name or password, which would be seen by all who see the pipeline.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise UserError(f"{option}: got {_shown(text)!r}, expected {EXPECTED}") from None
    if "@" in parts.netloc:
        raise UserError(
            f"{option}: a user name or password must not be in the address, where everybody sees it; "
            f"mount a secret with the files 'username' and 'password' and add ?credentials=FOLDER"
        )
    if parts.fragment or port == 0 or not _is_complete(parts):
        raise UserError(f"{option}: got {_shown(text)!r}, expected {EXPECTED}")
    if parts.scheme == "sqlite":
        # SQLAlchemy has four slashes before an absolute path.
        return Address("sqlite", file=re.sub("^//", "/", parts.path))
    return Address(
        parts.scheme,
        host=parts.hostname or "",
        port=_PORTS[parts.scheme] if port is None else port,
        database=parts.path[1:],
        credentials=dict(parse_qsl(parts.query)).get("credentials", ""),
    )


def _is_complete(parts: SplitResult) -> bool:
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    match parts.scheme:
        case "sqlite":
            return not parts.netloc and bool(_SQLITE_FILE.fullmatch(parts.path)) and not query
        case "mysql":
            database = parts.path[1:]
            folder = query.pop("credentials", "/")
            return bool(parts.hostname and database) and "/" not in database and folder.startswith("/") and not query
        case "grpc":
            return bool(parts.hostname) and parts.path in ("", "/") and not query
    return False


def _shown(text: str) -> str:
    """Without a user, a password or whatever somebody may have taken for a place to put them."""
    scheme, _, rest = text.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}" if rest else text


def connect(address: Address) -> "Config":
    """What ML Metadata needs to connect, with the credentials read from their files.

    Raises:
      UserError: a file of the credentials is missing or cannot be read.
    """
    from ml_metadata.proto import metadata_store_pb2

    if address.kind == "grpc":
        return metadata_store_pb2.MetadataStoreClientConfig(host=address.host, port=address.port)
    if address.kind == "sqlite":
        read_write = metadata_store_pb2.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
        return metadata_store_pb2.ConnectionConfig(
            sqlite=metadata_store_pb2.SqliteMetadataSourceConfig(filename_uri=address.file, connection_mode=read_write)
        )
    return metadata_store_pb2.ConnectionConfig(mysql=_mysql(address))


def _mysql(address: Address) -> Any:
    from ml_metadata.proto import metadata_store_pb2

    config = metadata_store_pb2.MySQLDatabaseConfig(host=address.host, port=address.port, database=address.database)
    if address.credentials:
        folder = Path(address.credentials)
        config.user, config.password = _read(folder / "username"), _read(folder / "password")
        if (folder / "ca.crt").exists():
            # To ask for verification makes the client refuse every server, the right one too.
            config.ssl_options.ca = str(folder / "ca.crt")
    return config


def _read(path: Path) -> str:
    try:
        # An editor, or `echo`, may have left a line break at the end.
        return path.read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "not UTF-8"
        raise UserError(
            f"credentials of the metadata store: {str(path)!r} cannot be read ({reason}); "
            f"expected a mounted secret with the files 'username' and 'password'"
        ) from error
