"""A step's job on an engine: it is cancelled with the step, and what went wrong at a worker is told as it was there."""

import contextlib
import re
import uuid
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import apache_beam as beam
from apache_beam.runners.runner import PipelineState

from common.errors import TransientError, UserError
from pipeline.beam import flink

# The last line of a traceback, wherever an engine has put it.
_KINDS = {kind.__name__: kind for kind in (UserError, TransientError)}
_RAISED = re.compile(rf"\b({'|'.join(_KINDS)}): (.+?)(?: \[while running .*)?$", re.MULTILINE)


class TooLateError(Exception):
    """A job has not ended in its time."""


class Job(beam.Pipeline):
    """A Beam pipeline that runs at the end of its block."""

    def __init__(self, options: Sequence[str], seconds: float | None = None) -> None:
        """Makes an empty one.

        Args:
          options: as `options.of_step` gives them.
          seconds: after which the block raises TooLateError; None for never.
        """
        self._name = f"images-{uuid.uuid4().hex}"
        # The wait is this class's own.
        super().__init__(argv=[*options, f"--job_name={self._name}", "--no_wait_until_finish"])
        self._flink = next((one.partition("=")[2] for one in options if one.startswith("--flink_master=")), "")
        self._milliseconds = None if seconds is None else int(seconds * 1000)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        if kind is not None:
            return
        try:
            if not PipelineState.is_terminal(self.result.wait_until_finish(self._milliseconds)):
                raise TooLateError
        except BaseException as ended:  # Ctrl-C among them: an engine would go on alone
            self._cancel()
            if isinstance(ended, Exception):
                raise_if_told(str(ended))
            raise

    def _cancel(self) -> None:
        with contextlib.suppress(Exception):  # what ended the job matters more
            if self._flink:
                flink.cancel(self._flink, self._name)
            elif not PipelineState.is_terminal(self.result.state):
                self.result.cancel()


def raise_if_told(text: str) -> None:
    """Raises what a worker has raised for the user, if it is in what an engine says."""
    if found := _RAISED.findall(text):
        kind, message = found[-1]
        raise _KINDS[kind](message)


def last_error(text: str) -> str:
    """The line of what an engine says that names an error, as tracebacks end; the first line where none does."""
    errors: list[Any] = re.findall(r"^(?:\w+\.)*\w+(?:Error|Exception): .+$", text, re.MULTILINE)
    return (errors or text.splitlines() or [""])[-1 if errors else 0]
