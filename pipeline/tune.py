"""Searches settings for training, by the loss on eval, and writes the best as a configuration.

    python -m pipeline.tune --data DIR --output DIR

The search uses the features that a run with the same settings uses, and never looks at the test split.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from common.errors import UserError
from components.trainer import trials
from components.trainer.trials import Search, Trial, Verdict
from modeling import weights
from modeling.backbone_names import BACKBONES
from pipeline import config as configuration
from pipeline import local_steps
from pipeline.command import BAD_INPUT, DONE, Command
from pipeline.engine import faults
from pipeline.screen import Screen, duration

if TYPE_CHECKING:
    from pipeline.engine.runner import Step

_TUNED, _PAGE = "tuned.yaml", "tuning.html"
_MOST_TRIALS = 1000
_SHOWN = 5  # best trials on the screen; the page has all


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    local_steps.add_arguments(parser)
    add = parser.add_argument
    add("--trials", metavar="N", type=int, default=20, help="heads to try, about a second each; default: %(default)s")
    add(
        "--stage-2-trials",
        metavar="N",
        type=int,
        default=4,
        help="times to try stage 2 with the best head, about as long as stage 2 of a run each; default: %(default)s",
    )
    add(
        "--fine-tune-at",
        metavar="LAYER",
        type=int,
        action="append",
        default=[],
        help="a layer, below the configured one, that stage 2 may begin with; may be given more than once. All stored "
        "activations are then those of the lowest, which are larger, and stage 2 takes longer",
    )


def _start(options: argparse.Namespace) -> int:
    config = configuration.load(options.config, options.set, options.data, options.output)
    _check(options, config)
    weights.check(config.backbone.weights)
    output = Path(config.output).resolve()
    with local_steps.open_output(config, output, (_TUNED, _PAGE)) as data:
        screen = Screen()
        local_steps.show_data(data, config.ingest, screen)
        local_steps.show_size(config.backbone, screen)
        local_steps.show_unused(config.trainer, screen)
        with local_steps.logged(output, screen):
            local_steps.load([config.backbone], screen)
            search = Search(options.trials, options.stage_2_trials, _candidates(options.fine_tune_at, config))
            steps = local_steps.run(_lowest(config, search), data.data, output, screen, search=search)
            found = trials.read(_results(steps, output))
            local_steps.clear_unfinished(output)
            verdict = trials.judge(found)
            _write(config, found, verdict, output)
        _show(found, verdict, output, screen)
    return DONE


def _check(options: argparse.Namespace, config: configuration.Config) -> None:
    for option, value in (("--trials", options.trials), ("--stage-2-trials", options.stage_2_trials)):
        if not 0 <= value <= _MOST_TRIALS:
            raise UserError(f"{option}: got {value}, expected a whole number from 0 to {_MOST_TRIALS}")
    layers = BACKBONES[config.backbone.name].layers
    for layer in options.fine_tune_at:
        if not config.trainer.fine_tune:
            raise UserError("--fine-tune-at: there is no stage 2, as trainer.fine_tune is false; expected true")
        if not 0 <= layer < layers:
            name = config.backbone.name
            raise UserError(f"--fine-tune-at: got {layer}, expected a whole number from 0 to {layers - 1} for {name}")


def _candidates(lower: list[int], config: configuration.Config) -> list[int]:
    """Where stage 2 may begin, the configured layer first; empty where it begins there alone."""
    if not lower:
        return []
    from modeling import backbones

    name = config.backbone.name
    model = backbones.build(name, config.backbone.image_size)
    configured = backbones.fine_tune_index(model, name, config.trainer.fine_tune_at)
    if max(lower) >= configured:
        raise UserError(f"--fine-tune-at: got {max(lower)}, expected a layer below the configured one, {configured}")
    return [configured, *sorted({*lower}, reverse=True)]


def _lowest(config: configuration.Config, search: Search) -> configuration.Config:
    """With the features cut for the lowest layer that stage 2 may begin with."""
    if not search.fine_tune_at:
        return config
    trainer = config.trainer.model_copy(update={"fine_tune_at": min(search.fine_tune_at)})
    return config.model_copy(update={"trainer": trainer})


def _results(steps: "list[Step]", output: Path) -> str:
    from common import lineage

    store = lineage.open_for_reading(output / faults.METADATA_FILE, output / "pipeline")
    return str(store.outputs(steps[-1].execution_id)["tuner_results"][0].uri)


def _write(config: configuration.Config, found: list[Trial], verdict: Verdict, output: Path) -> None:
    """The chosen configuration and the page."""
    from pipeline import tuning_page

    comment = [f"By python -m pipeline.tune: {_origin(verdict)}.", f"On eval: {_reached(verdict.chosen)}."]
    text = "".join(f"# {line}\n" for line in comment) + configuration.to_yaml(_with(config, verdict.chosen))
    (output / _TUNED).write_text(text, "utf-8")
    (output / _PAGE).write_text(tuning_page.render(found, verdict, text), "utf-8")


def _with(config: configuration.Config, trial: Trial) -> configuration.Config:
    """The configuration with a trial's values; what the trial's solver does not use gets its default."""
    if not trial.values:
        return config
    values = {**config.trainer.model_dump(), **trial.values}
    unused = configuration.TrainerConfig(**values).without_effect
    trainer = configuration.TrainerConfig(**{key: value for key, value in values.items() if key not in unused})
    return config.model_copy(update={"trainer": trainer})


def _origin(verdict: Verdict) -> str:
    if verdict.chosen.number:
        return f"trial {verdict.chosen.number}, better than the configuration by more than noise"
    if verdict.best.number:
        return "the configuration as it was, as no trial was better by more than noise"
    return "the configuration as it was, as no trial was better"


def _reached(trial: Trial) -> str:
    return (
        f"loss {trial.loss:.4f}, standard error {trial.standard_error:.4f}, "
        f"accuracy {trial.eval['accuracy']:.4f}, {len(trial.losses)} pictures"
    )


def _show(found: list[Trial], verdict: Verdict, output: Path, screen: Screen) -> None:
    screen.line()
    screen.line(f"trials     {len(found)} in {duration(sum(trial.seconds for trial in found))}; the best on eval:")
    for trial in sorted(found, key=lambda trial: trial.loss)[:_SHOWN]:
        loss = f"{trial.loss:.4f} \N{PLUS-MINUS SIGN} {trial.standard_error:.4f}"
        screen.line(f"{trial.number:>9}  loss {loss}, accuracy {trial.eval['accuracy']:.4f}: {trials.name(trial)}")
    screen.line(f"configured {_reached(found[0])}")
    if verdict.best.number:
        gain = f"{verdict.gain:.4f} \N{PLUS-MINUS SIGN} {verdict.standard_error:.4f} by trial {verdict.best.number}"
        screen.line(f"gain       {gain}, picture by picture; {trials.p_value(verdict)}")
    screen.line(f"chosen     {_origin(verdict)}")
    screen.line(f"settings   {output / _TUNED}")
    screen.line(f"page       {output / _PAGE}")


COMMAND = Command(
    name="python -m pipeline.tune",
    doc=__doc__,
    add_arguments=_add_arguments,
    run=_start,
    codes={DONE: "searched", BAD_INPUT: "bad input or configuration"},
    interrupted="interrupted: the same command goes on where this one stopped",
)
main = COMMAND.main


if __name__ == "__main__":
    COMMAND.end_process()
