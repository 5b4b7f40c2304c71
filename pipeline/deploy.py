"""Prints what Kubernetes needs to serve published models, for KServe or for TensorFlow Serving alone.

python -m pipeline.deploy tf-serving --storage pvc://classifier/pipeline/serving | kubectl apply -f -
"""

import argparse
import re

from common import versions
from common.errors import UserError
from pipeline import serving_manifests
from pipeline.command import BAD_INPUT, DONE, Command
from pipeline.serving_manifests import Server, Storage

_NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")  # of a Service
_STORAGE = re.compile(r"(pvc|gs|s3)://([a-z0-9][-a-z0-9_.]*)((?:/[-\w.]+)*)/?")
_MEMORY = re.compile(r"[1-9][0-9]*[MG]i?")
_KINDS = {"kserve": ("pvc", "gs", "s3"), "tf-serving": ("pvc", "gs")}
_PURPOSES = {
    "kserve": "print an InferenceService",
    "tf-serving": "print a ConfigMap, a Deployment and a Service",
}


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    servers = parser.add_subparsers(metavar="SERVER", dest="server", required=True)
    for name, purpose in _PURPOSES.items():
        add = servers.add_parser(name, help=purpose, description=purpose, epilog=parser.epilog).add_argument
        kinds = ", ".join(f"{kind}://" for kind in _KINDS[name])
        add("--storage", metavar="URI", required=True, help=f"the folder of versions, serving/ of a run; {kinds}")
        add("--name", default="classifier", help="of the model and of the objects; default: classifier")
        add("--cpu", metavar="N", default="2", help="processors; default: 2")
        add("--memory", metavar="AMOUNT", default="4Gi", help="default: 4Gi, which fits VGG16")
        add("--service-account", metavar="NAME", help="who reads the bucket; default: the namespace's own")
        if name == "tf-serving":
            add("--version", metavar="N", help="the one to serve; default: the newest, also when a newer one appears")


def _run(options: argparse.Namespace) -> int:
    make = serving_manifests.kserve if options.server == "kserve" else serving_manifests.tf_serving
    print(serving_manifests.to_yaml(make(_server(options))), end="")
    return DONE


def _server(options: argparse.Namespace) -> Server:
    """What the options say.

    Raises:
      UserError: one of them cannot be right.
    """
    name = "a name of at most 63 characters a-z, 0-9 and -, a letter first"
    version = getattr(options, "version", None)
    account = options.service_account
    return Server(
        name=_match("--name", options.name, _NAME, name),
        storage=_storage(options.storage, _KINDS[options.server]),
        version=version and int(_match("--version", version, versions.VERSION, "a version's number")),
        cpu=int(_match("--cpu", options.cpu, re.compile("[1-9][0-9]{0,2}"), "a whole number of processors")),
        memory=_match("--memory", options.memory, _MEMORY, "an amount such as 4Gi"),
        service_account=account and _match("--service-account", account, _NAME, name),
    )


def _storage(text: str, kinds: tuple[str, ...]) -> Storage:
    found = _STORAGE.fullmatch(text)
    if not found or ".." in text.split("/") or found[1] not in kinds:
        *most, last = (f"{kind}://{'CLAIM' if kind == 'pvc' else 'BUCKET'}/PATH" for kind in kinds)
        raise UserError(f"--storage: got {text!r}, expected {', '.join(most)} or {last}")
    path = found[3].strip("/")
    if versions.VERSION.fullmatch(path.rpartition("/")[2]):
        raise UserError(f"--storage: {text!r} is a single version; expected the folder of all versions")
    return Storage(found[1], found[2], path)


def _match(option: str, text: str, pattern: "re.Pattern[str]", expected: str) -> str:
    if not pattern.fullmatch(text):
        raise UserError(f"{option}: got {text!r}, expected {expected}")
    return text


COMMAND = Command(
    name="python -m pipeline.deploy",
    doc=__doc__,
    add_arguments=_add_arguments,
    run=_run,
    codes={DONE: "printed", BAD_INPUT: "bad usage"},
)
main = COMMAND.main


if __name__ == "__main__":
    COMMAND.end_process()
