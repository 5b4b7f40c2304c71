"""New processes that find TensorFlow and TFX imported already, which takes a fresh one five seconds."""

import multiprocessing
import os
import tempfile
from collections.abc import Callable
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

# The first comes first: one of the libraries brings another package `tests`.
_PRELOADED = [
    "tests.preloaded",
    "pipeline.dag",
    "pipeline.engine.runner",
    "pipeline.engine.leftovers",
    "modeling.evaluations",
]


def run(function: Callable[..., Any], *arguments: Any) -> tuple[int, str]:
    """Runs a function in a new process.

    Args:
      function: of a module, not a method or a lambda; it may end the process.
      arguments: its arguments; they are pickled.

    Returns:
      The process' exit code, negative for a signal, and what it printed to either stream.
    """
    with tempfile.NamedTemporaryFile() as log:
        process = _context().Process(target=_run, args=(log.name, function, arguments))
        process.start()
        process.join()
        assert process.exitcode is not None
        return process.exitcode, Path(log.name).read_text(errors="replace")


def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)  # read when the first process starts
    return context


def _run(log: str, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND)
    for standard in (1, 2):
        os.dup2(descriptor, standard)
    function(*arguments)
