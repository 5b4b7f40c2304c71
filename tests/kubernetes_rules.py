"""What Kubernetes asks of an object, as far as it can be told without a cluster."""

import re
from collections.abc import Iterator
from typing import Any

from kubernetes import client

_MODELS = {"v1": "V1", "apps/v1": "V1", "networking.k8s.io/v1": "V1"}
_PLAIN: dict[str, type] = {"str": str, "int": int, "bool": bool, "object": object}
# Of the policy `restricted` of Kubernetes' Pod Security Standards.
_VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}


def check(document: dict[str, Any]) -> None:
    """Fails unless each field is one of its kind, has its type, and none that must be there is missing."""
    _check(document, _MODELS[document["apiVersion"]] + document["kind"], document["kind"])


def _check(value: Any, kind: str, where: str) -> None:
    if listed := re.fullmatch(r"list\[(.+)\]", kind):
        assert isinstance(value, list), where
        for index, one in enumerate(value):
            _check(one, listed[1], f"{where}[{index}]")
    elif mapped := re.fullmatch(r"dict\(str, (.+)\)", kind):
        assert isinstance(value, dict), where
        for key, one in value.items():
            _check(one, mapped[1], f"{where}.{key}")
    elif kind in _PLAIN:
        assert isinstance(value, _PLAIN[kind]), f"{where}: got {value!r}, expected {kind}"
    else:
        model = getattr(client, kind)
        names = {written: name for name, written in model.attribute_map.items()}
        assert isinstance(value, dict), where
        assert value.keys() <= names.keys(), f"{where}: unknown {value.keys() - names.keys()}"
        for key, one in value.items():
            _check(one, model.openapi_types[names[key]], f"{where}.{key}")
        model(**{names[key]: one for key, one in value.items()})  # raises ValueError where a field is missing


def pods(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The specifications of the pods that an object is or makes."""
    if document["kind"] == "Pod":
        yield document["spec"]
    elif "template" in document["spec"]:
        yield document["spec"]["template"]["spec"]


def breaches(pod: dict[str, Any]) -> list[str]:
    """What the Pod Security Standard `restricted` refuses in a pod's specification, in any of its containers."""
    context = pod.get("securityContext", {})
    found = [name for name in ("hostNetwork", "hostPID", "hostIPC") if pod.get(name)]
    found += [volume["name"] for volume in pod.get("volumes", []) if not volume.keys() - {"name"} <= _VOLUMES]
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        own = context | container.get("securityContext", {})
        required = {
            "runAsNonRoot": own.get("runAsNonRoot") is True and own.get("runAsUser") != 0,
            "seccompProfile": own.get("seccompProfile", {}).get("type") in ("RuntimeDefault", "Localhost"),
            "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is False,
            "capabilities": own.get("capabilities") == {"drop": ["ALL"]},
            "privileged": not own.get("privileged"),
            "hostPort": not any("hostPort" in port for port in container.get("ports", [])),
        }
        found += [f"{container['name']}: {name}" for name, is_met in required.items() if not is_met]
    return found
