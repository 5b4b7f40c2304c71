"""Kills runs with SIGKILL at random moments and compares what they come to with an undisturbed run.

    python -m benchmarks.kills [--kills 20] [--seed 0]

Uses the sample pictures at 64x64 and random weights. Each run starts where the last was killed. One that ends before
its time is up finishes the round: it is compared, and the next begins in a new folder.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

_SETTINGS = {
    "backbone.weights": "random",
    "backbone.image_size": "64",
    "features.augmentation_views": "2",
    "trainer.fine_tune_epochs": "3",
    "gate.min_accuracy": "0",
}


def main() -> int:
    """Returns 0 if each round came to what the undisturbed run did."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        reference = Path(folder, "undisturbed")
        began = time.monotonic()
        assert _run(reference) is not None
        seconds = time.monotonic() - began
        expected = _outcome(reference)
        print(f"undisturbed: {seconds:.0f} s")
        kills, rounds, different = 0, 0, 0
        while kills < options.kills:
            output = Path(folder, f"round_{rounds}")
            while _run(output, chance.uniform(0.1, 1) * seconds) is None:
                kills += 1
                print(f"kill {kills}", flush=True)
            rounds += 1
            different += _outcome(output) != expected
        print(f"{kills} kills in {rounds} rounds; {different} rounds came to something else than the undisturbed run")
    return int(different > 0)


def _run(output: Path, seconds: float | None = None) -> int | None:
    """The exit code; None if the run was killed after so many seconds."""
    settings = [text for key, value in _SETTINGS.items() for text in ("--set", f"{key}={value}")]
    command = [sys.executable, "-m", "pipeline.local_run", "--output", str(output), *settings]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        _, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return None
    if process.returncode:
        raise RuntimeError(f"exit code {process.returncode}: {errors}")
    return process.returncode


def _outcome(output: Path) -> dict[str, Any]:
    summary = json.loads((output / "run_summary.json").read_text())
    assert len(list((output / "serving").iterdir())) >= 1
    # Evaluation adds up in float32, in batches whose sizes Beam chooses by the clock: its last digit may differ.
    metrics = {
        split: {name: round(value, 6) for name, value in values.items()} for split, values in summary["metrics"].items()
    }
    return {"metrics": metrics, **{key: summary[key] for key in ("files", "classes", "blessed")}}


if __name__ == "__main__":
    sys.exit(main())
