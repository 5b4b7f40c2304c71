"""Results of benchmarks: shown as tables, compared with those kept before, and kept as JSON and as a plot.

A result's file holds:
  benchmark: its name.
  date: when it was written, in UTC.
  machine: `processor`; `cores`, those that the process may use; `instructions`, those of _INSTRUCTIONS that it has;
    `memory_bytes`; versions of `python`, `tensorflow` and `keras`; `commit`, with a plus sign where files were changed.
  settings: the benchmark's own options.
  rows: what was measured, a name in `row` and the measures beside it: numbers, [low, high] for an interval, text or
    null.
  targets: `what` shall be `at_most` or `at_least` the `limit`, its `value`, and whether it is `met`; null for both
    where it was not measured.

Measures named alike mean the same in all benchmarks: `seconds`, `cpu_seconds`, `others` and `peak_bytes` are those of
`measuring`.
"""

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from common import processor

KEPT = Path(__file__).parent / "results"
AT_LEAST, AT_MOST = "at_least", "at_most"

Row = dict[str, Any]

_INSTRUCTIONS = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
_PANELS_A_LINE = 3
_QUIET = 0.1  # processors; daemons alone take less
_HARDWARE = ("processor", "cores", "instructions", "memory_bytes")


class Target(NamedTuple):
    """What was wanted, and what came of it.

    Attributes:
      what: is measured.
      bound: AT_LEAST or AT_MOST.
      limit: the bound's.
      value: what was measured; None where it was not.
    """

    what: str
    bound: str
    limit: float
    value: float | None

    @property
    def met(self) -> bool | None:
        """Whether the value keeps the bound; None where it was not measured."""
        if self.value is None:
            return None
        return self.value >= self.limit if self.bound == AT_LEAST else self.value <= self.limit


class Result(NamedTuple):
    """What a benchmark found; the fields are the keys of its file."""

    benchmark: str
    settings: Mapping[str, Any]
    rows: Sequence[Row]
    targets: Sequence[Target]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares where the result goes and what it is compared with; `finish` reads both."""
    kept = "benchmarks/results/<name>.json"
    parser.add_argument("--output", type=Path, help=f"JSON of the result, a plot beside it; default: {kept}")
    parser.add_argument("--compare", type=Path, help=f"an earlier result; default: {kept}")


def finish(result: Result, options: argparse.Namespace) -> None:
    """Prints a result beside an earlier one, then writes it.

    Args:
      result: of the benchmark.
      options: of its command line.
    """
    kept = KEPT / f"{result.benchmark}.json"
    earlier, output = options.compare or kept, options.output or kept
    written = as_json(result)
    print("\n".join(show(written)))
    if earlier.exists():
        print("\n".join(compare(written, json.loads(earlier.read_text()))))
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(written, indent=1) + "\n")
    plot(written, output.with_suffix(".svg"))
    print(f"\nwritten: {output}, {output.with_suffix('.svg')}")


def clock(others: Iterable[float]) -> tuple[str, str]:
    """The measure of time that targets go by, and its name in words.

    Args:
      others: processors that other work kept busy meanwhile; where it was any, wall time is that work's too.
    """
    if max(others, default=0) > _QUIET:
        return "cpu_seconds", "processor time, as the machine was shared"
    return "seconds", "wall time"


def as_json(result: Result) -> dict[str, Any]:
    """What a result's file holds."""
    return {
        "benchmark": result.benchmark,
        "date": f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M}",
        "machine": machine(),
        "settings": dict(result.settings),
        "rows": [{name: _rounded(value) for name, value in row.items()} for row in result.rows],
        "targets": [
            {"what": target.what, target.bound: target.limit, "value": _rounded(target.value), "met": target.met}
            for target in result.targets
        ],
    }


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    lines = (line.partition(":") for line in Path("/proc/cpuinfo").read_text().splitlines())
    cpu = {name.strip(): value.strip() for name, _, value in lines}
    return {
        "processor": cpu.get("model name", platform.machine()),
        "cores": len(os.sched_getaffinity(0)),
        "instructions": [name for name in _INSTRUCTIONS if name in processor.instructions()],
        "memory_bytes": psutil.virtual_memory().total,
        "python": platform.python_version(),
        "tensorflow": importlib.metadata.version("tensorflow"),
        "keras": importlib.metadata.version("keras"),
        "commit": commit(),
    }


