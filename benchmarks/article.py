"""The pipeline against the article's way, a plain Keras script; whole processes, from a cold start to the accuracy.

    python -m benchmarks.article --data FOLDER [--pictures N] [--seeds K] [--no-stage-2] [--work DIR]

Both get the same pictures in the same splits. A seed decides which training pictures become the eval split, and what is
random in training; it stands for one run of each way. The pipeline runs by configs/cats_and_dogs.yaml, which is the
article's recipe and the script's, its five augmented views included, and by its defaults, which augment nothing.

The script's one run with stage 2 also gives the time of stage 1 with its test, without the other parts. A row is the
mean over the seeds. `speedup` is the script's wall time over the row's for the same stages, `cpu_speedup` the same of
processor time; `accuracy` is on the test split, `accuracy_interval` its 95% interval by Student's t, `gain` its mean
difference from the script's in pairs.

Each run is kept in the work folder as it ends, and the same command goes on from those that are there; `commits` names
the versions that they are of. For 800 pictures, the script takes 13 minutes of processor time a seed.
"""

import argparse
import functools
import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from benchmarks import measuring, pipeline_runs, results
from benchmarks.results import AT_LEAST, Result, Row, Target
from common.errors import UserError
from common.examples import EVAL, TEST, TRAIN
from components.image_example_gen import layout
from imaging import normalising

STAGE_1, BOTH = "stage 1", "stages 1 and 2"
PLAIN = "plain Keras script"
# The pipeline's ways, and their recipes.
_RECIPES = {"pipeline, the article's recipe": "configs/cats_and_dogs.yaml", "pipeline, its defaults": None}
_MAX_PIXELS = 50_000_000
_EVAL, _TEST = 0.15, 0.2
_LARGE = 5_000  # pictures from which on more is wanted
_MEASURES = ("seconds", "cpu_seconds", "others", "peak_bytes", "accuracy")

# What one run came to: the measures above and the commit, by stages.
_Runs = dict[str, dict[str, Any]]


class Picture(NamedTuple):
    """A picture that both ways can read as it is: its file, SHA-256, class and split, train or test."""

    path: Path
    sha256: str
    class_name: str
    split: str


