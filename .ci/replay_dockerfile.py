#!/usr/bin/env python3
"""Replays a Dockerfile in folders instead of images, where there is no Docker: as root on Debian.

    python3 .ci/replay_dockerfile.py FOLDER [--build-arg NAME=VALUE ...] [--run COMMAND]

Each stage becomes a folder in FOLDER, the last one FOLDER/image, in which COMMAND is run at last. A stage that was made
before from the same instructions and files is kept. A stage whose base is debian:13-slim starts from debootstrap's
smallest Debian 13. Known are FROM, ARG, ENV, WORKDIR, COPY, RUN, USER and CMD, as this project's Dockerfile uses them;
anything else stops the replay.
"""

import argparse
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

BASES = {"debian:13-slim": "trixie"}
_CONTEXT = Path(__file__).resolve().parent.parent
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_DEFAULT_ENVIRONMENT = {"PATH": _PATH, "HOME": "/root", "LANG": "C.UTF-8"}
_DEVICES = ("/dev", "/sys")
# How this machine reaches package registries. Its own certificates only, of which the image's `ca-certificates` makes
# a bundle with Debian's: that package writes to /etc/ssl/certs. Nothing in the image may write to these.
_SETTINGS = ("/etc/resolv.conf", "/etc/pip.conf", "/usr/local/share/ca-certificates")
_PASSED = re.compile(r"PIP_.*|SSL_CERT_.*|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|(HTTPS?|ALL|NO)_PROXY", re.IGNORECASE)
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})")


class Instruction(NamedTuple):
    """One instruction: its name in capitals, and all that follows it on one line."""

    name: str
    rest: str


class UnknownInstructionError(Exception):
    """The Dockerfile asks for something that this replay does not do."""


