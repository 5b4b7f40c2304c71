"""Checks the command line of `compile` and `submit`, in the standard library alone: each mistake is one line."""

import argparse
import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import TypeVar

from common import folders
from common.errors import UserError
from pipeline import run_folders
from pipeline.config import Config
from pipeline.engine import connection
from pipeline.kubeflow import parameters
from pipeline.kubeflow.deployment import SHARED_MEMORY, TEMPORARY, Deployment, Placement, Toleration
from pipeline.steps import GPU_STEPS, STEPS

METADATA = connection.EXPECTED
# What `deploy/` sets up.
ROOT, VOLUME = "/mnt/pipeline", "classifier:/mnt"
STORE, SECRET = "mysql://mariadb:3306/metadata?credentials=/secrets/metadata", "metadata:/secrets/metadata"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")  # of a claim or secret, which KFP gives to a volume too
_RESOURCE = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_LABEL = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]{0,252}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_CPU = re.compile(r"[0-9]*\.?[0-9]+|[0-9]+m")
_MEMORY = re.compile(r"[0-9]+([EPTGMK]i?)?")
_BUCKET = re.compile(r"gs://[a-z0-9][-a-z0-9_.]+(/\S*)?")
_VERSION = re.compile(r"[0-9]+(\.[0-9a-z]+)+")
_IMAGE = re.compile(r"\S+")
# Kubernetes takes the first two in a container's arguments for its own, and Argo the third.
_NOT_VERBATIM = re.compile(r"\$[$(]|\{\{")

Value = TypeVar("Value")


def deployment(options: argparse.Namespace, config: Config) -> Deployment:
    """What the options of `compile` say.

    Raises:
      UserError: one of them, or a folder of the configuration, cannot be right.
    """
    volumes = _mounts("--pvc", options.pvc or ([VOLUME] if options.pipeline_root == ROOT else []))
    secrets = _mounts("--secret", options.secret or ([SECRET] if options.metadata == STORE else []))
    if both := sorted(volumes.keys() & secrets.keys()):
        raise UserError(f"--secret: {both[0]!r} is where a --pvc is mounted, expected another folder")
    if both := sorted(set(volumes.values()) & set(secrets.values())):
        raise UserError(
            f"--secret: {both[0]!r} is the name of a --pvc too, and KFP would make one volume of both; "
            f"expected another name for one of them"
        )
    for option, mounts in (("--pvc", volumes), ("--secret", secrets)):
        if ours := sorted({TEMPORARY.name, SHARED_MEMORY.name} & set(mounts.values())):
            raise UserError(f"{option}: {ours[0]!r} is the name of a volume of each step's own; expected another name")
    root = _storage("--pipeline-root", options.pipeline_root, volumes)
    _check_metadata(options.metadata, volumes, secrets)
    serving = _storage("--serving", options.serving or f"{root}/serving", volumes)
    check_settings(config)
    folders.check_no_pattern("--pipeline-root", root)
    _check_verbatim("--metadata", options.metadata)
    for option, written in (("--pipeline-root", root), ("--serving", serving)):
        _check_verbatim(option, written)
        run_folders.check_apart(option, written, run_folders.of_pictures(config))
    placement = Placement(
        gpus=dict.fromkeys(GPU_STEPS, 1) | _by_step("--gpu-step", options.gpu_step, _gpus, default="1"),
        gpu_type=_match("--gpu-type", options.gpu_type, _RESOURCE, "a resource such as nvidia.com/gpu"),
        node_selector=dict(_selector(text) for text in options.node_selector),
        tolerations=[_toleration(text) for text in options.toleration]
        or [Toleration(options.gpu_type, "", "NoSchedule")],
        volumes=volumes,
        secrets=secrets,
        cpu=_by_step("--cpu", options.cpu, lambda text: _match("--cpu", text, _CPU, "a number such as 4 or 500m")),
        memory=_by_step(
            "--memory", options.memory, lambda text: _match("--memory", text, _MEMORY, "an amount such as 16G")
        ),
        run_as_non_root=options.run_as_non_root,
    )
    return Deployment(
        image=_match("--image", options.image, _IMAGE, "an image such as registry/name:tag"),
        pipeline_root=root,
        serving=serving,
        metadata=options.metadata,
        tfx=_match("--tfx", options.tfx, _VERSION, "a version such as 1.21.0"),
        placement=placement,
    )


def check_settings(config: Config) -> None:
    """Makes sure that the settings reach the steps as they are, and that pictures lie where a container can have them.

    Raises:
      UserError: a text would be changed on its way, or the path of a folder is relative.
    """
    for one in parameters.of_config(config):
        if isinstance(one.default, str):
            _check_verbatim(one.key, one.default)
    for step in config.beam.steps:
        for text in parameters.fixed(config, step):
            _check_verbatim(*text.split("=", 1))
    for setting, folder in run_folders.of_pictures(config).items():
        if not folder.startswith("/"):
            raise UserError(f"{setting}: got {folder!r}, expected an absolute path in the container")