def main() -> None:
    """Runs what is missing, prints the table, and writes the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of class folders, or of splits of these")
    parser.add_argument("--pictures", type=int, help="how many to use; default: all")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each way; default 3")
    parser.add_argument("--stage-2", action=argparse.BooleanOptionalAction, default=True, help="default: with stage 2")
    parser.add_argument("--work", type=Path, default=Path("output", "article"), help="default output/article")
    results.add_arguments(parser)
    options = parser.parse_args()
    try:
        pictures = choose(read(options.data), options.pictures)
    except UserError as error:
        parser.error(str(error))
    identity = hashlib.sha256("".join(picture.sha256 for picture in pictures).encode()).hexdigest()[:8]
    work = options.work.resolve() / f"{len(pictures)}-{identity}"
    stages = [STAGE_1, BOTH] if options.stage_2 else [STAGE_1]
    runs = [_run_all(pictures, seed, stages, work) for seed in range(options.seeds)]
    settings = {"pictures": len(pictures), "seeds": options.seeds}
    rows = list(_rows(runs, stages))
    result = Result(f"article_{len(pictures)}", settings, rows, list(_targets(rows, len(pictures))))
    results.finish(result, options)


def read(data: Path) -> list[Picture]:
    """The usable pictures of a data folder, each content once, in the order of their hashes.

    Where there is no test folder, a fifth becomes the test split. An eval folder's pictures count to train.
    """
    found = layout.find(str(data))
    files = sorted((file for file in found.files if not file.problem), key=lambda file: file.split != TEST)
    pictures: dict[str, Picture] = {}
    for file in files:
        path = Path(found.root, file.path)
        content = path.read_bytes()
        sha256 = hashlib.sha256(content).hexdigest()
        try:
            is_plain = normalising.examine(content, _MAX_PIXELS).as_stored
        except normalising.Refused:
            continue
        is_test = file.split == TEST if TEST in found.splits else _share(sha256, "test") < _TEST
        if is_plain:
            pictures.setdefault(sha256, Picture(path, sha256, file.class_name, TEST if is_test else TRAIN))
    return [pictures[sha256] for sha256 in sorted(pictures)]


def choose(pictures: list[Picture], most: int | None) -> list[Picture]:
    """So many of them, in the order given, with the same share of test pictures as all have."""
    if most is None or most >= len(pictures):
        return pictures
    by_split = {split: [picture for picture in pictures if picture.split == split] for split in (TRAIN, TEST)}
    tested = round(most * len(by_split[TEST]) / len(pictures))
    return by_split[TRAIN][: most - tested] + by_split[TEST][:tested]


def write_splits(pictures: list[Picture], seed: int, folder: Path) -> Path:
    """Copies the pictures to folder/<split>/<class>/; the seed decides which of train's become eval's."""
    for picture in pictures:
        is_eval = picture.split == TRAIN and _share(picture.sha256, str(seed)) < _EVAL
        target = folder / (EVAL if is_eval else picture.split) / picture.class_name
        target.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(picture.path, target / f"{picture.sha256[:16]}{picture.path.suffix.lower()}")
    return folder


def _share(sha256: str, purpose: str) -> float:
    """A number from 0 to 1 that content and purpose decide."""
    return int(hashlib.sha256(f"{purpose} {sha256}".encode()).hexdigest()[:8], 16) / 0x1_0000_0000


def _run_all(pictures: list[Picture], seed: int, stages: list[str], work: Path) -> dict[str, _Runs]:
    """One run of each way, or what is kept of it."""
    folder = work / f"seed_{seed}"
    data = folder / "data"
    if not data.exists():
        write_splits(pictures, seed, folder / "unfinished").rename(data)
    found = {
        PLAIN: _kept(folder / f"plain_{len(stages)}.json", functools.partial(_run_plain, data, seed, stages, work))
    }
    for way, recipe in _RECIPES.items():
        found[way] = {}
        for stage in stages:
            name = f"{Path(recipe or 'default').stem}_{stages.index(stage) + 1}"
            measure = functools.partial(_run_pipeline, data, folder / name, seed, recipe, stage)
            found[way] |= _kept(folder / f"{name}.json", measure)
    return found


def _kept(path: Path, measure: Callable[[], _Runs]) -> _Runs:
    """What was measured, from its file if that was before."""
    if not path.exists():
        print(f"runs: {path.stem}, {path.parent.name}", flush=True)
        found = {stage: {**measures, "commit": results.commit()} for stage, measures in measure().items()}
        path.write_text(json.dumps(found, indent=1) + "\n")
    return json.loads(path.read_text())


def _run_plain(data: Path, seed: int, stages: list[str], work: Path) -> _Runs:
    arguments = [str(data), "--seed", str(seed), "--weights", str(_weights(work))]
    arguments += ["--stage-2"] if BOTH in stages else []
    log = work / "plain_keras.log"
    command = measuring.command([sys.executable, "-m", "benchmarks.plain_keras", *arguments], log)
    if command.exit_code:
        raise RuntimeError(f"benchmarks.plain_keras ended with exit code {command.exit_code}; see {log}")
    return plain_runs(command)


def plain_runs(command: measuring.Command) -> _Runs:
    """What one run of the script says of stage 1 alone, and of both stages if it went on to stage 2."""
    parts = {told["done"]: (line, told) for line in command.lines for told in [json.loads(line.text)]}
    (trained, _), (first, told) = parts["stage 1"], parts["test 1"]
    found = {STAGE_1: _measures(first.seconds, first.cpu_seconds, command, told["peak_bytes"], told["accuracy"])}
    if "test 2" in parts:
        seconds = command.usage.seconds - (first.seconds - trained.seconds)
        cpu_seconds = command.usage.cpu_seconds - (first.cpu_seconds - trained.cpu_seconds)
        accuracy = parts["test 2"][1]["accuracy"]
        found[BOTH] = _measures(seconds, cpu_seconds, command, command.peak_bytes, accuracy)
    return found


def _run_pipeline(data: Path, output: Path, seed: int, recipe: str | None, stage: str) -> _Runs:
    settings = {"seed": seed, "trainer.fine_tune": stage == BOTH, **pipeline_runs.OPEN_GATE}
    shutil.rmtree(output, ignore_errors=True)
    run = pipeline_runs.run(data, output, settings, recipe)
    shutil.rmtree(output)  # features of 10,000 pictures in five views are 10 GB
    usage, accuracy = run.command.usage, run.summary["metrics"][TEST]["accuracy"]
    measures = _measures(usage.seconds, usage.cpu_seconds, run.command, run.command.peak_bytes, accuracy)
    steps = {f"cpu_seconds of {step}": seconds for step, seconds in run.cpu_seconds.items()}
    return {stage: {**measures, **steps}}


def _measures(
    seconds: float, cpu_seconds: float, command: measuring.Command, peak_bytes: int, accuracy: float
) -> dict[str, float]:
    return dict(zip(_MEASURES, (seconds, cpu_seconds, command.usage.others, peak_bytes, accuracy), strict=True))


def _weights(work: Path) -> Path:
    """The ImageNet weights that the pipeline uses, as a file for Keras."""
    path = work / "imagenet.weights.h5"
    if not path.exists():
        from benchmarks.cached_features import build_backbone

        build_backbone().save_weights(path)
    return path


def _rows(runs: list[dict[str, _Runs]], stages: list[str]) -> Iterator[Row]:
    for stage in stages:
        plain = [run[PLAIN][stage] for run in runs]
        for way in (PLAIN, *_RECIPES):
            found = [run[way][stage] for run in runs]
            means: dict[str, Any] = {name: float(np.mean([one[name] for one in found])) for name in _MEASURES}
            accuracies = [one["accuracy"] for one in found]
            yield {
                "row": f"{way}, {stage}",
                **means,
                "accuracy_interval": _interval(accuracies),
                "gain": means["accuracy"] - float(np.mean([one["accuracy"] for one in plain])),
                "speedup": float(np.mean([one["seconds"] for one in plain])) / means["seconds"],
                "commits": ", ".join(sorted({one["commit"] for one in found})),
                "cpu_speedup": float(np.mean([one["cpu_seconds"] for one in plain])) / means["cpu_seconds"],
            }


def _interval(values: list[float]) -> list[float] | None:
    if len(values) < 2:
        return None
    margin = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return [float(np.mean(values) - margin), float(np.mean(values) + margin)]


def _targets(rows: list[Row], pictures: int) -> Iterator[Target]:
    has_bfloat16 = any("bf16" in name for name in results.machine()["instructions"])
    times = 10 if pictures >= _LARGE and has_bfloat16 else 8
    clock, by = results.clock(row["others"] for row in rows)
    measure = {"seconds": "speedup", "cpu_seconds": "cpu_speedup"}[clock]
    for row in rows:
        if not row["row"].startswith(PLAIN):
            yield Target(f"{row['row']}: times as fast by {by}", AT_LEAST, times, row[measure])
            yield Target(f"{row['row']}: gain of accuracy", AT_LEAST, 0, row["gain"])


if __name__ == "__main__":
    main()