def show(written: Mapping[str, Any]) -> Iterator[str]:
    """The lines of a result as Markdown; `written` is as `as_json` has it."""
    about = written["machine"]
    yield (
        f"\n{written['benchmark']}, {written['date']}: {about['processor']}, {about['cores']} cores "
        f"({', '.join(about['instructions'])}), TensorFlow {about['tensorflow']}, commit {about['commit']}\n"
    )
    measures = list(dict.fromkeys(name for row in written["rows"] for name in row))
    yield from _table(measures, [[row.get(name) for name in measures] for row in written["rows"]])
    if written["targets"]:
        yield ""
        words = {None: "not measured", True: "met", False: "MISSED"}
        rows = [
            [target["what"], target["value"], f"{bound.replace('_', ' ')} {_text(target[bound])}", words[target["met"]]]
            for target in written["targets"]
            for bound in (AT_LEAST, AT_MOST)
            if bound in target
        ]
        yield from _table(["target", "value", "wanted", ""], rows)


def compare(written: Mapping[str, Any], earlier: Mapping[str, Any]) -> Iterator[str]:
    """The lines of a table of each number that two results share, and of the ratio of the first to the second."""
    others = {name: earlier["machine"].get(name) for name in _HARDWARE}
    yield f"\nAgainst the result of {earlier['date']}, commit {earlier['machine']['commit']}:"
    if others != {name: written["machine"][name] for name in _HARDWARE}:
        yield f"that was ANOTHER MACHINE: {', '.join(f'{name} {value}' for name, value in others.items())}"
    if earlier["settings"] != written["settings"]:
        yield f"with OTHER SETTINGS: {earlier['settings']}"
    yield ""
    before = {row["row"]: row for row in earlier["rows"]}
    rows = [
        [row["row"], name, old, new, new / old]
        for row in written["rows"]
        for name, new in row.items()
        if _is_number(new) and _is_number(old := before.get(row["row"], {}).get(name)) and old
    ]
    yield from _table(["row", "measure", "then", "now", "now / then"], rows)


def plot(written: Mapping[str, Any], path: Path) -> None:
    """Draws a panel for each measure, with a bar for each row, where two or more have it; as SVG."""
    import matplotlib
    from matplotlib.figure import Figure

    values: dict[str, dict[str, float]] = {}
    for row in written["rows"]:
        for measure, value in row.items():
            if _is_number(value) and not measure.startswith("others"):
                values.setdefault(measure, {})[row["row"]] = value
    measures = [measure for measure, by_row in values.items() if len(by_row) > 1]
    lines = [measures[start : start + _PANELS_A_LINE] for start in range(0, len(measures), _PANELS_A_LINE)]
    heights = [0.7 + 0.2 * max(len(values[measure]) for measure in line) for line in lines]
    figure = Figure(figsize=(4 * _PANELS_A_LINE, 0.5 + sum(heights)), layout="constrained")
    about = written["machine"]
    figure.suptitle(f"{written['benchmark']}: {about['processor']}, {about['cores']} cores", fontsize=9)
    grid = figure.add_gridspec(len(lines), _PANELS_A_LINE, height_ratios=heights)
    for number, measure in enumerate(measures):
        panel = figure.add_subplot(grid[divmod(number, _PANELS_A_LINE)])
        panel.barh(list(values[measure]), list(values[measure].values()), height=0.7, color="#4269d0")
        panel.invert_yaxis()
        panel.set_title(measure, fontsize=8)
        panel.tick_params(labelsize=7)
        panel.spines[["top", "right"]].set_visible(False)
    # Text stays text, and the same numbers give the same file.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": written["benchmark"]}):
        figure.savefig(path, metadata={"Date": None})


def commit() -> str:
    """The version of the code, with a plus sign where files were changed."""
    arguments = ["git", "describe", "--always", "--dirty=+", "--exclude=*"]
    try:
        found = subprocess.run(arguments, cwd=KEPT.parent, capture_output=True, text=True, check=False).stdout.strip()
    except FileNotFoundError:  # an image has no git
        found = ""
    return found or "unknown"


def _table(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Iterator[str]:
    yield f"| {' | '.join(names)} |"
    yield f"|{' --- |' * len(names)}"
    for row in rows:
        yield f"| {' | '.join(map(_text, row))} |"


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    return (
        f"{value:,.4g}"
        if isinstance(value, float) and abs(value) < 1000
        else f"{value:,.0f}"
        if _is_number(value)
        else str(value)
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _rounded(value: Any) -> Any:
    """Five digits, which is more than any time holds."""
    if isinstance(value, list | tuple):
        return [_rounded(one) for one in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value
