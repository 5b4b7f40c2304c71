"""Runs the command again and again, each time in a process of its own that finds TensorFlow imported already.

Each line of standard input is a JSON object, which is answered by one line:

    {"shell": "..."}  runs a shell command; the answer is {"code": ..., "output": ...}
    {"arguments": [...], "at": "...", "then": "...", "pipe": "..."}  runs the command; the answer is
                      {"code": ..., "out": ..., "err": ...}

`at` is a moment of the run at which the shell command `then` is run once, as a child of the run: "start STEP",
"end STEP", or the unit of a progress, such as "pictures", when the first of them is done. `pipe` is a shell command
that reads what the run prints.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from pipeline import local_run
from pipeline.screen import Screen

_SECONDS = 180


def _arm(moment: str, then: str) -> None:
    running, step, advance = Screen.running, Screen.step, Screen.advance
    left = [moment]

    def reach(now: str) -> None:
        if now in left:
            left.remove(now)
            subprocess.run(then, shell=True, check=True)

    def on_running(self: Screen, name: str) -> Any:
        reach(f"start {name}")
        return running(self, name)

    def on_step(self: Screen, name: str, state: str, seconds: float) -> None:
        step(self, name, state, seconds)
        reach(f"end {name}")

    def on_advance(self: Screen, done: int, total: int, unit: str) -> None:
        if done:
            reach(unit)
        advance(self, done, total, unit)

    Screen.running, Screen.step, Screen.advance = on_running, on_step, on_advance  # type: ignore[method-assign]


def _run(request: dict[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        reader = subprocess.Popen(request["pipe"], shell=True, stdin=subprocess.PIPE, stdout=out)
        assert reader.stdin
        process = os.fork()
        if not process:
            os.dup2(reader.stdin.fileno(), 1)
            os.dup2(err.fileno(), 2)
            reader.stdin.close()
            _arm(request["at"], request["then"])
            sys.exit(local_run.main(request["arguments"]))
        reader.stdin.close()
        code = _wait(process)
        reader.wait()
        return {"code": code, "out": _text(out), "err": _text(err)}


def _wait(process: int) -> int | None:
    """The exit code; None for a run that hangs."""
    for _ in range(10 * _SECONDS):
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.1)
    os.kill(process, 9)
    os.waitpid(process, 0)
    return None


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


def _shell(command: str) -> dict[str, Any]:
    done = subprocess.run(command, shell=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return {"code": done.returncode, "output": done.stdout}


if __name__ == "__main__":
    # What a run imports; nothing of it starts threads that a fork would lose.
    import pipeline.dag
    import pipeline.engine.leftovers
    import pipeline.engine.runner
    import pipeline.summary  # noqa: F401

    for line in sys.stdin:
        request = json.loads(line)
        answer = _shell(request["shell"]) if "shell" in request else _run(request)
        print(json.dumps(answer), flush=True)
