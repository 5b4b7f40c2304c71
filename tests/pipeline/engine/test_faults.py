"""What a run says, and what the next one makes of it, when the place that it writes to or reads from fails."""

import contextlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from inherited_signals import inherited
from pictures import write_classes
from workplace import REPOSITORY, Workplace

from pipeline import local_run
from pipeline.engine import faults
from pipeline.screen import Screen

_UNSHARE = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
_MOUNTS = subprocess.run(
    [*_UNSHARE, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, text=True, check=False
)
needs_mounts = pytest.mark.skipif(
    _MOUNTS.returncode != 0, reason=f"a mount of one's own is not permitted here: {_MOUNTS.stderr.strip()}"
)
_AGAIN = "free some and run the same command again"


def _command(
    *arguments: str, mounts: str = "", user: int | None = None, out: str = "", err: str = ""
) -> "subprocess.CompletedProcess[str]":
    """The command with TensorFlow out of reach: a run that comes as far as to load it fails with code 1.

    Args:
      arguments: of the command.
      mounts: a shell script that mounts things, in a mount namespace of its own.
      user: id of the user to become after all imports; the present one by default.
      out: file to print to.
      err: file for standard error.
    """
    code = [
        "import os, sys",
        "sys.modules.update(dict.fromkeys(['tensorflow', 'keras', 'tfx', 'apache_beam']))",
        "from pipeline.local_run import main",
        *([] if user is None else ["os.setgroups([])", f"os.setgid({user})", f"os.setuid({user})"]),
        "sys.exit(main(sys.argv[1:]))",
    ]
    command = [sys.executable, "-c", "; ".join(code), *arguments]
    if mounts:
        command = [*_UNSHARE, "sh", "-ec", f'{mounts}\nexec "$@"', "sh", *command]
    with open(out or os.devnull, "a") as stdout, open(err or os.devnull, "a") as stderr:
        return subprocess.run(
            command,
            cwd=REPOSITORY,
            stdout=stdout if out else subprocess.PIPE,
            stderr=stderr if err else subprocess.PIPE,
            text=True,
            check=False,
        )


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    place = Workplace(tmp_path)
    write_classes(place.data, {"apple": 2, "berry": 2})
    return place


def _write_store(place: Workplace) -> Path:
    """Makes a database of some pages where the metadata store should be."""
    place.output.mkdir()
    path = place.output / "metadata.db"
    store = sqlite3.connect(path)
    store.execute("CREATE TABLE Execution (id INTEGER PRIMARY KEY, name TEXT)")
    store.executemany("INSERT INTO Execution (name) VALUES (?)", [("a name " * 100,) for _ in range(50)])
    store.commit()
    store.close()
    return path


@needs_mounts
@pytest.mark.parametrize("name", ["output", "output/inside/it"])
def test_a_read_only_output_folder_is_bad_input(place: Workplace, name: str) -> None:
    place.output.mkdir()
    mounts = f"mount --bind {place.output} {place.output}; mount -o remount,bind,ro none {place.output}"
    output = place.root / name
    done = _command("--data", str(place.data), "--output", str(output), mounts=mounts)
    named = place.output / ".lock" if name == "output" else place.output / "inside"
    assert (done.returncode, done.stdout) == (local_run.BAD_INPUT, "")
    assert done.stderr == (
        f"error: output: '{named}' cannot be written (Read-only file system); choose another folder with --output\n"
    )


@pytest.mark.parametrize(("name", "reason"), [("file", "File exists"), ("file/inside", "Not a directory")])
def test_a_file_where_the_output_folder_should_be_is_bad_input(place: Workplace, name: str, reason: str) -> None:
    (place.root / "file").write_text("kept")
    done = _command("--data", str(place.data), "--output", str(place.root / name))
    assert (done.returncode, done.stdout) == (local_run.BAD_INPUT, "")
    assert done.stderr.startswith(f"error: output: '{place.root / name}' cannot be written ({reason})")
    assert done.stderr.count("\n") == 1
    assert (place.root / "file").read_text() == "kept"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("name", ["", "logs", "pipeline", "metadata.db"])
def test_an_output_folder_of_somebody_else_is_bad_input(name: str) -> None:
    with tempfile.TemporaryDirectory() as directory:  # pytest's own folder lets nobody in
        os.chmod(directory, 0o755)
        output = Path(directory, "output")
        output.mkdir()
        if name:
            output.chmod(0o777)
            (output / name).mkdir() if "." not in name else (output / name).touch()
        done = _command("--output", str(output), user=65534)
        assert (done.returncode, done.stdout) == (local_run.BAD_INPUT, "")
        assert done.stderr.startswith(
            f"error: output: '{output / (name or '.lock')}' cannot be written (Permission denied)"
        )
        assert done.stderr.count("\n") == 1
        assert not (output / "sample_data").exists()


@needs_mounts
@pytest.mark.parametrize(
    ("options", "free"),
    [
        pytest.param("nr_inodes=1", "MB but no inodes free now", id="for the folder"),
        pytest.param("size=1m", "1 MB free now", id="for the metadata store"),
        pytest.param("nr_inodes=100", "MB but no inodes free now", id="for the sample pictures"),
    ],
)
def test_a_disk_that_is_full_from_the_start_is_told_before_anything_is_loaded(
    place: Workplace, options: str, free: str
) -> None:
    place.output.mkdir()
    output = place.output / "inside"
    done = _command("--output", str(output), mounts=f"mount -t tmpfs -o size=20m,{options} none {place.output}")
    assert (done.returncode, done.stdout) == (local_run.FAILED, "")
    assert done.stderr.startswith("error: no space left on '")
    assert f"{free})" in done.stderr
    assert done.stderr.endswith(f"; {_AGAIN}\n")
    assert done.stderr.count("\n") == 1


def test_neither_the_screen_nor_the_exit_code_suffers_from_a_full_disk_or_a_closed_pipe(place: Workplace) -> None:
    (place.data / "berry").rename(place.root / "berry")
    arguments = ("--data", str(place.data), "--output", str(place.output))
    assert _command(*arguments, out="/dev/full", err="/dev/full").returncode == local_run.BAD_INPUT


_AFRESH = "move it and the folder 'pipeline' beside it away: every step then runs again"


@pytest.mark.parametrize("damage", ["rubbish", "cut off", "overwritten inside"])
def test_a_damaged_metadata_store_is_told_before_anything_is_loaded(place: Workplace, damage: str) -> None:
    store = _write_store(place)
    if damage == "rubbish":
        store.write_bytes(b"rubbish" * 5000)
    elif damage == "cut off":
        os.truncate(store, store.stat().st_size // 2)
    else:
        with store.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * 8192)
    done = _command("--data", str(place.data), "--output", str(place.output))
    assert (done.returncode, done.stdout) == (local_run.FAILED, "")
    assert done.stderr == f"error: the metadata store '{store}' is damaged; {_AFRESH}\n"


def test_a_locked_metadata_store_is_told_before_anything_is_loaded(place: Workplace) -> None:
    store = _write_store(place)
    other = sqlite3.connect(store, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    done = _command("--data", str(place.data), "--output", str(place.output))
    other.close()
    assert (done.returncode, done.stdout) == (local_run.FAILED, "")
    assert done.stderr == (
        f"error: the metadata store '{store}' is locked by another program; "
        "end that one and run the same command again\n"
    )


def test_a_folder_in_the_place_of_the_metadata_store_is_bad_input(place: Workplace) -> None:
    (place.output / "metadata.db").mkdir(parents=True)
    done = _command("--data", str(place.data), "--output", str(place.output))
    assert (done.returncode, done.stdout) == (local_run.BAD_INPUT, "")
    assert done.stderr == (
        f"error: the metadata store '{place.output}/metadata.db' cannot be used (unable to open database file)\n"
    )


def test_a_store_that_is_in_order_is_left_as_it_is(place: Workplace) -> None:
    before = _write_store(place).read_bytes()
    faults.check_metadata(place.output)
    assert (place.output / "metadata.db").read_bytes() == before
    assert [path.name for path in place.output.iterdir()] == ["metadata.db"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("OSError: [Errno 122] Disk quota exceeded [while running 'Store']", "no space left on "),
        ("Concurrent writes aborted after max number of retries.", "is locked by another program"),
        ("Error when executing query: database disk image is malformed", "is damaged"),
    ],
)
def test_a_fault_is_known_by_its_words_however_it_is_wrapped(tmp_path: Path, words: str, told: str) -> None:
    error = ValueError("a library's own")
    error.__context__ = KeyError("another")
    error.__context__.__cause__ = RuntimeError(words)
    with pytest.raises(faults.FaultError, match=f"^Trainer failed: .*{told}"):
        faults.raise_if_known(error, tmp_path, "Trainer failed: ")
    faults.raise_if_known(ValueError("a library's own"), tmp_path)


_OTHER = Path("/dev/shm")


@pytest.mark.skipif(not _OTHER.is_dir() or _OTHER.is_mount() is False, reason="one file system alone")
@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device", "/dev/shm/new/file"),
        OSError(28, "No space left on device", __file__, None, "/dev/shm/a copy"),
        RuntimeError("/dev/shm/part-00000; No space left on device [Op:WriteFile]"),
        RuntimeError("OSError: [Errno 28] No space left on device: '/dev/shm/a file' [while running 'Store']"),
    ],
    ids=str,
)
def test_a_full_file_system_is_the_one_that_the_error_names(tmp_path: Path, error: Exception) -> None:
    with pytest.raises(faults.FaultError, match=r"^no space left on '/dev/shm' \(\d+ MB free now\); free some and"):
        faults.raise_if_known(error, tmp_path)


