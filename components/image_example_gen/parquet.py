"""Rows of Parquet files, which may be other people's."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from common.errors import UserError

_BATCH = 65_536  # rows at a time


def header(path: str) -> list[str]:
    """The names of the columns.

    Raises:
      UserError: the file cannot be read.
    """
    with _told(path):
        return list(_open(path).schema_arrow.names)


def rows(path: str, columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """The values of some columns, row by row, as Python has them.

    Raises:
      UserError: the file cannot be read.
    """
    with _told(path):
        for batch in _open(path).iter_batches(_BATCH, columns=list(columns)):
            values = [batch.column(batch.schema.get_field_index(name)).to_pylist() for name in columns]
            yield from zip(*values, strict=True)


def _open(path: str) -> Any:
    # Before version 14.0.1, pyarrow runs code that a file brings along (CVE-2023-47248). This prevents it.
    with contextlib.suppress(ModuleNotFoundError):  # newer versions come without it
        import pyarrow_hotfix  # noqa: F401
    from pyarrow import parquet

    return parquet.ParquetFile(path)


@contextlib.contextmanager
def _told(path: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, TypeError, LookupError, RuntimeError) as error:  # pyarrow's own derive from them
        reason = str(error).partition("\n")[0]
        raise UserError(f"table {path!r} cannot be read as Parquet: {reason}") from error
