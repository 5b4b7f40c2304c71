"""Compares backbones on the same pictures: accuracy, time, size and latency on one page.

python -m pipeline compare --backbone VGG16 --backbone MobileNetV2 --data PICTURES
"""

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from common.errors import UserError
from modeling.backbone_names import BACKBONES
from pipeline import config as configuration
from pipeline import local_steps
from pipeline.command import BAD_INPUT, DONE, Command
from pipeline.comparison import FOLDER, NUMBERS, PAGE
from pipeline.config import Config
from pipeline.engine import faults
from pipeline.screen import Screen, duration

if TYPE_CHECKING:
    from pipeline.comparison.pairs import Pair
    from pipeline.comparison.results import Results


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--backbone", metavar="NAME", action="append", default=[], help="one to compare; to be given twice or more"
    )
    local_steps.add_arguments(parser)


def _start(options: argparse.Namespace) -> int:
    configs = _configs(options)
    output = Path(configs[0].output).resolve() / FOLDER
    with local_steps.open_output(configs[0], output, (PAGE, NUMBERS)) as data:
        screen = Screen()
        local_steps.show_data(data, configs[0].ingest, screen)
        for config in configs:
            local_steps.show_size(config.backbone, screen)
        with local_steps.logged(output, screen):
            results = _compare(configs, data.data, output, screen)
        _show(results, output, screen)
    return DONE


def _configs(options: argparse.Namespace) -> list[Config]:
    """The settings for each backbone, which differ in its name alone."""
    names = options.backbone
    if any(setting.partition("=")[0].strip() == "backbone.name" for setting in options.set):
        raise UserError("--set: got backbone.name, expected --backbone to name what is compared")
    if unknown := [name for name in names if name not in BACKBONES]:
        raise UserError(f"--backbone: got {unknown[0]!r}, expected one of {', '.join(BACKBONES)}")
    if twice := [name for name in BACKBONES if names.count(name) > 1]:
        raise UserError(f"--backbone: got {twice[0]} more than once, expected each backbone once")
    if len(names) < 2:
        raise UserError(f"--backbone: got {len(names)}, expected two or more, such as {_EXAMPLE}")
    configs = [
        configuration.load(options.config, [*options.set, f"backbone.name={name}"], options.data, options.output)
        for name in names
    ]
    backbone, fine_tune_at = configs[0].backbone, configs[0].trainer.fine_tune_at
    if backbone.weights not in ("imagenet", "random"):
        raise UserError(
            f"backbone.weights: got {backbone.weights!r}, which fits one backbone; expected imagenet or random"
        )
    if fine_tune_at is not None:
        raise UserError(
            f"trainer.fine_tune_at: got {fine_tune_at}, which is another layer in each backbone; "
            f"expected null, for the last stage of each, as by --set trainer.fine_tune_at=null"
        )
    return [config.model_copy(update={"infer": None}) for config in configs]


def _compare(configs: Sequence[Config], data: str, output: Path, screen: Screen) -> "Results":
    local_steps.load([config.backbone for config in configs], screen)
    from common import lineage
    from pipeline.comparison import comparison_page, results

    ran = {}
    for config in configs:
        screen.line(config.backbone.name)
        ran[config.backbone.name] = local_steps.run(config, data, output, screen)
        screen.line()
    local_steps.clear_unfinished(output)
    with screen.running("latency"):
        store = lineage.open_for_reading(output / faults.METADATA_FILE, output / "pipeline")
        found = results.collect(ran, configs[0], store)
    (output / PAGE).write_text(comparison_page.render(found))
    (output / NUMBERS).write_text(json.dumps(found.as_json(), indent=2, ensure_ascii=False) + "\n")
    return found


def _show(results: "Results", output: Path, screen: Screen) -> None:
    for row in _table(results):
        screen.line(row)
    screen.line()
    for pair in results.pairs:
        screen.line(_verdict(pair, len(results.pairs)))
    screen.line()
    screen.line(f"numbers    {output / NUMBERS}")
    screen.line(f"page       {output / PAGE}")


def _table(results: "Results") -> Iterable[str]:
    """A line for each backbone below one of titles."""
    rows = [
        ("", "accuracy", "95% interval", "loss", "gate", "features", "training", "size", "1 picture", "32 pictures")
    ]
    for one in results.backbones:
        latency = results.latencies[one.name]
        rows.append(
            (
                one.name,
                f"{one.accuracy.value:.4f}",
                f"{one.accuracy.low:.4f}-{one.accuracy.high:.4f}",
                f"{one.loss:.4f}",
                "passed" if one.passed else "FAILED",
                duration(one.seconds["features"]),
                duration(one.seconds["training"]),
                f"{one.bytes / 1e6:.1f} MB",
                f"{1000 * latency.one:.1f} ms",
                f"{1000 * latency.batch:.0f} ms",
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *cells in rows:
        yield "  ".join(
            [name.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))]
        )


def _verdict(pair: "Pair", pairs: int) -> str:
    gap = pair.difference
    p = f"{'corrected p' if pairs > 1 else 'p'} = {pair.holm:.3g}"
    verdict = f"{pair.better} is more accurate" if pair.better else "may be chance"
    return f"{pair.first} against {pair.second}: {gap.value:+.4f} ({gap.low:+.4f} to {gap.high:+.4f}), {p}: {verdict}"


_EXAMPLE = "--backbone VGG16 --backbone MobileNetV2"
COMMAND = Command(
    name="python -m pipeline.compare",
    doc=__doc__,
    add_arguments=_add_arguments,
    run=_start,
    codes={DONE: "compared", BAD_INPUT: "bad input or configuration"},
    interrupted="interrupted: the same command goes on where this one stopped",
    more_help=f"Everything is written to the folder '{FOLDER}' in the output folder, and nothing is published.",
)
main = COMMAND.main


if __name__ == "__main__":
    COMMAND.end_process()
