"""The command on files of every kind, and what it refuses."""

import contextlib
import csv
import io
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import steps
import tensorflow as tf
from inherited_signals import inherited
from pictures import encode, make_pixels, write_classes
from PIL import Image

from common import example_records
from common.errors import UserError
from modeling.model_assets import ModelAssets
from modeling.prediction_formats import File, Prediction, make_format
from modeling.predictor import Predictor
from pipeline import command, predict
from pipeline.predict_inputs import find_files, find_model

if TYPE_CHECKING:
    from tfx.types.standard_artifacts import Model

REPOSITORY = Path(predict.__file__).parent.parent
CLASSES = ["apple", "berry", "cherry"]


@pytest.fixture(scope="module")
def version(model: "Model", tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model as a run publishes it."""
    folder = tmp_path_factory.mktemp("run") / "serving" / "1700000000"
    shutil.copytree(f"{model.uri}/Format-Serving", folder)
    return folder


@pytest.fixture(scope="module")
def predictor(version: Path) -> Predictor:
    return Predictor(str(version))


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(version: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs the command with the model and gives exit code, output and errors."""

    def _run(*arguments: str | Path) -> tuple[int, str, str]:
        code = predict.main(["--model", str(version), *map(str, arguments)])
        return (code, *capfd.readouterr())

    return _run


def _write(path: Path, data: bytes | None = None, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode(make_pixels(seed)) if data is None else data)
    return path


def _rows(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


# --- What a picture is predicted as ---


def test_any_picture_gets_exactly_the_probabilities_that_evaluation_sees(
    model: "Model", predictor: Predictor, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    write_classes(data / "train", {"apple": 2, "berry": 2})
    write_classes(data / "eval", {"apple": 1, "berry": 1}, seed=50)
    turned = Image.Exif()
    turned[0x0112] = 6
    wide = Image.fromarray(make_pixels(1, 40, 64))
    test = {
        "phone.jpg": encode(wide, "JPEG", exif=turned),
        "cmyk.jpg": encode(wide.convert("CMYK"), "JPEG"),
        "deep.png": encode(Image.fromarray(np.random.default_rng(0).integers(0, 1 << 16, (40, 64)).astype(np.uint16))),
        "modern.webp": encode(make_pixels(2, 40, 64), "WEBP"),
    }
    for name, picture in test.items():
        _write(data / "test" / "apple" / name, picture)
    stored = {one.file_name: one for one in steps.read(steps.ingest(data, tmp_path / "examples"), "test")}
    examples = [example_records.encode(stored[f"test/apple/{name}"]) for name in test]
    evaluated = steps.serving(model).signatures["serve_examples"](examples=tf.constant(examples))

    files = [File(str(data / "test" / "apple" / name)) for name in test]
    files.insert(2, File(str(_write(tmp_path / "broken.jpg", test["phone.jpg"][:500]))))
    ((first, second, broken, *rest),) = predictor.predict(files, top=3)
    assert broken == Prediction(files[2].path, problem="truncated or damaged")
    for prediction, expected in zip((first, second, *rest), evaluated["probabilities"].numpy(), strict=True):
        found = dict(prediction.top)
        np.testing.assert_array_equal(np.array([found[name] for name in CLASSES], np.float32), expected)
        assert prediction.top[0][0] == CLASSES[expected.argmax()]
        assert [score for _, score in prediction.top] == sorted(found.values(), reverse=True)


def test_many_files_keep_their_order_whatever_is_between_them(predictor: Predictor, tmp_path: Path) -> None:
    pictures = [_write(tmp_path / f"{index}.png", seed=index) for index in range(40)]
    files = [File(str(path)) for path in pictures * 2]
    for index in (0, 31, 32, 50, 82):
        files.insert(index, File(str(tmp_path / f"missing {index}")))
    batches = list(predictor.predict(files, top=1))
    assert max(map(len, batches)) == 32
    rows = [row for batch in batches for row in batch]
    assert [row.file for row in rows] == [file.path for file in files]
    problems = {row.problem for row in rows if "missing" in row.file}
    assert problems == {"cannot be read: No such file or directory"}
    answers = [row.top[0] for row in rows if not row.problem]
    assert [label for label, _ in answers[:40]] == [label for label, _ in answers[40:]]
    assert [score for _, score in answers[:40]] == pytest.approx([score for _, score in answers[40:]], abs=1e-5)


def test_what_cannot_be_a_picture_is_told_without_a_look_inside(tmp_path: Path) -> None:
    predictor = Predictor(_save(tmp_path / "model", max_pixels=30_000))
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "huge.bmp").open("wb") as file:
        file.truncate(1 << 30)
    _write(tmp_path / "large.png", encode(make_pixels(0, 200, 200)))
    names = ("pipe", "huge.bmp", "large.png", ".")
    (rows,) = predictor.predict([File(str(tmp_path / name)) for name in names], top=1)
    assert [row.problem for row in rows] == [
        "not a regular file",
        "too many bytes for a picture of 30000 pixels",
        "more than 30000 pixels",
        "not a regular file",
    ]


def test_a_model_takes_pictures_as_large_as_its_ingestion_did(tmp_path: Path) -> None:
    large = File(str(_write(tmp_path / "large.png", encode(Image.new("1", (10_000, 6_000))))))
    model = Path(_save(tmp_path / "model", max_pixels=60_000_000))
    ((row,),) = Predictor(str(model)).predict([large], top=1)
    assert row.problem == ""
    (model / "assets.extra" / "max_pixels.txt").unlink()  # as earlier releases published it
    ((row,),) = Predictor(str(model)).predict([large], top=1)
    assert row.problem == "more than 50000000 pixels"


# --- Which files ---


def _found(*paths: str | Path, stdin: bytes = b"") -> list[str]:
    return [path for path, problem in find_files(map(str, paths), io.BytesIO(stdin)) if not problem]


def test_folders_are_searched_to_the_bottom_and_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("b/z.png", "b/a/1.png", "b/c.txt", "a.png", "b/.DS_Store", "b/.git/x.png", ".hidden.png"):
        _write(Path(name), b"")
    assert _found("b", "a.png", ".hidden.png") == ["b/a/1.png", "b/c.txt", "b/z.png", "a.png", ".hidden.png"]


def test_what_systems_leave_in_folders_is_predicted_only_if_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("b/1.png", "b/Thumbs.db", "b/deep/desktop.ini", "b/__MACOSX/._1.png", "b/__MACOSX/1.png"):
        _write(Path(name), b"")
    for argument in ("b", "b/*", "b/**", "b/**/*"):
        assert _found(argument) == ["b/1.png"], argument
    assert _found("b/Thumbs.db", "b/__MACOSX") == ["b/Thumbs.db", "b/__MACOSX/1.png"]
    assert _found("b/__MACOSX/*.png") == ["b/__MACOSX/1.png"]


def test_each_file_is_found_once_where_it_is_first_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("b/a/1.png", "b/a/2.png", "b/z.png"):
        _write(Path(name), b"")
    whole = ["b/a/1.png", "b/a/2.png", "b/z.png"]
    for argument in ("b", "b/", "b/**", "b/**/*", "b/**/**", "./b"):
        assert [os.path.normpath(path) for path in _found(argument)] == whole, argument
    assert _found("b/*/1.png", "b", "b/a", "b/z.png", "b/a/../a/2.png", str(tmp_path / "b")) == whole
    assert _found("b/z.png", "b/./z.png", "b") == ["b/z.png", "b/a/1.png", "b/a/2.png"]
    assert find_files(["b", "no.png", "no.png"], io.BytesIO()).count(File("no.png", "no such file")) == 1


def test_a_link_is_a_file_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a/1.png", "b/deep/2.png", "2.png"):
        _write(Path(name), b"")
    Path("link.png").symlink_to("a/1.png")
    Path("linked").symlink_to("b/deep")
    assert _found("a/1.png", "link.png", "a") == ["a/1.png", "link.png"]
    # Through the link, the folder above is b, though the path reads otherwise.
    assert _found("2.png", "linked/../deep/2.png", "linked") == ["2.png", "linked/../deep/2.png"]


def test_a_loop_of_links_multiplies_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _write(Path("b/1.png"), b"")
    Path("b/again").symlink_to("..")
    assert [path for path in _found("**/*") if path.endswith(".png")] == ["b/1.png"]


def test_quoted_patterns_are_expanded_unless_a_file_is_called_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("cats/1.jpg", "cats/2.JPG", "cats/deep/3.jpg", "cat[s]/4.jpg", "5.jpg"):
        _write(Path(name), b"")
    assert _found("cats/*.jpg") == ["cats/1.jpg"]
    assert _found("cats/**/*.jpg") == ["cats/1.jpg", "cats/deep/3.jpg"]
    assert _found("cat*") == ["cat[s]/4.jpg", "cats/1.jpg", "cats/2.JPG", "cats/deep/3.jpg"]
    assert _found("cat[s]") == ["cat[s]/4.jpg"]
    assert _found("~/?.jpg") == [str(tmp_path / "5.jpg")]


def test_standard_input_lists_files_by_lines_or_nuls() -> None:
    assert _found("a", "-", "b", stdin=b"x y\n[z]\n\n") == ["x y", "[z]"]
    assert _found("-", stdin=b"\xef\xbb\xbfx y\r\n[z]\r\n\r\nlast") == ["x y", "[z]", "last"]
    assert _found("-", stdin=b"a\r\0b\r\n\0") == ["a\r", "b\r\n"]
    assert _found("-", stdin=b"two\nlines\0\xff.png\0") == ["two\nlines", "\udcff.png"]


def test_a_list_has_a_row_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _write(Path("a.png"), b"")
    assert _found("a.png", "-", "a.png", stdin=b"a.png\na.png\nb.png\n") == ["a.png", "a.png", "a.png", "b.png"]


def test_what_is_named_and_holds_nothing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    _write(Path("full/1.png"), b"")
    (tmp_path / "full" / "up").symlink_to(tmp_path)
    assert find_files(["full", "empty", "nothing.png", "*.gif"], io.BytesIO()) == [
        File("full/1.png"),
        File("full/up"),
        File("empty", "a folder without a file"),
        File("nothing.png", "no such file"),
        File("*.gif", "no such file"),
    ]
    with pytest.raises(UserError, match=r"^'empty': a folder without a file; expected pictures or folders of them$"):
        find_files(["empty", "nothing.png"], io.BytesIO())
    with pytest.raises(UserError, match="standard input: got no path"):
        find_files(["-"], io.BytesIO(b"\n"))


# --- Rows ---

_HOSTILE = "=cmd|' /C calc'!A0 [red]\x1b[2J\x1b]0;title\x07\r\nforged,row,1.0\u202e\udcff.png"


def test_csv_holds_no_formula_and_one_row_a_file(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (_HOSTILE, "-1.png", "plain.png"):
        _write(Path("in", name))
    os.chdir("in")
    code, out, err = run("--format", "csv", "--top", "2", "--", "-1.png", _HOSTILE, "plain.png", "no.png")
    assert code == command.INCOMPLETE
    assert err == "error: 1 of 4 files could not be predicted; their rows say why\n"
    assert out.count("\n") == 5
    assert out.isascii()
    header, *rows = csv.reader(io.StringIO(out))
    assert header == ["file", "label", "score", "label_2", "score_2", "error"]
    escaped = r"'=cmd|' /C calc'!A0 [red]\u001b[2J\u001b]0;title\u0007\u000d\u000aforged,row,1.0\u202e\udcff.png"
    assert [row[0] for row in rows] == ["'-1.png", escaped, "plain.png", "no.png"]
    assert [row[-1] for row in rows] == ["", "", "", "no such file"]
    assert rows[3][1:5] == [""] * 4
    for row in rows[:3]:
        assert {row[1], row[3]} < set(CLASSES)
        assert 1 >= float(row[2]) >= float(row[4]) >= 0


def test_the_table_shows_names_as_they_are_and_in_line() -> None:
    files = ["ねこ.png", "[bold]x[/bold]\x1b[31m.png", "\t" * 30]
    table = make_format("table", files, ["[red]a", "b\x1b[2J"], 5)
    rows = [
        Prediction(files[0], (("[red]a", 0.98765), ("b\x1b[2J", 0.01235))),
        Prediction(files[1], problem="truncated or damaged"),
        Prediction(files[2], (("b\x1b[2J", 1.0), ("[red]a", 1e-9))),
    ]
    escaped = r"[bold]x[/bold]\u001b[31m.png"
    assert (table.header + "".join(map(table.row, rows))).splitlines() == [
        f"{'file':60}  label       score   label_2     score_2  error",
        f"{'ねこ.png':58}  [red]a      0.9877  b\\u001b[2J  0.0123",
        f"{escaped:60}  -           -       -           -        truncated or damaged",
        r"\u0009" * 30 + r"  b\u001b[2J  1.0000  [red]a      0.0000",
    ]


def test_json_lines_give_the_names_back(run: Run, tmp_path: Path) -> None:
    hostile = _write(Path(os.fsdecode(os.fsencode(tmp_path / "x") + b"\xff\n\x1b[2J.png")))
    broken = _write(tmp_path / "ねこ.png", b"no picture")
    code, out, _ = run(tmp_path, "--top", "9", "--format", "jsonl")
    assert code == command.INCOMPLETE
    assert out.isascii()
    good, bad = _rows(out)
    assert os.fsencode(good["file"]) == os.fsencode(hostile)
    assert sorted(one["label"] for one in good["top"]) == CLASSES
    assert sum(one["score"] for one in good["top"]) == pytest.approx(1)
    assert {"label": good["label"], "score": good["score"]} == good["top"][0]
    assert good["error"] is None
    reason = "not a picture, or its header is broken"
    assert bad == {"file": str(broken), "label": None, "score": None, "top": [], "error": reason}


def test_paths_come_from_standard_input_too(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = [_write(tmp_path / name) for name in ("b.png", "a.png")]
    stdin = io.TextIOWrapper(io.BytesIO("\n".join(map(str, listed)).encode()))
    monkeypatch.setattr(sys, "stdin", stdin)
    code, out, err = run("-", tmp_path / "a.png", "--format", "jsonl")
    assert (code, err) == (command.DONE, "")
    assert [row["file"] for row in _rows(out)] == [*map(str, listed), str(tmp_path / "a.png")]


# --- Which model ---


def test_the_model_is_the_newest_version_of_a_run_or_what_is_named(tmp_path: Path) -> None:
    for name in ("9", "10", "11.partial", "backup", ".partial-12"):
        _write(tmp_path / "run" / "serving" / name / "saved_model.pb", b"")
    newest = str(tmp_path / "run" / "serving" / "10")
    assert find_model(str(tmp_path / "run")) == newest
    assert find_model(str(tmp_path / "run" / "serving")) == newest
    named = str(tmp_path / "run" / "serving" / "9")
    assert find_model(named) == named


def test_a_model_whose_variables_tensorflow_would_look_for_elsewhere_is_refused(tmp_path: Path) -> None:
    _write(tmp_path / "model[1]" / "saved_model.pb", b"")
    with pytest.raises(UserError, match=r"^model: '.*/model\[1\]' has a '\['"):
        find_model(str(tmp_path / "model[1]"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "none"], "model: no published version in 'none'; expected the folder of a version, of versions"),
        (["--model", "empty"], "model: no published version in 'empty'; expected"),
        (["--model", "half"], "model: 'half/serving/2' holds no saved_model.pb: expected a complete version"),
        (["missing"], "'missing': no such file; expected pictures or folders of them"),
        (["s3://bucket/1.jpg"], "'s3://bucket/1.jpg': an address; pictures are read from this machine, or from"),
    ],
)
def test_a_wrong_path_is_one_line_and_code_2_before_tensorflow_is_loaded(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    _write(tmp_path / "half" / "serving" / "1" / "saved_model.pb", b"")
    _write(tmp_path / "half" / "serving" / "2" / "variables" / "variables.index", b"")
    _write(tmp_path / "empty" / "pipeline" / "x", b"")
    picture = [] if arguments[0] in ("missing", "s3://bucket/1.jpg") else [str(_write(tmp_path / "a.png"))]
    done = _without_tensorflow(*arguments, *picture, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (command.BAD_INPUT, "")
    assert done.stderr.startswith(f"error: {message}")
    assert done.stderr.count("\n") == 1


def test_help_tells_the_exit_codes_and_the_risk_without_tensorflow() -> None:
    done = _without_tensorflow("--help")
    assert done.returncode == 0
    said = " ".join(done.stdout.split())
    for words in (
        "0 all predicted",
        "4 some file",
        "2 bad usage",
        "130 interrupted",
        "load only models that you trust",
    ):
        assert words in said


def test_bad_usage_is_code_2_without_tensorflow() -> None:
    done = _without_tensorflow("x.png", "--top", "0")
    assert done.returncode == command.BAD_INPUT
    assert "argument --top: got '0', expected a whole number of 1 or more" in done.stderr


def _drop(*parts: str) -> Callable[[Path], None]:
    return lambda folder: folder.joinpath(*parts).unlink()


def _fill(*parts: str, data: bytes) -> Callable[[Path], None]:
    return lambda folder: _none(folder.joinpath(*parts).write_bytes(data))


def _none(_: object) -> None:
    return None


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_drop("variables", "variables.index"), "cannot be loaded"),
        (_fill("variables", "variables.data-00000-of-00001", data=b""), "cannot be loaded"),
        (_fill("saved_model.pb", data=b""), "cannot be loaded"),
        (_fill("saved_model.pb", data=b"\xff" * 100), "cannot be loaded"),
        (_drop("assets.extra", "labels.txt"), "cannot be loaded"),
        (_fill("assets.extra", "labels.txt", data=b"apple\nberry\n"), "names 2 classes"),
        (_fill("assets.extra", "max_pixels.txt", data=b"many\n"), "cannot be loaded"),
    ],
    ids=["no index", "no weights", "empty", "noise", "no labels", "other labels", "no limit"],
)
def test_a_spoilt_model_is_one_line_and_code_2(
    version: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], spoil: Callable[[Path], None], message: str
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(version, folder)
    spoil(folder)
    assert predict.main([str(_write(tmp_path / "a.png")), "--model", str(folder)]) == command.BAD_INPUT
    shown = capfd.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(f"error: model: '{folder}' {message}")
    assert shown.err.count("\n") == 1


class _Foreign(tf.Module):
    """A model of somebody else."""

    def __init__(self, answer: Sequence[float]) -> None:
        super().__init__()
        self.answer = tf.constant(answer)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")])
    def serve(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probabilities": tf.repeat(self.answer[None], tf.size(image_bytes), axis=0)}


def _save(
    folder: Path,
    signatures: str = "serving_default",
    answer: Sequence[float] = (0.25, 0.75),
    max_pixels: int = 10_000_000,
) -> str:
    model = _Foreign(answer)
    tf.saved_model.save(model, str(folder), signatures={signatures: model.serve})
    ModelAssets(["a", "b"], max_pixels).write(str(folder))
    return str(folder)


def test_a_model_without_the_signature_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no signature 'serving_default' from 'image_bytes' to 'probabilities'"):
        Predictor(_save(tmp_path / "model", signatures="other"))


def test_a_model_that_gives_no_number_leaves_no_label(tmp_path: Path) -> None:
    predictor = Predictor(_save(tmp_path / "model", answer=[float("nan"), 0.5]))
    ((row,),) = predictor.predict([File(str(_write(tmp_path / "a.png")))], top=2)
    assert row == Prediction(str(tmp_path / "a.png"), problem="the model gives no number for it")


# --- The process ---


def _arguments(*arguments: str, blocked: Sequence[str]) -> list[str]:
    """The command for a process of its own, in which importing what is blocked would fail loudly."""
    blocker = f"import sys; sys.modules.update(dict.fromkeys({list(blocked)}))"
    code = f"{blocker}; from pipeline.predict import main; sys.exit(main(sys.argv[1:]))"
    return [sys.executable, "-c", code, *arguments]


def _without_tensorflow(*arguments: str, cwd: Path = REPOSITORY) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    program = _arguments(*arguments, blocked=["tensorflow"])
    return subprocess.run(program, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def test_it_needs_neither_tfx_nor_keras_and_its_bar_stays_out_of_the_rows(version: Path, tmp_path: Path) -> None:
    _write(tmp_path / "in" / "a.png")
    # TensorFlow's JPEG decoder writes a complaint about such bytes to standard error.
    damaged = encode(make_pixels(0), "JPEG").replace(b"\xff\xd9", b"\0" * 99 + b"\xff\xd9")
    _write(tmp_path / "in" / "b.jpg", damaged)
    program = _arguments(
        *(str(tmp_path / "in"), "--model", str(version), "--format", "csv"),
        blocked=["tfx", "apache_beam", "keras", "tf_keras", "tensorflow_transform"],
    )
    ours, theirs = pty.openpty()
    shown = b""
    with (
        (tmp_path / "rows.csv").open("w") as rows,
        subprocess.Popen(program, cwd=REPOSITORY, stdout=rows, stderr=theirs) as process,
    ):
        os.close(theirs)
        with contextlib.suppress(OSError):  # Linux tells the end of a terminal so
            while chunk := os.read(ours, 4096):
                shown += chunk
        os.close(ours)
        assert process.wait() == command.DONE, shown
    text = (tmp_path / "rows.csv").read_text()
    assert [row["file"] for row in csv.DictReader(io.StringIO(text))] == [
        str(tmp_path / "in" / name) for name in ("a.png", "b.jpg")
    ]
    assert text.count("\n") == 3
    assert str(version).encode() in shown
    assert b"2/2" in shown
    assert b"Corrupt" not in shown


def test_ctrl_c_ends_it_at_once_with_whole_rows(version: Path, tmp_path: Path) -> None:
    listed = _write(tmp_path / "list", f"{_write(tmp_path / 'a.png')}\n".encode() * 100_000)
    program = [sys.executable, "-m", "pipeline.predict", "-", "--model", str(version), "--format", "jsonl"]
    with (
        listed.open() as stdin,
        (tmp_path / "errors").open("w+") as errors,
        inherited(signal.SIGINT),
        subprocess.Popen(
            program,
            cwd=REPOSITORY,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        assert process.stdout
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait() == command.INTERRUPTED
    assert (tmp_path / "errors").read_text() == "interrupted\n"
    assert 1 <= len(_rows(first + rest)) < 100_000


def test_a_reader_that_leaves_ends_it_quietly(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        code, _, err = run(_write(tmp_path / "a.png"))
    assert (code, err) == (command.FAILED, "")


def test_rows_that_find_no_room_are_one_line_and_code_1(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open("/dev/full", "w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        code, _, err = run(_write(tmp_path / "a.png"))
    assert (code, err) == (command.FAILED, "error: [Errno 28] No space left on device\n")
