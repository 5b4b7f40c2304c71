"""What the cluster itself knows of a run, where it lets the user look: Argo's workflow, its pods' warnings and logs."""

import json
from collections.abc import Callable
from typing import Any

import yaml
from kubernetes import client, config
from urllib3.exceptions import HTTPError

from pipeline.kubeflow import backend

_LINES = 100
_SECONDS = 10


class UnreadableError(Exception):
    """The cluster cannot be read; says why in one line."""


class Cluster:
    """Reads one namespace of the cluster that kubeconfig names, or that this process runs in."""

    def __init__(self, namespace: str) -> None:
        """Finds the cluster, and asks nothing of it yet.

        Raises:
          UnreadableError: there is no such configuration.
        """
        settings = client.Configuration()
        try:
            config.load_kube_config(client_configuration=settings)
        except (config.ConfigException, OSError, yaml.YAMLError, ValueError) as error:
            try:
                config.load_incluster_config(client_configuration=settings)
            except config.ConfigException:
                raise UnreadableError(f"no kubeconfig ({backend.reason(error)}), and not in a cluster") from error
        settings.retries = 1
        self._namespace = namespace
        api = client.ApiClient(settings)
        self._core, self._custom = client.CoreV1Api(api), client.CustomObjectsApi(api)

    def workflow(self, run_id: str) -> dict[str, Any] | None:
        """Argo's workflow of a run; None where the namespace has none, or none any more.

        Raises:
          UnreadableError: the cluster does not answer, or does not let the user look.
        """
        found = _asked(
            "workflows",
            lambda: self._custom.list_namespaced_custom_object(
                "argoproj.io",
                "v1alpha1",
                self._namespace,
                "workflows",
                label_selector=f"pipeline/runid={run_id}",
                _request_timeout=_SECONDS,
            ),
        )
        return max(found["items"], key=lambda one: str(one["metadata"]["creationTimestamp"]), default=None)

    def pods(self, workflow: str) -> dict[str, str]:
        """The pods of a workflow: their names by Argo's id of the node.

        Raises:
          UnreadableError: as `workflow`.
        """
        found = self._json(
            "pods", self._core.list_namespaced_pod, label_selector=f"workflows.argoproj.io/workflow={workflow}"
        )
        metadata = [one["metadata"] for one in found["items"]]
        return {one.get("annotations", {}).get("workflows.argoproj.io/node-id", ""): one["name"] for one in metadata}

    def events(self, pod: str) -> list[dict[str, Any]]:
        """The events of a pod, as Kubernetes has them.

        Raises:
          UnreadableError: as `workflow`.
        """
        selector = f"involvedObject.kind=Pod,involvedObject.name={pod}"
        found: dict[str, Any] = self._json("events", self._core.list_namespaced_event, field_selector=selector)
        return list(found["items"])

    def log(self, pod: str) -> str:
        """The end of what a pod's step printed.

        Raises:
          UnreadableError: as `workflow`.
        """
        answer = _asked(
            "pods/log",
            lambda: self._core.read_namespaced_pod_log(
                pod,
                self._namespace,
                container="main",
                tail_lines=_LINES,
                _preload_content=False,
                _request_timeout=_SECONDS,
            ),
        )
        return bytes(answer.data).decode(errors="replace")

    def _json(self, what: str, call: Callable[..., Any], **selector: str) -> Any:
        """An answer as it is: the client's own classes refuse what newer clusters leave out."""
        answer = _asked(
            what, lambda: call(self._namespace, _preload_content=False, _request_timeout=_SECONDS, **selector)
        )
        return json.loads(answer.data)


def _asked(what: str, call: Callable[[], Any]) -> Any:
    try:
        return call()
    except client.ApiException as error:
        raise UnreadableError(f"{what}: {error.status} {_message(error)}") from error
    except (HTTPError, ValueError, OSError) as error:
        raise UnreadableError(f"{what}: {backend.reason(error)}") from error


def _message(error: client.ApiException) -> str:
    try:
        return " ".join(json.loads(error.body)["message"].split())
    except (ValueError, TypeError, KeyError):
        return str(error.reason)
