"""The frame of all commands, and the one command: exit codes, interrupts, output that nobody takes, `--help`."""

import importlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from inherited_signals import inherited
from workplace import REPOSITORY

from common.errors import UserError
from pipeline import __version__, command
from pipeline.__main__ import COMMANDS
from pipeline.engine.faults import FaultError

Given = tuple[int, str]


def _give(run: Callable[[], int], capfd: pytest.CaptureFixture[str], **fields: Any) -> Given:
    """The exit code, and what is on standard error."""
    made = command.Command("program", "Does it.", lambda _: None, lambda _: run(), {0: "done"}, **fields)
    return made.main([]), capfd.readouterr().err


def _raising(error: BaseException) -> Callable[[], int]:
    def run() -> int:
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UserError("--set: wrong"), 2, "error: --set: wrong\n"),
        (FaultError("no space left"), 1, "error: no space left\n"),
        (OSError(28, "No space left on device"), 1, "error: [Errno 28] No space left on device\n"),
        (BrokenPipeError(), 1, ""),
        (KeyboardInterrupt(), 130, "interrupted\n"),
    ],
)
def test_what_goes_wrong_is_a_line_and_a_code(
    error: BaseException, code: int, line: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert _give(_raising(error), capfd) == (code, line)


def test_a_fault_of_the_program_shows_where(capfd: pytest.CaptureFixture[str]) -> None:
    code, err = _give(_raising(KeyError("x")), capfd)
    assert code == command.FAILED
    assert err.startswith("Traceback")
    assert err.endswith("\nerror: KeyError: 'x'\n")


@pytest.mark.parametrize("error", [UserError("data: gone"), RuntimeError("from Beam"), SystemError()])
def test_what_a_library_makes_of_an_interrupt_is_an_interrupt(
    error: Exception, capfd: pytest.CaptureFixture[str]
) -> None:
    def run() -> int:
        try:
            signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt:
            raise error from None
        return 0

    assert _give(run, capfd, interrupted="interrupted: go on") == (130, "interrupted: go on\n")
    assert _give(run, capfd, interrupted="") == (0, "")
    assert _give(lambda: 0 if not command.is_interrupted() else 1, capfd) == (0, "")


def test_help_tells_each_exit_code_once(capfd: pytest.CaptureFixture[str]) -> None:
    for module in COMMANDS.values():
        one: command.Command = importlib.import_module(f"pipeline.{module}").COMMAND
        with pytest.raises(SystemExit) as ended:
            one.main(["--help"])
        assert ended.value.code == 0
        told = " ".join(capfd.readouterr().out.partition("Exit codes: ")[2].split())
        codes = re.findall(r"(?:^|; )(\d+) \w", told)
        assert len(codes) == len(set(codes))
        assert {"0", "1", "2"} <= set(codes)
        assert ("130" in codes) == bool(one.interrupted)


def _run(*arguments: str, **options: Any) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *arguments], cwd=REPOSITORY, text=True, check=False, **{"capture_output": True, **options}
    )


def test_the_one_command_lists_the_others_and_imports_none() -> None:
    loaded = "import sys, runpy; sys.argv = ['pipeline', '--help']\n"
    loaded += "try: runpy.run_module('pipeline', run_name='__main__', alter_sys=False)\n"
    loaded += "finally: print([m for m in ('tensorflow', 'numpy', 'yaml', 'pydantic') if m in sys.modules])"
    done = _run("-c", loaded)
    lines = [line.split() for line in done.stdout.partition("\ncommands:\n")[2].partition("\n\n")[0].splitlines()]
    assert [words[0] for words in lines] == list(COMMANDS)
    assert all(len(words) > 4 for words in lines)
    assert done.stdout.endswith("\n[]\n")


