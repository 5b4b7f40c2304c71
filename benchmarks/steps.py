"""Every step but the backbone's passes, at growing numbers of pictures; and what one waits for every day.

    python -m benchmarks.steps [--pictures N ...] [--work DIR]

Made-up pictures pass through a VGG16 with random weights at 32x32, a fiftieth of its work at 224x224, without stage 2,
so that what is left of the time is that of everything else. For each number of pictures, a row a step: wall seconds and
processor seconds for a thousand pictures, start-up included (that of the first step also holds the command's imports),
and those of a thousand more, between the smallest and the largest number. The row "the command" is the whole process,
with its peak memory, and "all but FeatureExtractor" is compared with the time that VGG16 would take for the same
pictures at 224x224, which is measured beside it.

With the largest number, a run that is all from the cache, one with another penalty of the head, `--help`, and a mistake
in the configuration follow. The gate's pass over the test split is at 32x32 here; the row "the gate's pass at 224x224"
says what it takes at full size by the pace of the bare classifier.
"""

import argparse
import itertools
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import made_up, measuring, pipeline_runs, results
from benchmarks.results import AT_MOST, Result, Row, Target
from pipeline.command import BAD_INPUT, DONE

_SETTINGS = {
    "backbone.weights": "random",
    "backbone.image_size": 32,
    "trainer.fine_tune": False,
    **pipeline_runs.OPEN_GATE,
}
_OTHER_HEAD = {"trainer.penalty": 0.5}
_TIMES = ("seconds", "cpu_seconds")
_COMMAND, _OTHERS, _PREFIX = "the command", "all but FeatureExtractor", "VGG16 at 224x224, a pass"
_CACHED, _HEAD, _HELP, _MISTAKE = "again, from the cache", "another head", "--help", "a mistake in the configuration"
_GATE = "the gate's pass at 224x224"
_MOST_SECONDS = {_CACHED: 20, _HEAD: 120, _HELP: 1, _MISTAKE: 1}
_TESTED = 0.15  # of the pictures

Found = dict[str, Any]


def main() -> None:
    """Measures, prints the table, and writes the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, nargs="+", default=[1_000, 4_000, 10_000], help="default: %(default)s")
    parser.add_argument("--work", type=Path, default=Path("output", "steps"), help="default output/steps")
    results.add_arguments(parser)
    options = parser.parse_args()
    work, sizes = options.work.resolve(), sorted(options.pictures)
    runs = {size: _run(size, work) for size in sizes}
    daily = _daily(sizes[-1], work)
    paces = _paces()
    rows = [*_step_rows(runs, paces), *_daily_rows(daily, paces, sizes[-1])]
    results.finish(Result("steps", {"pictures": sizes}, rows, list(_targets(runs, daily, paces))), options)


def _run(size: int, work: Path) -> Found:
    """A complete run: each step's times by name, and the command's."""
    output = work / f"output_{size}"
    shutil.rmtree(output, ignore_errors=True)
    run = pipeline_runs.run(made_up.write(work / f"pictures_{size}", size), output, _SETTINGS)
    steps = {name: {"seconds": run.seconds[name], "cpu_seconds": run.cpu_seconds[name]} for name in run.seconds}
    rest = {time: sum(step[time] for name, step in steps.items() if name != "FeatureExtractor") for time in _TIMES}
    return {**steps, _OTHERS: rest, _COMMAND: _usage(run.command)}


def _daily(size: int, work: Path) -> Found:
    """What follows a run, in the folder of a complete one; of what takes a second, the fastest of three."""
    data, output = work / f"pictures_{size}", work / f"output_{size}"
    found: Found = {
        _CACHED: _usage(pipeline_runs.run(data, output, _SETTINGS).command),
        _HEAD: _usage(pipeline_runs.run(data, output, {**_SETTINGS, **_OTHER_HEAD}).command),
    }
    for name, arguments, code in (
        (_HELP, ["--help"], DONE),
        (_MISTAKE, ["--data", str(data), "--set", "trainer.dropout=2"], BAD_INPUT),
    ):
        log = work / "daily.log"
        commands = [measuring.command([sys.executable, "-m", "pipeline.local_run", *arguments], log) for _ in range(3)]
        assert all(command.exit_code == code for command in commands)
        found[name] = min((_usage(command) for command in commands), key=lambda usage: usage["seconds"])
    return found


def _usage(command: measuring.Command) -> dict[str, float]:
    return {**command.usage._asdict(), "peak_bytes": command.peak_bytes}


def _paces() -> Found:
    """What a picture's bare pass takes at 224x224: in extraction's engine, and in the gate's precision."""
    from benchmarks import bare
    from modeling import engines

    extraction = engines.resolve("auto", "auto", bare.BACKBONE)
    return {_PREFIX: bare.engine_pace(extraction)._asdict(), _GATE: bare.pace("float32")._asdict()}


