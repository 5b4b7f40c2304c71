"""The command, which kills its own process inside a chosen step.

Steps that tell their progress are killed in the midst of it, the others when their outputs are written and the metadata
store does not know it yet.
"""

import os
import signal
import sys
from typing import Any, NoReturn

from pipeline import local_run

# Where in its progress a step dies: what is counted, and how much of it is done.
_PROGRESS = {
    "ImageExampleGen": ("pictures stored", 0.5),
    "FeatureExtractor": ("pictures", 0.95),
    "Trainer": ("steps of stage 2", 0.75),
}


def _die(*_: Any) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


def _arm(step: str) -> None:
    from tfx.orchestration.portable import launcher

    from components.latest_blessed_model.strategy import LatestOtherBlessedModel
    from pipeline.screen import Screen

    if step in _PROGRESS:
        counted, part = _PROGRESS[step]

        def advance(_: Screen, done: int, total: int, unit: str) -> None:
            if unit == counted and done >= part * total:
                _die()

        Screen.advance = advance  # type: ignore[assignment, method-assign]
        return
    if step == "LatestBlessedModel":
        LatestOtherBlessedModel.resolve_artifacts = _die  # type: ignore[assignment, method-assign]
        return
    publish = launcher.Launcher._publish_successful_execution

    def publish_or_die(self: Any, *rest: Any) -> None:
        if self._pipeline_node.node_info.id == step:
            _die()
        publish(self, *rest)

    launcher.Launcher._publish_successful_execution = publish_or_die


def main(step: str, arguments: list[str]) -> NoReturn:
    """Runs the command up to the step."""
    _arm(step)
    sys.exit(local_run.main(arguments))
