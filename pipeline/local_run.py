"""Trains, evaluates and publishes a classifier of pictures on this machine."""

import argparse
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from common import escaping
from common.examples import LEAKAGE_FILE
from components import report
from components.bulk_inferrer import inputs
from components.image_example_gen import layout
from modeling import weights
from modeling.backbone_names import BACKBONES
from modeling.training_results import OFF, UNDONE, why_undone
from pipeline import config as configuration
from pipeline import local_steps
from pipeline.command import BAD_INPUT as BAD_INPUT  # by these names, this module's exit codes
from pipeline.command import DONE, Command
from pipeline.command import FAILED as FAILED
from pipeline.command import INTERRUPTED as INTERRUPTED
from pipeline.command import NOT_BLESSED as NOT_BLESSED
from pipeline.engine import faults
from pipeline.screen import Screen

if TYPE_CHECKING:
    from pipeline.summary import Inference, Summary

PUBLISHED = DONE

_WRITTEN = ("serving", "config.yaml", "run_summary.json", report.FILE_NAME)


def _start(options: argparse.Namespace) -> int:
    config = configuration.load(options.config, options.set, options.data, options.output)
    weights.check(config.backbone.weights)
    output = Path(config.output).resolve()
    with local_steps.open_output(config, output, _WRITTEN) as data:
        if config.infer is not None:
            infer = str(Path(config.infer).resolve())
            inputs.find(infer)
            config = config.model_copy(update={"infer": infer})
        screen = Screen()
        _show_settings(config, data, screen)
        return DONE if options.dry_run else _run(config, data.data, output, screen)


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    local_steps.add_arguments(parser)
    parser.add_argument(
        "--dry-run", action="store_true", help="checks everything, shows what was understood of the pictures, and stops"
    )


def _run(config: configuration.Config, data: str, output: Path, screen: Screen) -> int:
    with local_steps.logged(output, screen):
        summary = _run_steps(config, data, output, screen)
        summary.write(output)
        shutil.copyfile(summary.report, output / report.FILE_NAME)
    _show(summary, output, screen)
    return PUBLISHED if summary.blessed else NOT_BLESSED


def _show_settings(config: configuration.Config, data: layout.Layout, screen: Screen) -> None:
    local_steps.show_data(data, config.ingest, screen)
    local_steps.show_size(config.backbone, screen)
    local_steps.show_unused(config.trainer, screen)
    _show_stage_2(config, screen)


def _run_steps(config: configuration.Config, data: str, output: Path, screen: Screen) -> "Summary":
    local_steps.load([config.backbone], screen)
    from common import lineage
    from pipeline.summary import summarize

    steps = local_steps.run(config, data, output, screen, str(output / "serving"))
    local_steps.clear_unfinished(output)
    (output / "config.yaml").write_text(configuration.to_yaml(config))
    return summarize(steps, lineage.open_for_reading(output / faults.METADATA_FILE, output / "pipeline"))


def _show_stage_2(config: configuration.Config, screen: Screen) -> None:
    name = config.backbone.name
    if config.trainer.fine_tune and not BACKBONES[name].is_cut_late:
        screen.line(f"stage 2    passes each picture through all of {name} in every epoch: its cells cannot be cut")


def _show(summary: "Summary", output: Path, screen: Screen) -> None:
    files = summary.files
    screen.line()
    screen.line(
        f"files      {files.found} found: {files.used} used, {files.duplicate} duplicate, "
        f"{files.quarantined} quarantined"
    )
    if files.leakage:
        pictures = "picture looks" if files.leakage == 1 else "pictures look"
        table = Path(summary.examples) / LEAKAGE_FILE
        screen.line(f"leakage    {files.leakage} held-out {pictures} like a training picture: {table}")
    for note in summary.notes:
        screen.line(f"splits     {note}")
    _show_issues(summary, screen)
    for split, metrics in summary.metrics.items():
        screen.line(f"{split:<10} accuracy {metrics['accuracy']:.4f}, loss {metrics['loss']:.4f}")
    how = f"{summary.stage_1}, L2 penalty {summary.penalty:.3g}" if summary.penalty else summary.stage_1
    screen.line(f"stage 1    {how}")
    if summary.fine_tuning == UNDONE:
        screen.line(f"stage 2    undone: {why_undone(summary.diverged)}, so the model is that of stage 1")
    elif summary.fine_tuning != OFF:
        screen.line(f"stage 2    {summary.fine_tuning}")
    for warning in summary.warnings:
        screen.line(f"warning    {warning}")
    for check in summary.gate:
        sign = ">=" if check["passed"] else "<"
        where = f"{check['metric']} on {escaping.escape(check['slice'])}"
        verdict = "passed" if check["passed"] else "FAILED"
        screen.line(f"gate       {verdict}: {where} {check['value']:.4f} {sign} {check['threshold']:.4f}")
        if check["note"]:
            screen.line(f"gate       {check['metric']}: {escaping.escape(check['note'])}")
    if summary.baseline_note:
        screen.line(f"gate       {summary.baseline_note}")
    screen.line(f"published  {summary.pushed_to or 'nothing: the gate refused the model'}")
    if summary.inference:
        _show_inference(summary.inference, screen)
    screen.line(f"model      {summary.model}")
    screen.line(f"training   {summary.training}")
    screen.line(f"summary    {output / 'run_summary.json'}")
    screen.line(f"report     {output / report.FILE_NAME}")


def _show_issues(summary: "Summary", screen: Screen) -> None:
    counts = {name.replace("_", " "): count for name, count in summary.issues._asdict().items() if count}
    found = [f"{count} {name.removesuffix('s') if count == 1 else name}" for name, count in counts.items()]
    if found:
        screen.line(f"issues     {', '.join(found)}: {os.path.dirname(summary.label_issues)}")
    for note in summary.issue_notes:
        screen.line(f"issues     {note}")


def _show_inference(inference: "Inference", screen: Screen) -> None:
    if not inference.model:
        screen.line("predicted  nothing: there is no blessed model")
        return
    model = "" if inference.is_candidate else " by the last blessed model"
    failed = f", {inference.failed} could not be" if inference.failed else ""
    screen.line(f"predicted  {inference.predicted} of {inference.found} files{model}{failed}: {inference.csv}")


COMMAND = Command(
    name="python -m pipeline.local_run",
    doc=__doc__,
    add_arguments=_add_arguments,
    run=_start,
    codes={
        PUBLISHED: "published, or checked by --dry-run",
        NOT_BLESSED: "trained but not blessed",
        BAD_INPUT: "bad input or configuration",
    },
    interrupted="interrupted: the same command goes on where this one stopped",
)
main = COMMAND.main


if __name__ == "__main__":
    COMMAND.end_process()