@needs_mounts
@pytest.mark.parametrize("options", ["size=64k", "nr_inodes=2"])
def test_where_the_error_names_none_it_is_the_one_that_is_full(tmp_path: Path, options: str) -> None:
    code = (
        "from pathlib import Path; from pipeline.engine import faults; "
        f"faults.raise_if_known(OSError(28, 'No space left on device'), Path({str(tmp_path)!r}))"
    )
    script = f'mount -t tmpfs -o {options} none /mnt; head -c 64k /dev/zero > /mnt/filler; TMPDIR=/mnt exec "$@"'
    command = [*_UNSHARE, "sh", "-c", script, "sh", sys.executable, "-c", code]
    told = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False).stderr.splitlines()[-1]
    assert re.search(r"FaultError: no space left on '/mnt' \(\d+ MB [^)]*\); free some", told)


def _started(place: Workplace) -> "subprocess.Popen[str]":
    """The command, as it begins to load TensorFlow."""
    command = [sys.executable, "-m", "pipeline.local_run", *place.arguments()]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout
    while not process.stdout.readline().startswith("log "):
        pass
    return process


def _ended(process: "subprocess.Popen[str]") -> tuple[int, str]:
    _, err = process.communicate(timeout=60)
    return process.returncode, err


_INTERRUPTED = "interrupted: the same command goes on where this one stopped\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_each_signal_that_asks_to_end_interrupts(place: Workplace, number: signal.Signals) -> None:
    with inherited(number):
        process = _started(place)
    process.send_signal(number)
    assert _ended(process) == (local_run.INTERRUPTED, _INTERRUPTED)


