"""The configuration: what it accepts, what it refuses, and in which words."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, TypeAdapter

from common.errors import UserError
from modeling.backbone_names import BACKBONES
from pipeline.config import (
    DEFAULT_FILE,
    BackboneConfig,
    Config,
    GateConfig,
    TrainerConfig,
    load,
    messages,
    of_values,
    to_yaml,
)

ROOT = Path(__file__).resolve().parents[2]
TOP = "data, infer, output, seed, backbone, ingest, features, trainer, gate, beam"
TRAINER = ", ".join(TrainerConfig.model_fields)
WEIGHTS = "expected imagenet, random, or an existing file ending in .weights.h5 or .keras"


def write(folder: Path, text: str | bytes) -> Path:
    file = folder / "my.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def test_default_file_says_the_models_defaults() -> None:
    # Read with plain PyYAML, so that other tools understand the shipped file too.
    assert yaml.safe_load(DEFAULT_FILE.read_text()) == Config().model_dump()
    assert load(None) == Config()


def test_a_recipe_is_found_by_its_name_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cats_and_dogs").mkdir()  # such as the pictures
    assert load("cats_and_dogs") == load(ROOT / "configs" / "cats_and_dogs.yaml") != Config()
    (tmp_path / "mine").write_text("seed: 7")
    assert load("mine").seed == 7
    with pytest.raises(UserError) as error:
        load("cats")
    assert str(error.value) == "cats: no such file, expected a YAML file or one of cats_and_dogs, default"


def test_cats_and_dogs_is_the_articles_recipe() -> None:
    config = load(ROOT / "configs" / "cats_and_dogs.yaml")
    assert config.backbone == BackboneConfig(name="VGG16", weights="imagenet", image_size=224)
    assert config.ingest.eval_fraction == 0.15
    assert config.features.augmentation_views == config.trainer.epochs == 5
    assert config.trainer == TrainerConfig(
        solver="adam",
        schedule="constant",
        batch_size=32,
        dropout=0.1,
        learning_rate=1e-3,
        fine_tune_at=15,
        fine_tune_learning_rate=1e-5,
    )
    assert config.gate.min_accuracy == 0.95


def test_file_then_overrides_then_options(tmp_path: Path) -> None:
    file = write(tmp_path, "data: from-file\nseed: 1\ntrainer:\n  fine_tune_epochs: 2\n  dropout: 0.2\n")
    overrides = ["trainer.fine_tune_epochs=3", "trainer.fine_tune_epochs = 5", "data=from-set"]
    config = load(file, overrides, data="from-option", output="runs")
    assert (config.data, config.output, config.seed) == ("from-option", "runs", 1)
    assert config.trainer == TrainerConfig(fine_tune_epochs=5, dropout=0.2)


@pytest.mark.parametrize("text", ["", "# nothing\n", "trainer:\n  # epochs: 3\n", "---\n", "\ufeffseed: 0\r\n"])
def test_what_is_left_out_takes_its_default(tmp_path: Path, text: str) -> None:
    assert load(write(tmp_path, text)) == Config()


@pytest.mark.parametrize("text", ["1e-3", "1E-3", "1.0e-3", "0.001", ".001", "+.1e-2"])
def test_floats_as_anyone_writes_them(tmp_path: Path, text: str) -> None:
    file = write(tmp_path, f"trainer: {{learning_rate: {text}}}")
    assert load(file).trainer.learning_rate == 0.001
    assert load(None, [f"trainer.learning_rate={text}"]).trainer.learning_rate == 0.001


@pytest.mark.parametrize("folder", ["/mnt/pictures #2", "/mnt/a: b", "/mnt/two\nlines", "2020", "yes", "[x", '"q"'])
def test_a_text_is_taken_as_it_is(folder: str) -> None:
    config = load(None, [f"data={folder}", f"output={folder}"])
    assert (config.data, config.output) == (folder, folder)
    assert of_values({"data": folder}).data == folder


def test_null_or_nothing_is_no_text(tmp_path: Path) -> None:
    file = write(tmp_path, "data: /pictures")
    for config in (
        load(file, ["data=null"]),
        load(file, ["data="]),
        of_values({"data": "null"}),
        of_values({"data": ""}),
    ):
        assert config.data is None


@pytest.mark.parametrize(
    ("overrides", "unused"),
    [
        ([], []),
        (["trainer.penalty=0.1"], []),
        (["trainer.epochs=5"], []),
        (["trainer.epochs=3", "trainer.learning_rate=0.1"], ["epochs", "learning_rate"]),
        (["trainer.hidden=64"], ["hidden"]),
        (["trainer.solver=adam", "trainer.epochs=3", "trainer.hidden=64"], []),
        (["trainer.solver=adam", "trainer.penalty=0.1"], ["penalty"]),
        (
            ["trainer.fine_tune=false", "trainer.fine_tune_epochs=9", "trainer.hidden=64"],
            ["hidden", "fine_tune_epochs"],
        ),
    ],
)
def test_keys_that_change_nothing_are_known(overrides: list[str], unused: list[str]) -> None:
    config = load(None, overrides)
    assert list(config.trainer.without_effect) == unused
    assert not config.effective.trainer.without_effect


def test_augmentation_changes_nothing_where_no_view_is_stored() -> None:
    strays = "features.augmentation.zoom=0.5"
    assert load(None, [strays]).effective == load(None, []).effective
    with_views = load(None, [strays, "features.augmentation_views=2"])
    assert with_views.effective == with_views


def test_other_scalars_as_anyone_writes_them() -> None:
    config = load(
        None,
        ["trainer.fine_tune=no", "ingest.max_pixels=1_000_000", "seed=010", "gate.min_accuracy=1", "trainer.penalty=~"],
    )
    assert not config.trainer.fine_tune
    assert (config.ingest.max_pixels, config.seed, config.gate.min_accuracy) == (1_000_000, 10, 1)
    assert config.trainer.penalty is None


def test_paths_may_begin_with_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "vgg.weights.h5").touch()
    config = load(None, ["backbone.weights=~/vgg.weights.h5", "output=~/runs", "infer=~/new"], data="~/pictures")
    assert config.backbone.weights == str(tmp_path / "vgg.weights.h5")
    assert (config.data, config.output) == (str(tmp_path / "pictures"), str(tmp_path / "runs"))
    assert config.infer == str(tmp_path / "new")


@pytest.mark.parametrize("name", ["0", "no", "1e3", "null", "2020-01-01", "a b"])
def test_a_class_may_have_any_name(tmp_path: Path, name: str) -> None:
    assert load(write(tmp_path, f"gate: {{slices: {{{name}: 0.7}}}}")).gate.slices == {name: 0.7}
    assert load(None, [f"gate.slices.{name}=0.7"]).gate.slices == {name: 0.7}


@settings(deadline=None)
@given(
    slices=st.dictionaries(st.text(), st.floats(0, 1)),
    output=st.text(min_size=1).filter(lambda text: "\0" not in text),
    rate=st.floats(0, 1, exclude_min=True),
)
def test_yaml_round_trip(tmp_path_factory: pytest.TempPathFactory, slices, output, rate) -> None:
    config = Config(
        output=output,
        gate=GateConfig(slices=slices),
        trainer=TrainerConfig(solver="adam", learning_rate=rate, fine_tune_at=3),
    )
    file = write(tmp_path_factory.mktemp("config"), to_yaml(config))
    assert load(file) == config


@pytest.mark.parametrize(
    "output",
    ["1e5", "089", "yes", "~tmp/x", "null", "1_0", "2020-01-01", "a: b", "#", "!x", "*x", "\x85", "caf\xe9"],
)
def test_yaml_round_trip_of_texts_that_look_like_something_else(tmp_path: Path, output: str) -> None:
    config = Config(output=output)
    assert load(write(tmp_path, to_yaml(config))) == config


def test_configuration_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Config().trainer.epochs = 3  # type: ignore[misc]


_GROUPS = r"expected folder, likeness, or a regular expression with one group in parentheses such as '(patient\d+)_'"


@pytest.mark.parametrize(
    ("override", "line"),
    [
        # Numbers
        ("trainer.epochs=many", "trainer.epochs: got 'many', expected a whole number from 1 to 1000"),
        ("trainer.epochs='3'", "trainer.epochs: got '3', expected a whole number from 1 to 1000"),
        ("trainer.epochs=0", "trainer.epochs: got 0, expected a whole number from 1 to 1000"),
        ("trainer.epochs=3.0", "trainer.epochs: got 3.0, expected a whole number from 1 to 1000"),
        ("trainer.epochs=true", "trainer.epochs: got true, expected a whole number from 1 to 1000"),
        ("trainer.epochs=", "trainer.epochs: got null, expected a whole number from 1 to 1000"),
        ("trainer.epochs=1:30", "trainer.epochs: got '1:30', expected a whole number from 1 to 1000"),
        (f"seed={10**22}", f"seed: got {10**22}, expected a whole number from 0 to 2147483647"),
        ("ingest.group=(a)(b)", f"ingest.group: got '(a)(b)', {_GROUPS}; it has 2 groups in parentheses"),
        (
            "ingest.group=(a",
            f"ingest.group: got '(a', {_GROUPS}; no regular expression: "
            f"missing ), unterminated subpattern at position 0",
        ),
        ("ingest.max_pixels=5", "ingest.max_pixels: got 5, expected a whole number of 1024 or more"),
        (
            "backbone={name: Xception, image_size: 70}",
            "backbone.image_size: got 70, expected a whole number from 71 to 1024 for Xception",
        ),
        ("backbone.image_size=31", "backbone.image_size: got 31, expected a whole number from 32 to 1024"),
        (
            "trainer.fine_tune_at=19",
            "trainer.fine_tune_at: got 19, expected a whole number from 0 to 18 for VGG16",
        ),
        (
            "trainer.fine_tune_at=-1",
            "trainer.fine_tune_at: got -1, expected a whole number of 0 or more, or null",
        ),
        ("trainer.learning_rate=0", "trainer.learning_rate: got 0, expected a number above 0, up to 1"),
        ("trainer.learning_rate=1e999", "trainer.learning_rate: got inf, expected a number above 0, up to 1"),
        ("trainer.dropout=.nan", "trainer.dropout: got '.nan', expected a number from 0 to 0.9"),
        (
            "ingest.eval_fraction=0.5",
            "ingest.eval_fraction: got 0.5, expected a number above 0 and below 0.5",
        ),
        (
            "ingest={eval_fraction: 0.4, test_fraction: 0.3}",
            "ingest: got eval_fraction + test_fraction = 0.7, expected at most 0.6",
        ),
        (
            "ingest.test_fraction=0.46",
            "ingest: got eval_fraction + test_fraction = 0.61, expected at most 0.6",
        ),
        # Other values
        ("trainer.fine_tune=1", "trainer.fine_tune: got 1, expected true or false"),
        (
            "features.precision=float16",
            "features.precision: got 'float16', expected one of auto, float32, bfloat16",
        ),
        (
            "features={engine: ncnn, precision: bfloat16}",
            "features.engine: got ncnn with precision = bfloat16, expected auto or tensorflow",
        ),
        (
            "backbone.name=VGG17",
            f"backbone.name: got 'VGG17', expected one of {', '.join(BACKBONES)}",
        ),
        ("backbone.weights=none.keras", f"backbone.weights: got 'none.keras', {WEIGHTS}"),
        (f"backbone.weights={__file__}", f"backbone.weights: got '{__file__}', {WEIGHTS}"),
        ("data=a\0b", "data: got 'a\\x00b', expected the path of a folder or of a table, or null"),
        ("output=", "output: got '', expected a folder's path"),
        ("output=a\0b", "output: got 'a\\x00b', expected a folder's path"),
        ("gate.slices.cat=2", "gate.slices.cat: got 2, expected a number from 0 to 1"),
        ("gate.slices.a b=x", "gate.slices.'a b': got 'x', expected a number from 0 to 1"),
        ("gate.slices=3", "gate.slices: got 3, expected a section of names, each with a number from 0 to 1"),
        ("trainer=5", f"trainer: got 5, expected a section with the keys {TRAINER}"),
        ("seed.x=1", "seed: got {'x': 1}, expected a whole number from 0 to 2147483647"),
        # Unknown keys
        ("trainer.epoch=3", f"trainer.epoch: unknown key; did you mean 'epochs'? Allowed here: {TRAINER}"),
        ("epochs=3", f"epochs: unknown key; did you mean 'trainer.epochs'? Allowed here: {TOP}"),
        (
            "batch_size=3",
            f"batch_size: unknown key; did you mean 'features.batch_size' or 'trainer.batch_size'? Allowed here: {TOP}",
        ),
        ("zzz=3", f"zzz: unknown key. Allowed here: {TOP}"),
        ("a\nb=3", f"'a\\nb': unknown key. Allowed here: {TOP}"),
        # Syntax
        ("trainer.epochs", "got 'trainer.epochs', expected key=value such as trainer.dropout=0.2"),
        ("=3", "got '=3', expected key=value such as trainer.dropout=0.2"),
        ("trainer..epochs=3", "got 'trainer..epochs=3', expected key=value such as trainer.dropout=0.2"),
        (
            "seed=[1",
            "seed: line 1, column 3: while parsing a flow sequence, expected ',' or ']', but got '<stream end>'",
        ),
        ("seed=!!python/name:os.system", "seed: line 1, column 1: tags (!name) are not allowed"),
        ("seed=\a", "seed: line 1, column 1: the control character '\\x07'"),
    ],
)
def test_each_wrong_override_is_told_in_one_line(override: str, line: str) -> None:
    with pytest.raises(UserError) as error:
        load(None, [override])
    assert str(error.value) == f"--set: {line}"


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({}, "a whole number"),
        ({"ge": 1}, "a whole number of 1 or more"),
        ({"gt": 1}, "a whole number above 1"),
        ({"le": 9}, "a whole number of 9 or less"),
        ({"lt": 9}, "a whole number below 9"),
        ({"ge": 1, "le": 9}, "a whole number from 1 to 9"),
        ({"ge": 1, "lt": 9}, "a whole number of 1 or more and below 9"),
        ({"gt": 1, "le": 9}, "a whole number above 1, up to 9"),
        ({"gt": 1, "lt": 9}, "a whole number above 1 and below 9"),
    ],
)
def test_every_pair_of_limits_has_its_words(limits: dict[str, int], words: str) -> None:
    assert messages.expected(TypeAdapter(Annotated[int, Field(**limits)]).json_schema()) == words


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("trainer:\n  epochs: many", "trainer.epochs: got 'many', expected a whole number from 1 to 1000"),
        (
            "trainer:\n  epochs: 'a\n\n    b'",
            "trainer.epochs: got 'a\\nb', expected a whole number from 1 to 1000",
        ),
        ("1: 2", f"1: unknown key. Allowed here: {TOP}"),
        ("- 1", "got [1], expected lines of 'key: value'"),
        ("text", "got 'text', expected lines of 'key: value'"),
        ("trainer:\n  epochs: 2\n  epochs: 3", "line 3, column 3: duplicate key 'epochs'"),
        ("? [a]\n: 1", "line 1, column 3: a key must be a text"),
        ("seed: &x 1\ndata: *x", "line 2, column 7: aliases (*name) are not allowed"),
        ("seed: 0\ndata: !!binary aGk=", "line 2, column 7: tags (!name) are not allowed"),
        (
            "trainer:\n\tepochs: 3",
            "line 2, column 1: while scanning for the next token, found character '\\t' that cannot start any token",
        ),
        ("seed: 0\ndata: \x07", "line 2, column 7: the control character '\\x07'"),
        (
            "seed: 0\n---\nseed: 1",
            "line 2, column 1: expected a single document in the stream, but found another document",
        ),
        (b"data: caf\xe9", "not UTF-8 from byte 10 on, expected YAML"),
        ("[" * 10_000, "nested too deeply, expected sections of 'key: value'"),
        ("#" * 100_001, "more than 100000 bytes, expected a configuration of a few lines"),
    ],
)
def test_each_wrong_file_is_told_in_one_line(tmp_path: Path, text: str | bytes, line: str) -> None:
    file = write(tmp_path, text)
    with pytest.raises(UserError) as error:
        load(file)
    assert str(error.value) == f"{file}: {line}"


def test_the_layer_to_fine_tune_from_must_be_one_of_the_backbone(tmp_path: Path) -> None:
    file = write(tmp_path, "backbone: {name: ResNet50}\ntrainer: {fine_tune_at: 174}")
    assert load(file).trainer.fine_tune_at == 174
    with pytest.raises(UserError) as error:
        load(file, ["trainer.dropout=0.2", "backbone.name=MobileNetV2"])
    assert str(error.value) == (
        f"{file}: trainer.fine_tune_at: got 174, expected a whole number from 0 to 153 for MobileNetV2"
    )
    with pytest.raises(UserError) as error:
        load(file, ["backbone.name=ResNet"])  # of no known number of layers
    assert "fine_tune_at" not in str(error.value)


def test_ncnn_is_refused_for_a_backbone_that_it_does_not_run(tmp_path: Path) -> None:
    file = write(tmp_path, "features: {engine: ncnn}")
    assert load(file, ["backbone.name=VGG19"]).features.engine == "ncnn"
    with pytest.raises(UserError) as error:
        load(file, ["backbone.name=ResNet50"])
    assert str(error.value) == (
        f"{file}: features.engine: got ncnn, which runs VGG16 and VGG19, expected auto or tensorflow for ResNet50"
    )


def test_unreadable_file_is_told_in_one_line(tmp_path: Path) -> None:
    missing = tmp_path / "a\nb.yaml"
    with pytest.raises(UserError) as error:
        load(missing)
    assert str(error.value) == f"{str(missing)!r}: cannot be read (No such file or directory), expected a YAML file"
    with pytest.raises(UserError) as error:
        load(tmp_path)
    assert str(error.value) == f"{tmp_path}: cannot be read (Is a directory), expected a YAML file"


def test_wrong_options_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        load(None, data="", output="a\0b")
    assert str(error.value).splitlines() == [
        "--data: got '', expected the path of a folder or of a table, or null",
        "--output: got 'a\\x00b', expected a folder's path",
    ]


@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("data=s3://bucket/pictures", "the path of a folder or of a table, or null"),
        ("infer=gs://bucket/new", "a folder's path, or null"),
        ("output=gs://bucket/run", "a folder's path"),
        ("output=file:///srv/run", "a folder's path"),
        ("backbone.weights=gs://bucket/vgg.keras", WEIGHTS.removeprefix("expected ")),
    ],
)
def test_an_address_in_the_place_of_a_path_is_told_with_what_to_do(
    override: str, expected: str, elsewhere: bool
) -> None:
    with pytest.raises(UserError) as error:
        load(None, [override], elsewhere=elsewhere)
    key, _, value = override.partition("=")
    assert str(error.value) == (
        f"--set: {key}: got '{value}', expected {expected}; gs://, s3:// and other addresses are not supported here: "
        f"mount them, or copy to or from a folder"
    )


def test_a_path_with_a_colon_is_a_path() -> None:
    assert load(None, output="runs/12:30").output == "runs/12:30"


def test_each_problem_has_its_line_and_its_source(tmp_path: Path) -> None:
    file = write(tmp_path, "seed: x\ntrainer: {dropout: 1}\n")
    with pytest.raises(UserError) as error:
        load(file, ["trainer.epochs=0"])
    assert str(error.value).splitlines() == [
        f"{file}: seed: got 'x', expected a whole number from 0 to 2147483647",
        "--set: trainer.epochs: got 0, expected a whole number from 1 to 1000",
        f"{file}: trainer.dropout: got 1, expected a number from 0 to 0.9",
    ]


def test_a_wrong_value_of_any_length_fits_on_a_line() -> None:
    with pytest.raises(UserError) as error:
        load(None, ["seed=" + "x" * 50_000])
    assert len(str(error.value)) < 200


def test_many_problems_are_cut_short(tmp_path: Path) -> None:
    names = ", ".join(f"class{i}: 2" for i in range(100))
    with pytest.raises(UserError) as error:
        load(write(tmp_path, f"gate: {{slices: {{{names}}}}}"))
    *lines, last = str(error.value).splitlines()
    assert len(lines) == 20
    assert last == "... and 80 more problems"


@pytest.mark.parametrize("fractions", [(0.4, 0.2), (0.45, 0.15), (0.3, 0.3)])
def test_held_out_fractions_up_to_the_limit(fractions: tuple[float, float]) -> None:
    held_out = load(None, [f"ingest={{eval_fraction: {fractions[0]}, test_fraction: {fractions[1]}}}"]).ingest
    assert (held_out.eval_fraction, held_out.test_fraction) == fractions


def test_a_file_may_be_mended_on_the_command_line(tmp_path: Path) -> None:
    file = write(tmp_path, "backbone: {weights: elsewhere.keras}")
    assert load(file, ["backbone.weights=random"]).backbone.weights == "random"


def test_nothing_heavy_is_imported() -> None:
    script = "import sys, pipeline.config; print(*{name.partition('.')[0] for name in sys.modules})"
    modules = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"apache_beam", "keras", "numpy", "tensorflow", "tfx"} & set(modules.stdout.split())
