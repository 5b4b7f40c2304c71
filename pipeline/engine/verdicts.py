"""What an attempt at a step found wrong with the settings or the data, for the attempts after it.

Kubeflow tries a failed step again whatever its exit code was. An attempt that would only find the same again after the
same work ends at once instead.
"""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from common.errors import TransientError, UserError

RETRIES = 2
_FILE = ".verdict"
_ATTEMPT = "KFP_RETRY_INDEX"  # from KFP 2.16.1 on


def recall(folder: Path, run_id: str) -> None:
    """Tells once more what an earlier attempt found.

    A person may try a failed run again, under the same id, after putting the data right. That begins with a first
    attempt, which some backends number; with others, it is the first after as many as there are in a row.

    Args:
      folder: the step's own.
      run_id: the run that the attempt belongs to.

    Raises:
      UserError: with the earlier attempt's message.
    """
    file = folder / _FILE
    try:
        verdict = json.loads(file.read_text())
    except (OSError, ValueError):  # there is none, or a full disk has cut it short
        return
    if verdict["run_id"] != run_id:
        return
    if not verdict["retries"] or os.environ.get(_ATTEMPT) == "0":
        file.unlink()
        return
    file.write_text(json.dumps({**verdict, "retries": verdict["retries"] - 1}))
    raise UserError(verdict["message"])


@contextlib.contextmanager
def kept(folder: Path, run_id: str) -> Iterator[None]:
    """Keeps what the block finds wrong, unless it may be right the next time; the arguments are those of `recall`."""
    try:
        yield
    except TransientError:
        raise
    except UserError as error:
        with contextlib.suppress(OSError):  # the message matters more
            folder.mkdir(parents=True, exist_ok=True)
            (folder / _FILE).write_text(json.dumps({"run_id": run_id, "retries": RETRIES, "message": str(error)}))
        raise
