"""The command that searches settings: what it refuses, what it writes, and what it says."""

from pathlib import Path
from typing import Any

import pytest

from components.trainer import trials
from components.trainer.trials import Trial
from pipeline import config as configuration
from pipeline import tune
from pipeline.command import BAD_INPUT
from pipeline.screen import Screen


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--trials", "-1"], "--trials: got -1, expected a whole number from 0 to 1000"),
        (["--stage-2-trials", "1001"], "--stage-2-trials: got 1001, expected a whole number from 0 to 1000"),
        (["--fine-tune-at", "19"], "--fine-tune-at: got 19, expected a whole number from 0 to 18 for VGG16"),
        (
            ["--fine-tune-at", "11", "--set", "trainer.fine_tune=false"],
            "--fine-tune-at: there is no stage 2, as trainer.fine_tune is false; expected true",
        ),
    ],
)
def test_a_search_that_cannot_be_is_refused_at_once(
    arguments: list[str], line: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert tune.main([*arguments, "--output", str(tmp_path / "output")]) == BAD_INPUT
    assert capfd.readouterr().err == f"error: {line}\n"
    assert not (tmp_path / "output").exists()


def _trial(number: int, losses: list[float], values: dict[str, Any]) -> Trial:
    metrics = {"loss": sum(losses) / len(losses), "accuracy": 0.75}
    return Trial(number, values, metrics, metrics, losses, "epochs", penalty=None, fine_tuning="off", seconds=30.0)


_HIDDEN = {"fine_tune": False, "solver": "adam", "penalty": None, "epochs": 20, "learning_rate": 0.003, "hidden": 64}


def _written(
    config: configuration.Config, better_by: list[float], values: dict[str, Any], output: Path
) -> configuration.Config:
    configured = _trial(0, [0.5, 0.6, 0.7, 0.8], {})
    better = [before - gain for before, gain in zip(configured.losses, better_by, strict=True)]
    found = [configured, _trial(1, better, values)]
    verdict = trials.judge(found)
    tune._write(config, found, verdict, output)
    tune._show(found, verdict, output, Screen())
    return configuration.load(output / "tuned.yaml")


def test_a_winner_is_written_into_the_configuration(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    config = configuration.Config(data="pictures", trainer=configuration.TrainerConfig(penalty=0.1, batch_size=8))
    tuned = _written(config, [0.10, 0.11, 0.10, 0.11], _HIDDEN, tmp_path)
    assert tuned == config.model_copy(
        update={"trainer": configuration.TrainerConfig(**{**_HIDDEN, "batch_size": 8})}  # type: ignore[arg-type]
    )
    assert (tmp_path / "tuned.yaml").read_text().splitlines()[:2] == [
        "# By python -m pipeline.tune: trial 1, better than the configuration by more than noise.",
        "# On eval: loss 0.5450, standard error 0.0633, accuracy 0.7500, 4 pictures.",
    ]
    assert capfd.readouterr().out.splitlines() == [
        "",
        "trials     2 in 1m 00.0s; the best on eval:",
        "        1  loss 0.5450 \N{PLUS-MINUS SIGN} 0.0633, accuracy 0.7500: "
        "stage 1 alone, solver adam, epochs 20, learning_rate 0.003, hidden 64",
        "        0  loss 0.6500 \N{PLUS-MINUS SIGN} 0.0645, accuracy 0.7500: as configured",
        "configured loss 0.6500, standard error 0.0645, accuracy 0.7500, 4 pictures",
        "gain       0.1050 \N{PLUS-MINUS SIGN} 0.0029 by trial 1, picture by picture; "
        "p below 0.001, corrected for the number of trials",
        "chosen     trial 1, better than the configuration by more than noise",
        f"settings   {tmp_path / 'tuned.yaml'}",
        f"page       {tmp_path / 'tuning.html'}",
    ]


def test_what_the_winners_solver_does_not_use_gets_its_default(tmp_path: Path) -> None:
    trainer = configuration.TrainerConfig(solver="adam", epochs=7, learning_rate=0.01, hidden=64)
    values = {"solver": "lbfgs", "penalty": None}
    tuned = _written(configuration.Config(trainer=trainer), [0.10, 0.11, 0.10, 0.11], values, tmp_path)
    assert tuned == configuration.Config()


def test_noise_changes_nothing_and_that_is_said(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    config = configuration.Config(data="pictures")
    assert _written(config, [0.4, -0.3, 0.1, 0.0], _HIDDEN, tmp_path) == config
    line = "chosen     the configuration as it was, as no trial was better by more than noise"
    assert line in capfd.readouterr().out.splitlines()
    assert "The configuration stays as it is" in (tmp_path / "tuning.html").read_text()


def test_the_page_has_each_trial_and_loads_nothing(tmp_path: Path) -> None:
    _written(configuration.Config(data="<b>&"), [0.10, 0.11, 0.10, 0.11], _HIDDEN, tmp_path)
    html = (tmp_path / "tuning.html").read_text()
    assert html.count('<td class="number">0.5450</td>') == html.count('<td class="number">0.6500</td>') > 0
    assert "stage 1 alone, solver adam, epochs 20, learning_rate 0.003, hidden 64" in html
    assert "default-src 'none'" in html
    assert "<script" not in html
    assert "<b>&" not in html
    assert "mathdefault" not in html, "text in charts is text"
    assert html.count("<svg ") == 1, "of each key, a single value was tried"