_INTERRUPTED_IN_EXEC = """
import os, signal, sys
from pipeline import local_run
from pipeline.screen import Screen
def running(*_):
    exec("import time; os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)")
Screen.running = running
sys.exit(local_run.main(sys.argv[1:]))
"""


def test_the_exit_code_is_the_same_whatever_the_interrupt_went_through(place: Workplace) -> None:
    (place.root / "interrupted_run.py").write_text(_INTERRUPTED_IN_EXEC)
    done = subprocess.run(
        [sys.executable, "-m", "interrupted_run", *place.arguments()],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(place.root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (local_run.INTERRUPTED, _INTERRUPTED)


def test_under_nohup_a_closed_terminal_interrupts_nothing(place: Workplace) -> None:
    with inherited(signal.SIGHUP, signal.SIG_IGN):
        process = _started(place)
    process.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=1)
    process.terminate()
    assert _ended(process) == (local_run.INTERRUPTED, _INTERRUPTED)


@pytest.mark.slow
def test_an_interrupt_that_an_import_swallows_ends_the_run_before_its_first_step(
    place: Workplace, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def swallow(*_: Any) -> contextlib.AbstractContextManager[None]:
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        return contextlib.nullcontext()

    monkeypatch.setattr(Screen, "running", swallow)
    assert place.run() == local_run.INTERRUPTED
    shown = capfd.readouterr()
    assert shown.err == _INTERRUPTED
    assert shown.out.splitlines()[-1] == ""
    assert not (place.output / "pipeline").exists()


class _Server:
    """`tests/run_server.py`, in a mount namespace of its own."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [*_UNSHARE, sys.executable, str(REPOSITORY / "tests" / "run_server.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def _ask(self, **request: Any) -> dict[str, Any]:
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps(request), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())

    def shell(self, command: str) -> str:
        answer = self._ask(shell=command)
        assert answer["code"] == 0, answer
        return answer["output"]

    def run(self, arguments: list[str], at: str = "", then: str = "", pipe: str = "cat") -> dict[str, Any]:
        return self._ask(arguments=arguments, at=at, then=then, pipe=pipe)

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


class _Fault(NamedTuple):
    """What happens at which moment of a run, what mends it, and how the run must end."""

    at: str
    then: str
    mend: str
    code: int
    line: str


_FILL = "cat /dev/zero > disk/filler || true"
_NEARLY_FILL = "fallocate -l $(($(df --output=avail -B1 disk | tail -n 1) - {leave})) disk/filler"
_EMPTY = "rm -f disk/filler"
_RETURN = "mount --bind disk output"
_FULL = "no space left on '{output}' .*MB free now.*; " + _AGAIN
_GONE = "the output folder '{output}' is gone: it was unmounted, removed or replaced while the run wrote to it; .*"
# One after another in the same output folder, so that each run also shows that the fault before it left nothing bad.
_FAULTS = {
    "a picture changes": _Fault(
        "files examined",
        "printf x >> data/berry/039.png",
        "truncate --size=-1 data/berry/039.png",
        local_run.BAD_INPUT,
        "error: .* changed while it was read; run again when nothing changes it",
    ),
    "the data folder is unmounted": _Fault(
        "files examined", "umount -l data", "mount --bind pictures data", local_run.BAD_INPUT, "error: .*'{data}'.*"
    ),
    "the disk is full before the first step": _Fault(
        "start loading TensorFlow", _FILL, _EMPTY, local_run.FAILED, f"error: {_FULL}"
    ),
    "the disk is full in ImageExampleGen": _Fault(
        "pictures stored", _FILL, _EMPTY, local_run.FAILED, f"error: ImageExampleGen failed: {_FULL}"
    ),
    "the disk is nearly full for the metadata store": _Fault(
        "start StatisticsGen",
        _NEARLY_FILL.format(leave=50_000),
        _EMPTY,
        local_run.FAILED,
        f"error: StatisticsGen failed: {_FULL}",
    ),
    "the disk is full in FeatureExtractor": _Fault(
        "pictures", _FILL, _EMPTY, local_run.FAILED, f"error: FeatureExtractor failed: {_FULL}"
    ),
    "the disk is full in Trainer": _Fault(
        "start Trainer",
        _NEARLY_FILL.format(leave=20_000_000),
        _EMPTY,
        local_run.FAILED,
        f"error: Trainer failed: {_FULL}",
    ),
    "the output folder is unmounted": _Fault(
        "steps of stage 1", "umount -l output", _RETURN, local_run.FAILED, f"error: {_GONE}"
    ),
    "an empty read-only folder takes the place of the output folder": _Fault(
        "steps of stage 1",
        "umount -l output && mount -t tmpfs -o ro none output",
        f"umount output && {_RETURN}",
        local_run.FAILED,
        f"error: {_GONE}",
    ),
    "the run is asked to end": _Fault(
        "steps of stage 1", "kill -TERM $PPID", "true", local_run.INTERRUPTED, _INTERRUPTED.strip()
    ),
    "the disk is full for the summary": _Fault(
        "end Report",
        f"rm -rf output/pipeline/*/*/.unfinished-*; {_FILL}",  # a run clears these up before its last files
        _EMPTY,
        local_run.FAILED,
        f"error: {_FULL}",
    ),
    "another version of ML Metadata wrote the store": _Fault(
        "start loading TensorFlow",
        f"{sys.executable} -c \"import sqlite3; store = sqlite3.connect('output/metadata.db'); "
        "store.execute('UPDATE MLMDEnv SET schema_version = schema_version + 90'); store.commit()\"",
        f"{sys.executable} -c \"import sqlite3; store = sqlite3.connect('output/metadata.db'); "
        "store.execute('UPDATE MLMDEnv SET schema_version = schema_version - 90'); store.commit()\"",
        local_run.FAILED,
        f"error: the metadata store '{{output}}/metadata.db' was written by another version of ML Metadata; {_AFRESH}",
    ),
}


class _Faulty(NamedTuple):
    """What the runs with faults said, by fault; what the one after them did, whose reader left after a line."""

    place: Workplace
    faults: dict[str, dict[str, Any]]
    last: dict[str, Any]
    summary: dict[str, Any]
    orphans: str


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Faulty]:
    """Goes through all the faults."""
    place = Workplace(tmp_path_factory.mktemp("faulty"))
    write_classes(place.root / "pictures", {"apple": 30, "berry": 40})
    for name in ("data", "disk", "output"):
        (place.root / name).mkdir()
    settings = ("trainer.fine_tune=false", "trainer.solver=adam", "trainer.epochs=2", "gate.min_accuracy=0")
    arguments = place.arguments(*(f"--set={setting}" for setting in settings))
    here = f"cd {place.root} && "
    server = _Server()
    server.shell(f"{here} mount -t tmpfs -o size=400m none disk && {_RETURN} && mount --bind pictures data")
    said = {}
    for name, fault in _FAULTS.items():
        said[name] = server.run(arguments, fault.at, here + fault.then)
        server.shell(here + fault.mend)
    last = server.run(arguments, pipe="head -n 1")
    summary = json.loads(server.shell(f"cat {place.output}/run_summary.json"))
    query = "SELECT count(*) FROM Event WHERE execution_id NOT IN (SELECT id FROM Execution)"
    orphans = server.shell(
        f'{sys.executable} -c "import sqlite3; '
        f"print(*sqlite3.connect('{place.output}/metadata.db').execute('{query}').fetchone())\""
    )
    yield _Faulty(place, said, last, summary, orphans)
    server.close()


@pytest.mark.slow
@needs_mounts
@pytest.mark.parametrize("name", _FAULTS)
def test_a_fault_in_the_midst_of_a_run_is_one_line(faulty: _Faulty, name: str) -> None:
    fault, said = _FAULTS[name], faulty.faults[name]
    assert said["code"] == fault.code, said
    (line,) = said["err"].splitlines()
    assert re.fullmatch(fault.line.format(output=faulty.place.output, data=faulty.place.data), line)


@pytest.mark.slow
@needs_mounts
def test_the_run_after_all_faults_publishes_though_nobody_reads_what_it_prints(faulty: _Faulty) -> None:
    assert (faulty.last["code"], faulty.last["err"]) == (local_run.PUBLISHED, "")
    assert faulty.last["out"] == f"pictures   {faulty.place.data}\n"
    assert (faulty.summary["files"]["found"], faulty.summary["files"]["used"]) == (70, 70)
    assert faulty.summary["pushed_to"].startswith(str(faulty.place.output / "serving"))
    assert faulty.orphans == "0\n", "half an execution in the metadata store"
