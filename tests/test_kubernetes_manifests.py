"""The manifests in `deploy/` are ones that Kubernetes takes, and fit together with what README.md tells to run."""

import copy
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_rules
import pytest
import yaml
from workplace import REPOSITORY

from common.errors import UserError
from pipeline import config as configuration
from pipeline.engine import connection
from pipeline.kubeflow import __main__ as kubeflow
from pipeline.kubeflow import arguments
from pipeline.kubeflow.deployment import Deployment

DEPLOY = REPOSITORY / "deploy"
KUSTOMIZATION = yaml.safe_load((DEPLOY / "kustomization.yaml").read_text())
RESOURCES = [one for name in KUSTOMIZATION["resources"] for one in yaml.safe_load_all((DEPLOY / name).read_text())]
DEFAULTS = yaml.safe_load((DEPLOY / "workflow-defaults.yaml").read_text())


def _resource(kind: str) -> dict[str, Any]:
    (found,) = [one for one in RESOURCES if one["kind"] == kind]
    return found


def _deployment(*words: str) -> Deployment:
    """What `compile` makes of its arguments."""
    options = kubeflow.COMMAND._parser("compile").parse_args(["compile", *words])
    return arguments.deployment(options, configuration.load(None, [], options.data, elsewhere=True))


@pytest.mark.parametrize("document", [*RESOURCES, DEFAULTS], ids=lambda one: f"{one['kind']} {one['metadata']['name']}")
def test_kubernetes_takes_the_object(document: dict[str, Any]) -> None:
    kubernetes_rules.check(document)


def test_what_kubernetes_would_refuse_is_found() -> None:
    service = _resource("Service")
    changes: list[dict[str, Any]] = [{"portz": []}, {"ports": [{"name": "mysql"}]}, {"ports": [{"port": "3306"}]}]
    for change in changes:
        broken = copy.deepcopy(service)
        broken["spec"] |= change
        with pytest.raises((AssertionError, ValueError)):
            kubernetes_rules.check(broken)


def test_pods_are_admitted_where_pod_security_is_restricted() -> None:
    specs = [spec for one in RESOURCES for spec in kubernetes_rules.pods(one)]
    assert len(specs) == 2
    for spec in specs:
        assert kubernetes_rules.breaches(spec) == []
        assert all({"requests", "limits"} <= one["resources"].keys() for one in spec["containers"])
        assert all(one["securityContext"]["readOnlyRootFilesystem"] for one in spec["containers"])
        del spec["containers"][0]["securityContext"]["capabilities"]
        assert kubernetes_rules.breaches(spec) != []


def test_what_readme_compiles_runs_on_what_is_deployed() -> None:
    (command,) = re.findall(r"-m pipeline\.kubeflow compile (.+)", (REPOSITORY / "README.md").read_text())
    compiled = _deployment(*shlex.split(command))
    container = _resource("StatefulSet")["spec"]["template"]["spec"]["containers"][0]
    environment = {one["name"]: one["value"] for one in container["env"]}
    metadata = connection.parse(compiled.metadata)

    assert compiled.placement.volumes == {"/mnt": _resource("PersistentVolumeClaim")["metadata"]["name"]}
    assert compiled.pipeline_root == "/mnt/pipeline"
    assert compiled.placement.secrets == {metadata.credentials: KUSTOMIZATION["secretGenerator"][0]["name"]}
    assert KUSTOMIZATION["generatorOptions"] == {"disableNameSuffixHash": True}
    service = _resource("Service")
    assert metadata.host == service["metadata"]["name"]
    assert metadata.port == service["spec"]["ports"][0]["port"] == container["ports"][0]["containerPort"]
    assert metadata.database == environment["MARIADB_DATABASE"]


