"""What Kubernetes runs to serve the folder of published models."""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import yaml

Manifest: TypeAlias = dict[str, Any]

TF_SERVING = "2.19.1"
IMAGE = f"tensorflow/serving:{TF_SERVING}"
GRPC, REST = 8500, 8501
_KSERVE_REST = 8080
_USER = 1000  # who may read the claim: the steps' user
_SECONDS_BETWEEN_LOOKS = 30  # at the folder of versions; one of a bucket's listings costs money
_SECONDS_TO_LOAD = 600
_CONFIG = "/etc/tensorflow-serving"


class Storage(NamedTuple):
    """Where the versions are.

    Attributes:
      kind: "pvc", "gs" or "s3".
      name: of the claim or bucket.
      path: in it, without a slash at either end; empty for all of it.
    """

    kind: str
    name: str
    path: str

    def __str__(self) -> str:
        return f"{self.kind}://{self.name}" + (f"/{self.path}" if self.path else "")


class Server(NamedTuple):
    """What is served, and what it may use.

    Attributes:
      name: of the model and of the objects.
      storage: the folder of versions.
      version: the one that is served; None for the newest, whichever it is.
      cpu: number of processors.
      memory: such as "4Gi".
      service_account: who reads the bucket; None for the namespace's default.
    """

    name: str
    storage: Storage
    version: int | None
    cpu: int
    memory: str
    service_account: str | None


def to_yaml(manifests: Sequence[Manifest]) -> str:
    """One document for each, as a person would write it."""
    return yaml.dump_all(manifests, Dumper=_Dumper, sort_keys=False)


def kserve(server: Server) -> list[Manifest]:
    """An InferenceService for KServe's own runtime for TensorFlow, with a newer server in it."""
    model = {
        "modelFormat": {"name": "tensorflow", "version": "2"},
        "protocolVersion": "v1",
        "runtimeVersion": TF_SERVING,
        "storageUri": str(server.storage),
        "args": _flags(server),
        "resources": _resources(server),
        "securityContext": _container_security() | {"runAsUser": _USER} | _pod_security(),
        **_probes(server, _KSERVE_REST),
    }
    predictor = {"minReplicas": 1, **_account(server), "model": model}
    kind = {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService"}
    return [{**kind, "metadata": _metadata(server), "spec": {"predictor": predictor}}]


def tf_serving(server: Server) -> list[Manifest]:
    """TensorFlow Serving's own server: its configuration, a Deployment and a Service."""
    config = {"models.config": _model_config(server)}
    names = {"grpc": GRPC, "rest": REST}
    ports = [{"name": name, "port": port, "targetPort": name} for name, port in names.items()]
    selector = {"app.kubernetes.io/name": server.name, "app.kubernetes.io/component": "serving"}
    template = {"metadata": {"labels": _labels(server)}, "spec": _pod(server)}
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _metadata(server), "data": config},
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": _metadata(server),
            "spec": {"replicas": 1, "selector": {"matchLabels": selector}, "template": template},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": _metadata(server),
            "spec": {"selector": selector, "ports": ports},
        },
    ]


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as such, and no references to what came before."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_text(self, text: str) -> yaml.ScalarNode:
        """A text; in literal style where it has several lines."""
        return self.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _Dumper.represent_text)


def _pod(server: Server) -> Manifest:
    volumes: list[Manifest] = [{"name": "config", "configMap": {"name": server.name}}]
    mounts: list[Manifest] = [{"name": "config", "mountPath": _CONFIG, "readOnly": True}]
    if server.storage.kind == "pvc":
        claim = {"claimName": server.storage.name, "readOnly": True}
        part = {"subPath": server.storage.path} if server.storage.path else {}
        volumes.append({"name": "models", "persistentVolumeClaim": claim})
        mounts.append({"name": "models", "mountPath": _base_path(server), **part, "readOnly": True})
    ports = [{"name": "grpc", "containerPort": GRPC}, {"name": "rest", "containerPort": REST}]
    # The image's own command is a shell script that knows one model and no configuration file.
    container = {
        "name": "tensorflow-serving",
        "image": IMAGE,
        "command": ["/usr/bin/tensorflow_model_server"],
        "args": [
            f"--port={GRPC}",
            f"--rest_api_port={REST}",
            f"--model_config_file={_CONFIG}/models.config",
            f"--model_config_file_poll_wait_seconds={_SECONDS_BETWEEN_LOOKS}",
            *_flags(server),
        ],
        "ports": ports,
        **_probes(server, REST),
        "resources": _resources(server),
        "securityContext": _container_security(),
        "volumeMounts": mounts,
    }
    security = _pod_security() | {"runAsUser": _USER, "runAsGroup": _USER}
    return {
        **_account(server),
        "automountServiceAccountToken": False,
        "securityContext": security,
        "containers": [container],
        "volumes": volumes,
    }


def _model_config(server: Server) -> str:
    """TensorFlow Serving's ModelServerConfig, as text."""
    policy = "latest { num_versions: 1 }" if server.version is None else f"specific {{ versions: {server.version} }}"
    return (
        "model_config_list {\n"
        "  config {\n"
        f'    name: "{server.name}"\n'
        f'    base_path: "{_base_path(server)}"\n'
        '    model_platform: "tensorflow"\n'
        f"    model_version_policy {{ {policy} }}\n"
        "  }\n"
        "}\n"
    )


def _base_path(server: Server) -> str:
    return f"/models/{server.name}" if server.storage.kind == "pvc" else str(server.storage)


def _flags(server: Server) -> list[str]:
    """Without a number of threads, the server takes one for each processor of the node, whatever it may use."""
    return [
        f"--file_system_poll_wait_seconds={_SECONDS_BETWEEN_LOOKS}",
        f"--tensorflow_intra_op_parallelism={server.cpu}",
        f"--tensorflow_inter_op_parallelism={server.cpu}",
    ]


def _probes(server: Server, port: int) -> Manifest:
    """No port is open before the server has loaded the first version and warmed it up."""
    status = {"httpGet": {"path": f"/v1/models/{server.name}", "port": port}, "timeoutSeconds": 5}
    return {
        "startupProbe": {**status, "periodSeconds": 5, "failureThreshold": _SECONDS_TO_LOAD // 5},
        "readinessProbe": {**status, "periodSeconds": 10},
        "livenessProbe": {**status, "periodSeconds": 30},
    }


def _resources(server: Server) -> Manifest:
    amounts = {"cpu": str(server.cpu), "memory": server.memory}
    return {"requests": amounts, "limits": amounts}


def _pod_security() -> Manifest:
    """With what the container adds, as much as Kubernetes' Pod Security Standard `restricted` asks for."""
    return {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


def _container_security() -> Manifest:
    return {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


def _account(server: Server) -> Manifest:
    return {"serviceAccountName": server.service_account} if server.service_account else {}


def _metadata(server: Server) -> Manifest:
    return {"name": server.name, "labels": _labels(server)}


def _labels(server: Server) -> dict[str, str]:
    return {
        "app.kubernetes.io/name": server.name,
        "app.kubernetes.io/component": "serving",
        "app.kubernetes.io/part-of": "image-classification",
    }