def parse(text: str) -> list[Instruction]:
    """The instructions of a Dockerfile.

    Lines that end in a backslash go on in the next one; comment lines count nowhere, not even between such lines.
    """
    instructions = []
    line = ""
    for part in text.splitlines():
        if part.lstrip().startswith("#") or (not line and not part.strip()):
            continue
        line += part.strip() if not line else f" {part.strip()}"
        if line.endswith("\\"):
            line = line[:-1].rstrip()
            continue
        name, _, rest = line.partition(" ")
        instructions.append(Instruction(name.upper(), rest.strip()))
        line = ""
    return instructions


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Puts the values of $NAME and ${NAME} in; a name without a value becomes nothing."""
    return _VARIABLE.sub(lambda found: variables.get(found[1] or found[2], ""), text)


def in_context(text: str) -> list[str]:
    """The names at the top of the context that a .dockerignore lets through: all but these are left out."""
    patterns = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    names = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    if patterns[:1] != ["*"] or not all(re.fullmatch(r"!?[\w.-]+|\*|\*\*/\w+", pattern) for pattern in patterns):
        raise UnknownInstructionError(".dockerignore: expected '*' first, then lines such as !folder")
    return names


class Stage:
    """One stage: a root, and what the instructions so far have set."""

    def __init__(self, root: Path, base: "Stage | None") -> None:
        self.root = root
        self.environment = dict(base.environment if base else _DEFAULT_ENVIRONMENT)
        self.workdir = base.workdir if base else "/"
        self.user = base.user if base else "0:0"
        self.arguments: dict[str, str] = {}
        self.digest = ""
        self.is_made = False

    @property
    def variables(self) -> dict[str, str]:
        """What $NAME stands for."""
        return {**self.arguments, **self.environment}

    def run(self, command: str) -> None:
        """Runs a shell command inside, with this machine's network, as the stage's user."""
        passed = {name: value for name, value in os.environ.items() if _PASSED.fullmatch(name)}
        variables = [f"{name}={value}" for name, value in {**passed, **self.variables}.items()]
        inside = f"cd {shlex.quote(self.workdir)} && {command}"
        chroot = ["chroot", f"--userspec={self.user}", str(self.root), "env", "-i", *variables, "/bin/sh", "-c", inside]
        script = "".join(f"{line} && " for line in [f"mount -t proc proc {self.root}/proc", *self._shares()])
        # What is mounted is seen by this command alone and gone with it.
        subprocess.run(["unshare", "--mount", "sh", "-c", f'{script} exec "$@"', "sh", *chroot], check=True)

    def _shares(self) -> list[str]:
        lines = []
        for path in (*_DEVICES, *_SETTINGS):
            inside = self.root / path[1:]
            if os.path.isdir(path):
                inside.mkdir(parents=True, exist_ok=True)
            elif os.path.isfile(path):
                inside.parent.mkdir(parents=True, exist_ok=True)
                inside.touch()
            else:
                continue
            lines.append(f"mount --rbind {path} {inside}")
            if path in _SETTINGS:
                lines.append(f"mount -o remount,bind,ro {inside}")
        return lines

    def copy(self, sources: list[Path], target: str) -> None:
        """Copies files, or what is in folders, as COPY does; what is linked into place is not written to later."""
        goal = self.root / os.path.join(self.workdir, target).lstrip("/")
        for source in sources:
            if source.is_dir():
                goal.mkdir(parents=True, exist_ok=True)
                how = ["--archive", "--link"] if _CONTEXT not in source.parents else ["--recursive"]
                subprocess.run(["cp", *how, f"{source}/.", str(goal)], check=True)
                for cache in goal.rglob("__pycache__") if _CONTEXT in source.parents else ():
                    shutil.rmtree(cache)
            else:
                place = goal / source.name if target.endswith("/") or len(sources) > 1 else goal
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, place)


class Replay:
    """A replay in progress."""

    def __init__(self, folder: Path, arguments: Mapping[str, str]) -> None:
        """Does nothing yet.

        Args:
          folder: where the stages' roots go.
          arguments: values of ARG.
        """
        self._folder = folder
        self._arguments = arguments
        self._stages: dict[str, Stage] = {}
        self.stage: Stage | None = None

    def do_all(self, instructions: list[Instruction]) -> None:
        """Does the instructions of a Dockerfile; `do` tells what may be raised."""
        starts = [index for index, one in enumerate(instructions) if one.name == "FROM"]
        for start, end in zip(starts, [*starts[1:], len(instructions)], strict=True):
            self._begin(instructions[start].rest, self._digest(instructions[start:end]))
            for instruction in instructions[start + 1 : end]:
                self.do(instruction)
            self._now.is_made = True
            (self._folder / f"{self._now.root.name}.digest").write_text(self._now.digest)

    def do(self, instruction: Instruction) -> None:
        """Does one instruction. In a stage that is kept, only what the next ones have to know is done.

        Raises:
          UnknownInstructionError: it is none that is known.
        """
        print(f"--- {instruction.name} {instruction.rest}", flush=True)
        act = getattr(self, f"_{instruction.name.lower()}", None)
        if act is None:
            raise UnknownInstructionError(f"{instruction.name}: this replay does not know it")
        act(instruction.rest)

    def _begin(self, rest: str, digest: str) -> None:
        image, _, name = rest.partition(" AS ")
        name = name or "image"
        root = self._folder / name
        base = self._stages.get(image)
        self.stage = self._stages[name] = Stage(root, base)
        self.stage.digest = digest
        made = self._folder / f"{name}.digest"
        if made.exists() and made.read_text() == digest:
            self.stage.is_made = True
            return
        made.unlink(missing_ok=True)
        source = base.root if base else self._base(image)
        subprocess.run(["rm", "-rf", str(root)], check=True)
        subprocess.run(["cp", "--archive", str(source), str(root)], check=True)

    def _digest(self, instructions: list[Instruction]) -> str:
        """Of all that a stage is made from: the stages before it, its instructions, their arguments and files."""
        digest = hashlib.sha256(repr([stage.digest for stage in self._stages.values()]).encode())
        names = [one.rest.partition("=")[0] for one in instructions if one.name == "ARG"]
        digest.update(repr((instructions, [(name, self._arguments.get(name)) for name in names])).encode())
        copied = [one.rest.split()[:-1] for one in instructions if one.name == "COPY" and "--from=" not in one.rest]
        for source in (_CONTEXT / name for names in copied for name in names):
            files = sorted(path for path in source.rglob("*") if "__pycache__" not in path.parts) or [source]
            for file in filter(Path.is_file, files):
                digest.update(f"{file}\0".encode() + file.read_bytes())
        return digest.hexdigest()

    def _base(self, image: str) -> Path:
        if image not in BASES:
            raise UnknownInstructionError(f"FROM {image}: expected a stage or one of {', '.join(BASES)}")
        root = self._folder / BASES[image]
        if not root.exists():
            part = root.with_suffix(".part")
            subprocess.run(["rm", "-rf", str(part)], check=True)
            subprocess.run(["debootstrap", "--variant=minbase", BASES[image], str(part)], check=True)
            part.rename(root)  # only a whole root gets the name
        return root

    def _arg(self, rest: str) -> None:
        name, _, default = rest.partition("=")
        self._now.arguments[name] = self._arguments.get(name, default)

    def _env(self, rest: str) -> None:
        pairs = [part.partition("=") for part in shlex.split(expand(rest, self._now.variables))]
        self._now.environment |= {name: value for name, _, value in pairs}

    def _workdir(self, rest: str) -> None:
        self._now.workdir = os.path.join(self._now.workdir, expand(rest, self._now.variables))
        (self._now.root / self._now.workdir.lstrip("/")).mkdir(parents=True, exist_ok=True)

    def _user(self, rest: str) -> None:
        self._now.user = rest

    def _copy(self, rest: str) -> None:
        if self._now.is_made:
            return
        *sources, target = shlex.split(expand(rest, self._now.variables))
        if sources[0].startswith("--from="):
            stage = self._stages[sources.pop(0).removeprefix("--from=")]
            paths = [stage.root / source.lstrip("/") for source in sources]
        else:
            let_through = in_context((_CONTEXT / ".dockerignore").read_text())
            if left_out := [source for source in sources if source.split("/")[0] not in let_through]:
                raise UnknownInstructionError(f"COPY {left_out[0]}: .dockerignore leaves it out")
            paths = [_CONTEXT / source for source in sources]
        self._now.copy(paths, target)

    def _run(self, rest: str) -> None:
        if not self._now.is_made:
            self._now.run(rest)

    def _cmd(self, rest: str) -> None:
        """Only tells what a container would start with."""

    @property
    def _now(self) -> Stage:
        assert self.stage, "FROM comes first"
        return self.stage


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description="Replays the Dockerfile in folders instead of images.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--build-arg", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--run", metavar="COMMAND", help="shell command to run in the image at last")
    options = parser.parse_args()
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    replay = Replay(folder, dict(text.split("=", 1) for text in options.build_arg))
    replay.do_all(parse((_CONTEXT / "Dockerfile").read_text()))
    if options.run:
        assert replay.stage
        replay.stage.run(options.run)


if __name__ == "__main__":
    try:
        main()
    except (UnknownInstructionError, subprocess.CalledProcessError) as error:
        sys.exit(f"error: {error}")