def test_of_what_is_deployed_only_what_a_pipeline_uses_is_mounted() -> None:
    elsewhere = _deployment("--image=a:1", "--pipeline-root=gs://bucket/root", "--metadata=grpc://store:8080")
    assert (elsewhere.placement.volumes, elsewhere.placement.secrets) == ({}, {})
    own = _deployment("--image=a:1", "--pvc=own:/mnt", "--metadata=sqlite:///mnt/metadata.db")
    assert (own.placement.volumes, own.placement.secrets) == ({"/mnt": "own"}, {})
    with pytest.raises(UserError, match="--pipeline-root: '/mnt/pipeline' is on no mounted volume"):
        _deployment("--image=a:1", "--pvc=own:/data")
    with pytest.raises(UserError, match="--metadata: no --secret is mounted at '/secrets/metadata'"):
        _deployment("--image=a:1", "--secret=own:/run/secret")


def test_the_files_of_the_secret_are_those_that_the_steps_and_the_database_read() -> None:
    keys = re.findall(r"^(\w+)=(.*)$", (DEPLOY / "metadata.env.example").read_text(), re.M)
    pod = _resource("StatefulSet")["spec"]["template"]["spec"]
    files = [one["value"] for one in pod["containers"][0]["env"] if one["name"].endswith("_FILE")]

    assert keys == [("username", "pipeline"), ("password", "")]
    assert [Path(file).name for file in files] == ["username", "password"]
    assert {str(Path(file).parent) for file in files} <= {
        one["mountPath"] for one in pod["containers"][0]["volumeMounts"]
    }
    assert "/deploy/metadata.env" in (REPOSITORY / ".gitignore").read_text().splitlines()


def test_selectors_and_volumes_name_what_is_there() -> None:
    pod = _resource("StatefulSet")["spec"]
    labels = pod["template"]["metadata"]["labels"].items()
    for selector in (
        _resource("Service")["spec"]["selector"],
        pod["selector"]["matchLabels"],
        _resource("NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
    ):
        assert selector.items() <= labels
    assert pod["serviceName"] == _resource("Service")["metadata"]["name"]
    ports = {one["name"] for one in pod["template"]["spec"]["containers"][0]["ports"]}
    assert _resource("Service")["spec"]["ports"][0]["targetPort"] in ports
    assert _resource("NetworkPolicy")["spec"]["ingress"][0]["ports"][0]["port"] in ports
    claimed = _resource("Pod")["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"]
    assert claimed == _resource("PersistentVolumeClaim")["metadata"]["name"]
    for spec in (pod["template"]["spec"], _resource("Pod")["spec"]):
        provided = {one["name"] for one in spec["volumes"]}
        provided |= {one["metadata"]["name"] for one in pod["volumeClaimTemplates"]}
        assert {one["name"] for one in spec["containers"][0]["volumeMounts"]} <= provided


def test_a_step_is_tried_again_whatever_it_failed_of_and_what_holds_it_is_not() -> None:
    defaults = yaml.safe_load(DEFAULTS["data"]["workflowDefaults"])
    assert DEFAULTS["metadata"]["name"] == "workflow-controller-configmap"
    assert defaults["spec"]["templateDefaults"]["retryStrategy"] == {
        "limit": "2",
        "retryPolicy": "Always",
        "expression": 'lastRetry.message != ""',
    }


@pytest.mark.skipif(not shutil.which("kubectl"), reason="no kubectl on the PATH")
def test_kustomize_builds_it(tmp_path: Path) -> None:
    shutil.copytree(DEPLOY, tmp_path / "deploy", ignore=shutil.ignore_patterns("metadata.env"))
    build = ["kubectl", "kustomize", str(tmp_path / "deploy")]
    missing = subprocess.run(build, capture_output=True, text=True, check=False)
    (tmp_path / "deploy/metadata.env").write_text("username=pipeline\npassword=secret\n")
    built = subprocess.run(build, capture_output=True, text=True, check=False)

    assert missing.returncode != 0
    assert "metadata.env" in missing.stderr
    assert built.returncode == 0, built.stderr
    documents = list(yaml.safe_load_all(built.stdout))
    assert len(documents) == len(RESOURCES) + 1
    for document in documents:
        kubernetes_rules.check(document)