def _step_rows(runs: dict[int, Found], paces: Found) -> Iterator[Row]:
    """A row a step, with columns for each number of pictures."""
    sizes = list(runs)
    for step in runs[sizes[0]]:
        row: Row = {"row": step}
        for size in sizes:
            for time in _TIMES:
                row[f"{time}_per_thousand_at_{size}"] = runs[size][step][time] / size * 1000
        if len(sizes) > 1:
            row |= {
                f"{time}_per_thousand_more": 1000 * _slope(runs, step, time, sizes[0], sizes[-1]) for time in _TIMES
            }
        if step == _COMMAND:
            row |= {f"peak_bytes_at_{size}": runs[size][step]["peak_bytes"] for size in sizes}
            row |= {f"others_at_{size}": runs[size][step]["others"] for size in sizes}
        yield row
    yield {
        "row": _PREFIX,
        **{f"{time}_per_thousand_at_{size}": paces[_PREFIX][time] * 1000 for size in sizes for time in _TIMES},
    }


def _daily_rows(daily: Found, paces: Found, size: int) -> Iterator[Row]:
    for name, usage in daily.items():
        yield {"row": name, **usage}
    yield {"row": _GATE, **{time: paces[_GATE][time] * size * _TESTED for time in _TIMES}}


def _targets(runs: dict[int, Found], daily: Found, paces: Found) -> Iterator[Target]:
    usages = [*(run[_COMMAND] for run in runs.values()), *daily.values(), *paces.values()]
    time, by = results.clock(usage["others"] for usage in usages)
    for size, run in runs.items():
        share = run[_OTHERS][time] / (paces[_PREFIX][time] * size)
        yield Target(f"{_OTHERS} over {_PREFIX}, {size:,} pictures, by {by}", AT_MOST, 0.25, share)
    least, most = min(runs), max(runs)
    first, last = runs[least][_COMMAND], runs[most][_COMMAND]
    yield Target(f"peak memory at {most:,}, bytes", AT_MOST, 4 * 2**30, last["peak_bytes"])
    if most > least:
        compared = f"at {most:,} over that at {least:,}"
        yield Target(f"peak memory {compared}", AT_MOST, 1.2, last["peak_bytes"] / first["peak_bytes"])
        yield Target(f"time a picture {compared}, by {by}", AT_MOST, 1.1, last[time] / most / (first[time] / least))
    if len(runs) > 2:
        what = f"time of each further picture up to {most:,} over that of those before, by {by}"
        yield Target(what, AT_MOST, 1.1, _growth(runs, time))
    for name, seconds in _MOST_SECONDS.items():
        yield Target(f"{name}: seconds by {by}", AT_MOST, seconds, daily[name][time])
    cores = results.machine()["cores"] if time == "cpu_seconds" else 1  # the pass keeps them all busy
    at_full_size = daily[_HEAD][time] + paces[_GATE][time] * most * _TESTED / cores
    yield Target(f"{_HEAD} and {_GATE}: seconds by {by}", AT_MOST, _MOST_SECONDS[_HEAD], at_full_size)


def _growth(runs: dict[int, Found], time: str) -> float:
    """The time of a picture between the two largest numbers, over that between the two smallest: without start-up."""
    slopes = [_slope(runs, _COMMAND, time, *pair) for pair in itertools.pairwise(sorted(runs))]
    return slopes[-1] / slopes[0]


def _slope(runs: dict[int, Found], step: str, time: str, least: int, most: int) -> float:
    return (runs[most][step][time] - runs[least][step][time]) / (most - least)


if __name__ == "__main__":
    main()
