"""What `deploy` prints for a folder of published models is what Kubernetes takes, and fits together."""

import re
from typing import Any

import kubernetes_rules
import pytest
import yaml
from workplace import REPOSITORY

from pipeline import deploy, serving_manifests
from pipeline.command import BAD_INPUT, DONE

CLAIM = "pvc://classifier/pipeline/serving"
BUCKET = "gs://pictures/pipeline/serving"


def _printed(capfd: pytest.CaptureFixture[str], *arguments: str) -> dict[str, dict[str, Any]]:
    """The objects by their kind."""
    assert deploy.main(arguments) == DONE
    return {one["kind"]: one for one in yaml.safe_load_all(capfd.readouterr().out)}


@pytest.mark.parametrize("storage", [CLAIM, "pvc://classifier", BUCKET])
def test_kubernetes_takes_tensorflow_serving_and_runs_it_restricted(
    storage: str, capfd: pytest.CaptureFixture[str]
) -> None:
    printed = _printed(capfd, "tf-serving", "--storage", storage, "--name", "cats")
    assert printed.keys() == {"ConfigMap", "Deployment", "Service"}
    for document in printed.values():
        kubernetes_rules.check(document)
        assert document["metadata"]["name"] == "cats"
    (pod,) = kubernetes_rules.pods(printed["Deployment"])
    assert kubernetes_rules.breaches(pod) == []


def test_the_parts_of_tensorflow_serving_fit_together(capfd: pytest.CaptureFixture[str]) -> None:
    printed = _printed(capfd, "tf-serving", "--storage", CLAIM, "--name", "cats", "--cpu", "4", "--memory", "6Gi")
    deployment, service = printed["Deployment"]["spec"], printed["Service"]["spec"]
    pod = deployment["template"]["spec"]
    (container,) = pod["containers"]
    labels = deployment["template"]["metadata"]["labels"].items()
    assert deployment["selector"]["matchLabels"].items() <= labels
    assert service["selector"].items() <= labels
    opened = {one["name"]: one["containerPort"] for one in container["ports"]}
    assert {one["targetPort"]: one["port"] for one in service["ports"]} == opened == {"grpc": 8500, "rest": 8501}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"] == {"path": "/v1/models/cats", "port": opened["rest"]}

    mounts = {one["mountPath"]: one for one in container["volumeMounts"]}
    volumes = {one["name"]: one for one in pod["volumes"]}
    assert {one["name"] for one in mounts.values()} == volumes.keys()
    models = mounts["/models/cats"]
    assert models["subPath"] == "pipeline/serving"
    assert volumes[models["name"]]["persistentVolumeClaim"] == {"claimName": "classifier", "readOnly": True}
    (file,) = [arg.partition("=")[2] for arg in container["args"] if arg.startswith("--model_config_file=")]
    folder, _, name = file.rpartition("/")
    assert volumes[mounts[folder]["name"]]["configMap"] == {"name": printed["ConfigMap"]["metadata"]["name"]}
    assert 'base_path: "/models/cats"' in printed["ConfigMap"]["data"][name]
    assert container["resources"]["limits"] == {"cpu": "4", "memory": "6Gi"}
    assert "--tensorflow_intra_op_parallelism=4" in container["args"]


def test_a_bucket_is_read_in_the_name_of_a_service_account(capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ("--storage", BUCKET, "--service-account", "reader")
    printed = _printed(capfd, "tf-serving", *arguments)
    (pod,) = kubernetes_rules.pods(printed["Deployment"])
    assert pod["serviceAccountName"] == "reader"
    assert [one["name"] for one in pod["volumes"]] == ["config"]
    assert f'base_path: "{BUCKET}"' in printed["ConfigMap"]["data"]["models.config"]
    assert _printed(capfd, "kserve", *arguments)["InferenceService"]["spec"]["predictor"]["serviceAccountName"] == (
        "reader"
    )


@pytest.mark.parametrize("storage", [CLAIM, BUCKET, "s3://pictures/pipeline/serving"])
def test_kserve_gets_an_inference_service(storage: str, capfd: pytest.CaptureFixture[str]) -> None:
    (service,) = _printed(capfd, "kserve", "--storage", storage).values()
    assert (service["apiVersion"], service["kind"]) == ("serving.kserve.io/v1beta1", "InferenceService")
    predictor = service["spec"]["predictor"]
    model = predictor["model"]
    assert model["storageUri"] == storage
    assert model["modelFormat"] == {"name": "tensorflow", "version": "2"}
    # All else is as in a container, of which KServe's own runtime gives the command.
    own = ("modelFormat", "protocolVersion", "runtimeVersion", "storageUri")
    container = {"name": "kserve-container", **{key: one for key, one in model.items() if key not in own}}
    pod = {"containers": [container]}
    kubernetes_rules.check({"apiVersion": "v1", "kind": "Pod", "spec": pod})
    assert kubernetes_rules.breaches(pod) == []


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("tf-serving --storage s3://b/serving", "got 's3://b/serving', expected pvc://CLAIM/PATH or gs://BUCKET/PATH"),
        ("kserve --storage /mnt/serving", "expected pvc://CLAIM/PATH, gs://BUCKET/PATH or s3://BUCKET/PATH"),
        ("kserve --storage pvc://claim/../serving", "--storage: got 'pvc://claim/../serving', expected"),
        (f"kserve --storage {CLAIM}/1795699142", "is a single version; expected the folder of all versions"),
        (f"kserve --storage {CLAIM} --name 1st", "--name: got '1st', expected a name of at most 63 characters"),
        (f"kserve --storage {CLAIM} --memory 4", "--memory: got '4', expected an amount such as 4Gi"),
        (f"kserve --storage {CLAIM} --cpu 500m", "--cpu: got '500m', expected a whole number of processors"),
        (f"tf-serving --storage {CLAIM} --version new", "--version: got 'new', expected a version's number"),
    ],
)
def test_a_mistake_is_one_line(arguments: str, line: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert deploy.main(arguments.split()) == BAD_INPUT
    printed = capfd.readouterr()
    assert printed.out == ""
    assert line in printed.err
    assert printed.err.count("\n") == 1


def test_the_documents_and_the_client_speak_of_the_same_server() -> None:
    readme = (REPOSITORY / "README.md").read_text()
    assert set(re.findall(r"tensorflow/serving\S*", readme)) == {serving_manifests.IMAGE}
    locked = re.findall(r"^tensorflow-serving-api==(\S+)", (REPOSITORY / "requirements.lock").read_text(), re.M)
    assert serving_manifests.TF_SERVING in locked
    assert int(re.findall(r"localhost:(\d+)/v1/models", readme)[0]) == serving_manifests.REST