def test_the_one_command_tells_its_version_and_what_it_does_not_know() -> None:
    done = _run("-m", "pipeline", "--version")
    assert (done.returncode, done.stdout) == (0, f"image-classification-pipeline {__version__}\n")
    done = _run("-m", "pipeline", "train")
    assert (done.returncode, done.stdout) == (2, "")
    assert "error: argument COMMAND: invalid choice: 'train' (choose from 'run'" in done.stderr.replace(
        "choose from run", "choose from 'run'"
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_the_same_by_both_ways(name: str) -> None:
    module = COMMANDS[name].removesuffix(".__main__")
    (one, other) = _run("-m", "pipeline", name, "--help"), _run("-m", f"pipeline.{module}", "--help")
    assert one.returncode == other.returncode == 0
    assert one.stdout.startswith(f"usage: python -m pipeline {name} ")
    # The usage is broken into lines by the length of the name.
    assert one.stdout.partition("\n\n")[2] == other.stdout.partition("\n\n")[2]


# Each ends, by itself, before TensorFlow is loaded.
_QUICK = {
    "run": (["--data", "/no/such"], 2),
    "predict": (["-"], 2),
    "compare": (["--backbone=VGG16"], 2),
    "report": (["--output", "/no/such"], 2),
    "tune": (["--trials", "-1"], 2),
    "view": (["--output", "/no/such"], 2),
    "export-again": (["/no/such"], 2),
    "kubeflow": (["submit", "/no/such", "--host=x"], 2),
    "deploy": (["kserve", "--storage=/no/such"], 2),
    "backbones": ([], 0),
    "doctor": (["--help"], 0),
    "node": (["--help"], 0),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_closed_streams_end_no_command(name: str, tmp_path: Path) -> None:
    arguments, code = _QUICK[name]
    arguments = [*arguments, "--output", str(tmp_path / "output")] if name == "run" else arguments
    program = [sys.executable, "-m", "pipeline", name, *arguments]
    errors = tmp_path / "errors"
    for closed in (f"<&- >&- 2> {errors}", "<&- >&- 2>&-"):
        done = subprocess.run(["sh", "-c", f'exec "$@" {closed}', "sh", *program], cwd=REPOSITORY, check=False)
        assert done.returncode == code, errors.read_text()
    assert errors.read_text().count("\n") == (1 if code else 0), errors.read_text()


def _without_reader(*arguments: str) -> Given:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = _run(*arguments, capture_output=False, stdout=writer, stderr=subprocess.PIPE)
    finally:
        os.close(writer)
    return done.returncode, done.stderr


def test_a_reader_that_has_seen_enough_ends_nothing(tmp_path: Path) -> None:
    assert _without_reader("-m", "pipeline", "--help") == (0, "")
    assert _without_reader("-m", "pipeline.report", "--help") == (0, "")
    program = (
        "from pipeline import doctor; doctor._MODULES = ('json',); doctor._gpus = lambda _: 'none';"
        "doctor.COMMAND.end_process([])"
    )
    assert _without_reader("-c", program) == (0, "")


def test_a_command_looks_for_garbage_rarely_and_not_as_it_ends() -> None:
    program = """
import atexit, gc
from pipeline import command
gc.callbacks.append(lambda *_: print("looked"))
atexit.register(lambda: print("put aside", gc.get_freeze_count() > 50_000))
kept = []
run = lambda _: kept.extend([] for _ in range(60_000)) or 0
command.Command("program", "Does it.", lambda _: None, run, {0: "done"}).end_process([])
"""
    assert _run("-c", program).stdout.splitlines()[0] == "put aside True"


_INTERRUPTED = {
    "doctor": "from pipeline import doctor as one; one._MODULES = ('sleeper',); arguments = []",
    "kubeflow": """
from pipeline.kubeflow import __main__ as one
import pipeline.kubeflow as package, sleeper_late, sys
sys.modules['pipeline.kubeflow.compiler'] = sleeper_late
arguments = ['compile', '--image=x', '--pipeline-root=/x', '--pvc=c:/x', '--metadata=sqlite:///x/m.db']
""",
}


@pytest.mark.parametrize("name", _INTERRUPTED)
def test_ctrl_c_is_a_line_and_code_130(name: str, tmp_path: Path) -> None:
    sleep = f"import time, pathlib; pathlib.Path({str(tmp_path / 'asleep')!r}).touch(); time.sleep(60)"
    (tmp_path / "sleeper.py").write_text(sleep)
    (tmp_path / "sleeper_late.py").write_text(f"def compile_pipeline(*_):\n    {sleep}")
    with inherited(signal.SIGINT):
        process = subprocess.Popen(
            [sys.executable, "-c", f"{_INTERRUPTED[name]}\none.COMMAND.end_process(arguments)"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": f"{REPOSITORY}:{tmp_path}"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
    while not (tmp_path / "asleep").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "interrupted\n")