def _check_verbatim(name: str, text: str) -> None:
    if found := _NOT_VERBATIM.search(text):
        raise UserError(
            f"{name}: got {text!r}, in which a cluster would replace what begins with {found[0]!r}; "
            f"expected a text without any of $$ $( {{{{"
        )


def output_file(path: str) -> Path:
    """The file that `compile` writes.

    Raises:
      UserError: it cannot be written, or KFP would not take its name.
    """
    file = Path(path)
    if file.suffix not in (".yaml", ".yml"):
        raise UserError(f"--output: got {path!r}, expected a name that ends in .yaml")
    target = file if file.exists() else file.absolute().parent
    if file.is_dir() or not os.access(target, os.W_OK):
        raise UserError(f"--output: {path!r} cannot be written")
    return file


def cron(text: str | None) -> str:
    """When a schedule's runs start, as Kubeflow Pipelines reads it: cron's five fields after one for the seconds.

    Returns:
      The six fields; empty for None.

    Raises:
      UserError: it has neither five nor six fields.
    """
    if text is None:
        return ""
    fields = text.split()
    if len(fields) not in (5, 6):
        raise UserError(
            f"--cron: got {text!r}, expected five fields (minute, hour, day of the month, month, day of the week) "
            f"such as '0 3 * * *', or six with the seconds first"
        )
    return " ".join(["0", *fields][-6:])


def token(path: str | None) -> str | None:
    """The token in a file.

    Raises:
      UserError: the file cannot be read or is empty.
    """
    if path is None:
        return None
    try:
        text = Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--token-file: {path!r} cannot be read") from error
    if not text:
        raise UserError(f"--token-file: {path!r} is empty")
    return text


def _check_metadata(text: str, volumes: Mapping[str, str], secrets: Mapping[str, str]) -> None:
    address = connection.parse(text)
    if address.file:
        _storage("--metadata", address.file, volumes)
    if address.credentials and not _is_under(address.credentials, secrets):
        raise UserError(
            f"--metadata: no --secret is mounted at {address.credentials!r}; add --secret NAME:{address.credentials}"
        )


def _storage(option: str, text: str, volumes: Mapping[str, str]) -> str:
    """A path that outlives a step: on a volume, or in a bucket."""
    text = text.rstrip("/")
    if _BUCKET.fullmatch(text):
        return text
    if not text.startswith("/") or PurePosixPath(text).as_posix() != text or ".." in text.split("/"):
        raise UserError(f"{option}: got {text!r}, expected an absolute path on a --pvc, or gs://BUCKET/PATH")
    if not _is_under(text, volumes):
        raise UserError(
            f"{option}: {text!r} is on no mounted volume and would be gone with the step; add --pvc CLAIM:/MOUNT"
        )
    return text


def _is_under(path: str, mounts: Iterable[str]) -> bool:
    return any(PurePosixPath(path).is_relative_to(mount) for mount in mounts)


def _mounts(option: str, texts: Iterable[str]) -> dict[str, str]:
    """Names by the path that they are mounted at."""
    found: dict[str, str] = {}
    for text in texts:
        name, _, path = text.partition(":")
        path = path.rstrip("/")
        if not _NAME.fullmatch(name) or not path.startswith("/") or ":" in path:
            raise UserError(
                f"{option}: got {text!r}, expected NAME:/MOUNT with a NAME of at most 63 characters a-z, 0-9 and -"
            )
        if path in found:
            raise UserError(f"{option}: {path!r} is named twice")
        found[path] = name
    return found


def _by_step(
    option: str, texts: Iterable[str], value: Callable[[str], Value], default: str | None = None
) -> dict[str, Value]:
    found = {}
    for text in texts:
        step, equals, rest = text.partition("=")
        if step not in STEPS:
            raise UserError(f"{option}: unknown step {step!r}, expected one of {', '.join(STEPS)}")
        if not equals and default is None:
            raise UserError(f"{option}: got {text!r}, expected STEP=LIMIT")
        found[step] = value(rest if equals else str(default))
    return found


def _gpus(text: str) -> int:
    if not re.fullmatch("[0-9]{1,2}", text):
        raise UserError(f"--gpu-step: got {text!r}, expected a number of GPUs, 0 for none")
    return int(text)


def _selector(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (equals and _LABEL.fullmatch(key) and _LABEL_VALUE.fullmatch(value)):
        raise UserError(f"--node-selector: got {text!r}, expected LABEL=VALUE")
    return key, value


def _toleration(text: str) -> Toleration:
    rest, _, effect = text.partition(":")
    key, _, value = rest.partition("=")
    if not (_LABEL.fullmatch(key) and _LABEL_VALUE.fullmatch(value) and effect in ("", *_EFFECTS)):
        raise UserError(
            f"--toleration: got {text!r}, expected KEY[=VALUE][:EFFECT] with the effect {', '.join(_EFFECTS)}"
        )
    return Toleration(key, value, effect)


def _match(option: str, text: str, pattern: "re.Pattern[str]", expected: str) -> str:
    if not pattern.fullmatch(text):
        raise UserError(f"{option}: got {text!r}, expected {expected}")
    return text
