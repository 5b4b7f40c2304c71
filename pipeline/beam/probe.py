"""Whether an engine's workers can do a step's work, found out by a job of a second before one of an hour."""

import json
import platform
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import apache_beam as beam

from common import fingerprint
from common.errors import TransientError, UserError
from pipeline.beam import jobs

_SECONDS = 180  # a worker imports TensorFlow first
_CODE = "pipeline.dag"
# As gRPC says it to Python, and to Flink.
_UNREACHABLE = ("failed to connect", "UNAVAILABLE")


class Seen(NamedTuple):
    """What a process has.

    Attributes:
      python: its version, such as "3.10".
      code: hash of this project's code.
      missing: those of some paths that are not there.
    """

    python: str
    code: str
    missing: list[str]


def check(options: Sequence[str], folder: Path, paths: Sequence[str]) -> None:
    """Lets a worker of the engine tell what it has.

    Args:
      options: Beam's, as `options.of_step` gives them.
      folder: where the worker shall tell it; it has to see it as this process does.
      paths: that it has to see too.

    Raises:
      UserError: no worker comes, or it lacks the code, a folder, or this version of Python.
    """
    answer = folder / f".worker-{uuid.uuid4().hex}.json"
    try:
        with jobs.Job(options, _SECONDS) as pipeline:
            _ = pipeline | "One" >> beam.Create([str(answer)]) | "Look" >> beam.Map(_look, list(paths))
        compare(look(paths), _read(answer))
    except jobs.TooLateError as error:
        raise TransientError(
            f"beam: no worker has answered within {_SECONDS} seconds; expected workers beside the engine "
            f"({_pool(options)}) whose `python` has Beam and this project"
        ) from error
    except (UserError, TransientError):
        raise
    except Exception as error:
        raise UserError(f"beam: {reason(str(error), options)}") from error
    finally:
        answer.unlink(missing_ok=True)


def look(paths: Sequence[str]) -> Seen:
    """What this process has."""
    return Seen(
        ".".join(platform.python_version_tuple()[:2]),
        fingerprint.of_code(_CODE),
        [path for path in paths if not Path(path).exists()],
    )


def _look(answer: str, paths: Sequence[str]) -> None:
    Path(answer).write_text(json.dumps(look(paths)._asdict()))


def compare(here: Seen, there: Seen) -> None:
    """Raises UserError where a worker lacks something that this process has."""
    if there.missing:
        raise UserError(
            f"beam: a worker does not see {there.missing[0]!r}; expected the same volume there, at the same path"
        )
    if there.python != here.python:
        raise UserError(f"beam: a worker runs Python {there.python}, this process {here.python}; expected the same")
    if there.code != here.code:
        raise UserError("beam: a worker has other code or packages than this process; expected the same image for both")


def _read(answer: Path) -> Seen:
    try:
        return Seen(**json.loads(answer.read_text()))
    except FileNotFoundError as error:
        raise UserError(
            f"beam: a worker has other files in {str(answer.parent)!r} than this process; expected the same volume, "
            f"at the same path"
        ) from error


def reason(text: str, options: Sequence[str]) -> str:
    """What is wrong, from what an engine says of a job that failed."""
    line = jobs.last_error(text)
    if "ModuleNotFoundError" in line:
        return f"a worker lacks this project's code or a package ({line.partition(': ')[2]}); expected it on its path"
    if "No such file or directory" in line:
        return f"a worker does not see this process's files ({line.partition(': ')[2]}); expected the same volume there"
    if any(one in text for one in _UNREACHABLE):
        return f"the engine does not reach its workers; expected a pool of them beside it ({_pool(options)})"
    return f"a job of a second failed with {options[0]}: {line}"


def _pool(options: Sequence[str]) -> str:
    return " ".join(one for one in options if one.startswith("--environment_"))
