"""The address of the metadata store, and its credentials, which stay in their files."""

import os
from pathlib import Path

import pytest

from common.errors import UserError
from pipeline.engine import connection


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sqlite:///mnt/metadata.db", connection.Address("sqlite", file="/mnt/metadata.db")),
        ("sqlite:////mnt/metadata.db", connection.Address("sqlite", file="/mnt/metadata.db")),
        ("grpc://store:9000", connection.Address("grpc", host="store", port=9000)),
        (
            "grpc://metadata-grpc-service.kubeflow",
            connection.Address("grpc", "", "metadata-grpc-service.kubeflow", 8080),
        ),
        ("mysql://db/metadata", connection.Address("mysql", host="db", port=3306, database="metadata")),
        (
            "mysql://db:3307/metadata?credentials=/secrets/db",
            connection.Address("mysql", "", "db", 3307, "metadata", "/secrets/db"),
        ),
    ],
)
def test_an_address_is_taken_apart(text: str, expected: connection.Address) -> None:
    assert connection.parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "metadata.db",
        "/mnt/metadata.db",
        "sqlite://metadata.db",
        "sqlite:///",
        "sqlite:////",
        "sqlite:////mnt/",
        "sqlite://///mnt/metadata.db",
        "mysql://db",
        "mysql:///metadata",
        "mysql://db/metadata/more",
        "mysql://db:port/metadata",
        "mysql://db:0/metadata",
        "mysql://db:65536/metadata",
        "grpc://store:0",
        "mysql://db/metadata?credentials=relative",
        "mysql://db/metadata?password=hunter2",
        "grpc://",
        "grpc://store:8080/path",
        "postgres://db/metadata",
    ],
)
def test_what_is_no_address_is_told_with_what_would_be_one(text: str) -> None:
    with pytest.raises(UserError, match="expected sqlite:///ABSOLUTE/FILE, mysql://"):
        connection.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "mysql://root:hunter2@db/metadata",
        "mysql://root:hunter2@db:port/metadata",
        "mysql://db/metadata?password=hunter2",
    ],
)
def test_a_password_in_an_address_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(UserError) as caught:
        connection.parse(text)
    assert "hunter2" not in str(caught.value)


def test_credentials_come_from_their_files(tmp_path: Path) -> None:
    (tmp_path / "username").write_text("pipeline\n")
    (tmp_path / "password").write_text(" pass word\r\n")
    config = connection.connect(connection.parse(f"mysql://db/metadata?credentials={tmp_path}"))
    assert (config.mysql.user, config.mysql.password) == ("pipeline", " pass word")
    assert not config.mysql.HasField("ssl_options")


def test_missing_credentials_are_told_by_their_file(tmp_path: Path) -> None:
    (tmp_path / "username").write_text("pipeline")
    with pytest.raises(UserError) as caught:
        connection.connect(connection.parse(f"mysql://db/metadata?credentials={tmp_path}"))
    assert f"'{tmp_path}{os.sep}password' cannot be read (No such file or directory)" in str(caught.value)
