"""The compiled pipeline: what a person sees and edits, where the steps run, and what is refused beforehand."""

import copy
import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_rules
import pytest
import yaml
from google.protobuf import json_format
from kubeflow_launcher import Kubeflow
from workplace import REPOSITORY

from common.errors import UserError
from pipeline import config as configuration
from pipeline.kubeflow import deployment, parameters
from pipeline.kubeflow.__main__ import main
from pipeline.steps import STEPS

GOLDEN = Path(__file__).parent / "kubeflow_golden.yaml"
ARGUMENTS = (
    "--image=registry/classifier:1",
    "--pipeline-root=/mnt/pipeline",
    "--metadata=mysql://mariadb.data:3306/metadata?credentials=/secrets/metadata",
    "--pvc=pictures:/mnt",
    "--secret=metadata:/secrets/metadata",
    "--data=/mnt/pictures",
    "--node-selector=cloud.google.com/gke-accelerator=nvidia-l4",
    "--toleration=nvidia.com/gpu=present:NoSchedule",
    "--toleration=spot",
    "--gpu-step=Trainer=2",
    "--gpu-step=Evaluator=0",
    "--cpu=Trainer=4",
    "--memory=Trainer=16G",
    "--set=backbone.weights=/mnt/vgg16.weights.h5",
    "--set=gate.slices={cats: 0.9}",
    "--set=infer=/mnt/unlabelled",
    "--gpu-step=BulkInferrer",
    "--run-as-non-root",
)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("compiled") / "pipeline.yaml"
    assert main(["compile", *ARGUMENTS, f"--output={path}"]) == 0
    return path


@pytest.fixture(scope="module")
def documents(compiled: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    pipeline, platform = yaml.safe_load_all(compiled.read_text())
    return pipeline, platform


def _as_by_newest_sdk(pipeline: Any, platform: Any) -> None:
    """Turns what kfp 2.5.0 and kfp-kubernetes 1.0.0 write into what lane B's releases do: all their differences."""
    assert pipeline.pop("sdkVersion") == "kfp-2.5.0"
    pipeline["sdkVersion"] = "kfp-2.16.1"
    # Metrics were outputs of the whole pipeline too.
    types, selectors = {}, {}
    for task, facts in pipeline["root"]["dag"]["tasks"].items():
        outputs = pipeline["components"][facts["componentRef"]["name"]].get("outputDefinitions", {})
        for key, output in outputs.get("artifacts", {}).items():
            if output["artifactType"]["schemaTitle"].endswith("Metrics"):
                types[f"{task}-{key}"] = {"artifactType": output["artifactType"]}
                selector = {"outputArtifactKey": key, "producerSubtask": task}
                selectors[f"{task}-{key}"] = {"artifactSelectors": [selector]}
    assert pipeline["root"].pop("outputDefinitions") == {"artifacts": types}
    assert pipeline["root"]["dag"].pop("outputs") == {"artifacts": selectors}
    # Amounts and names came as values; now they may be parameters, and are written both ways.
    for executor in pipeline["deploymentSpec"]["executors"].values():
        resources = executor["container"].get("resources", {})
        for what, unit in (("cpu", ""), ("memory", "G")):
            for bound in ("Limit", "Request"):
                if f"{what}{bound}" in resources:
                    resources[f"resource{what.title()}{bound}"] = f"{resources[f'{what}{bound}']:g}{unit}"
        if accelerator := resources.get("accelerator"):
            accelerator |= {"resourceCount": accelerator["count"], "resourceType": accelerator["type"]}
    for executor in platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"].values():
        for mount in executor["pvcMount"]:
            mount["pvcNameParameter"] = {"runtimeValue": {"constant": mount["constant"]}}
        for mount in executor["secretAsVolume"]:
            mount["secretNameParameter"] = {"runtimeValue": {"constant": mount["secretName"]}}
            mount["optional"] = False


def test_the_compiled_file_is_the_reviewed_one(documents: Any) -> None:
    """To renew it after a look at the difference: RENEW_GOLDEN=1 pytest tests/pipeline/test_kubeflow.py"""
    pipeline, platform = copy.deepcopy(documents)
    if importlib.metadata.version("kfp") == "2.5.0":
        _as_by_newest_sdk(pipeline, platform)
    found = yaml.safe_dump(pipeline) + "---\n" + yaml.safe_dump(platform)
    if os.environ.get("RENEW_GOLDEN"):
        GOLDEN.write_text(found)
    assert found == GOLDEN.read_text()


def test_kfp_loads_what_was_compiled(compiled: Path) -> None:
    from kfp import components

    component = components.load_component_from_file(str(compiled))
    assert component.name == "image-classification"
    assert component.component_spec.inputs["trainer_epochs"].default == 5


def test_both_documents_are_messages_of_their_specifications(documents: Any) -> None:
    from kfp.kubernetes import kubernetes_executor_config_pb2
    from kfp.pipeline_spec import pipeline_spec_pb2

    pipeline, platform = documents
    json_format.ParseDict(pipeline, pipeline_spec_pb2.PipelineSpec())
    json_format.ParseDict(pipeline["deploymentSpec"], pipeline_spec_pb2.PipelineDeploymentConfig())
    json_format.ParseDict(platform, pipeline_spec_pb2.PlatformSpec())
    for executor in platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"].values():
        message = kubernetes_executor_config_pb2.KubernetesExecutorConfig()
        # kfp-kubernetes 1.0 does not know what this project writes itself; a newer one does.
        ours = {
            "empty_dir_mounts": "emptyDirMounts",
            "security_context": "securityContext",
            "tolerations": "tolerations",
        }
        unknown = {name for field, name in ours.items() if field not in message.DESCRIPTOR.fields_by_name}
        json_format.ParseDict({key: value for key, value in executor.items() if key not in unknown}, message)


def test_each_step_waits_for_those_whose_outputs_it_takes(documents: Any) -> None:
    tasks = documents[0]["root"]["dag"]["tasks"]
    waits = {one["taskInfo"]["name"]: set(one.get("dependentTasks", [])) for one in tasks.values()}
    assert not waits["ImageExampleGen"]
    assert not waits["ImageSchema"]
    assert waits["FeatureExtractor"] == {"example-validator", "image-example-gen", "transform"}
    assert waits["Pusher"] == {"evaluator", "trainer"}
    assert waits["Report"] >= {"evaluator"}
    assert waits.keys() == STEPS.keys(), "each step has a folder of its name, by which the command line knows it"
    assert all(one["cachingOptions"].get("enableCache", False) is False for one in tasks.values())


def test_every_setting_is_a_parameter_with_the_value_of_the_configuration(documents: Any) -> None:
    shown = documents[0]["root"]["inputDefinitions"]["parameters"]
    names = {key.name for key in configuration.leaf_keys() if not key.name.startswith("beam.")}
    assert {name.replace(".", "_") for name in names} - {"output"} == shown.keys()
    assert shown["trainer_learning_rate"] == {
        "defaultValue": 0.001,
        "isOptional": True,
        "parameterType": "NUMBER_DOUBLE",
    }
    assert shown["trainer_fine_tune_at"]["defaultValue"] == "null"
    assert shown["gate_slices"]["defaultValue"] == "{cats: 0.9}"
    assert shown["data"]["defaultValue"] == "/mnt/pictures"
    # Each step gets all of them.
    for task in documents[0]["root"]["dag"]["tasks"].values():
        given = {
            name: value["componentInputParameter"]
            for name, value in task["inputs"]["parameters"].items()
            if name != "run_id"
        }
        assert given == {name: name for name in shown}


def test_each_step_is_tried_again_however_long_it_worked(documents: Any) -> None:
    policies = [one["retryPolicy"] for one in documents[0]["root"]["dag"]["tasks"].values()]
    assert len(policies) == len(STEPS)
    for policy in policies:
        assert policy["maxRetryCount"] == 2
        assert policy["backoffMaxDuration"] == "1209600s"


def test_gpus_volumes_and_limits_are_where_they_were_asked_for(documents: Any) -> None:
    executors = documents[0]["deploymentSpec"]["executors"]
    platform = documents[1]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    gpus = {
        name: one["container"]["resources"]["accelerator"]
        for name, one in executors.items()
        if "accelerator" in one["container"].get("resources", {})
    }
    assert {name: (one["type"], one["count"]) for name, one in gpus.items()} == {
        "exec-feature-extractor": ("nvidia.com/gpu", "1"),
        "exec-trainer": ("nvidia.com/gpu", "2"),
        "exec-bulk-inferrer": ("nvidia.com/gpu", "1"),
    }
    for name, one in platform.items():
        assert one["pvcMount"][0]["mountPath"] == "/mnt"
        assert one["secretAsVolume"][0]["mountPath"] == "/secrets/metadata"
        assert one["securityContext"] == {"runAsNonRoot": True}
        assert one["emptyDirMounts"][0] == {"volumeName": "step-tmp", "mountPath": "/tmp"}
        assert ("nodeSelector" in one, "tolerations" in one) == (name in gpus, name in gpus)
    assert platform["exec-trainer"]["tolerations"] == [
        {"key": "nvidia.com/gpu", "operator": "Equal", "value": "present", "effect": "NoSchedule"},
        {"key": "spot", "operator": "Exists"},
    ]
    # NCCL, between several GPUs, needs more shared memory than a container has.
    shared = {name: one["emptyDirMounts"][1:] for name, one in platform.items() if one["emptyDirMounts"][1:]}
    assert shared == {"exec-trainer": [{"volumeName": "step-shm", "mountPath": "/dev/shm", "medium": "Memory"}]}
    resources = executors["exec-trainer"]["container"]["resources"]
    assert (resources["cpuLimit"], resources["cpuRequest"]) == (4.0, 4.0)
    assert (resources["memoryLimit"], resources["memoryRequest"]) == (16.0, 16.0)


def test_kubernetes_and_restricted_namespaces_take_the_pods(compiled: Path, tmp_path: Path) -> None:
    """Where KFP sets what it does from 2.16 on."""
    pods = Kubeflow(compiled, tmp_path).pods
    assert len(pods) == len(STEPS)
    assert not [breach for pod in pods.values() for breach in kubernetes_rules.breaches(pod)]


def test_nothing_of_this_machine_is_in_the_file(compiled: Path) -> None:
    text = compiled.read_text()
    assert str(REPOSITORY) not in text
    assert os.path.expanduser("~/") not in text


# --- Parameters ---


def test_edited_parameters_become_the_configuration() -> None:
    config = configuration.load(None, ["backbone.weights=random"])
    values = {one.name: one.default for one in parameters.of_config(config)}
    assert parameters.to_config(values) == config
    # JSON has no whole numbers of its own.
    values |= {
        "trainer_fine_tune_epochs": 7.0,
        "trainer_fine_tune_at": "12",
        "gate_slices": "{'0': 0.5}",
        "data": "/pictures",
    }
    edited = parameters.to_config(values)
    assert (edited.trainer.fine_tune_epochs, edited.trainer.fine_tune_at) == (7, 12)
    assert (edited.gate.slices, edited.data) == ({"0": 0.5}, "/pictures")


def test_what_can_name_code_is_the_compiled_pipeline_s_and_no_parameter() -> None:
    changes = ["beam.runner=portable", "beam.address=jobs:8099", "beam.args=['--a=b: c']", "beam.steps=[Evaluator]"]
    config = configuration.load(None, changes)
    fixed = parameters.fixed(config, "Evaluator")
    values = {one.name: one.default for one in parameters.of_config(config)}
    assert not [name for name in values if name.startswith("beam")]
    assert parameters.to_config(values, fixed) == config
    assert parameters.fixed(config, "Trainer") == parameters.fixed(config, "StatisticsGen") == []
    with pytest.raises(UserError, match=r"^beam.runner: where a step runs is decided by `compile`"):
        parameters.changes(parameters.to_settings(values), config)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trainer_epochs": 0.0}, "trainer.epochs: got 0, expected a whole number from 1 to 1000"),
        ({"trainer_epochs": 2.5}, "trainer.epochs: got 2.5, expected a whole number"),
        ({"trainer_fine_tune_at": "many"}, "trainer.fine_tune_at: got 'many', expected"),
        ({"gate_slices": "{cat: 2}"}, "gate.slices.cat: got 2, expected a number from 0 to 1"),
        ({"gate_slices": "{cat"}, "gate.slices: line 1"),
        ({"backbone_weights": "/nowhere/vgg.h5"}, "backbone.weights: got '/nowhere/vgg.h5', expected imagenet"),
        ({"no_such": 1}, "parameter 'no_such': unknown; the pipeline was compiled from other code"),
    ],
)
def test_a_wrong_parameter_is_told_by_its_setting(change: dict[str, Any], message: str) -> None:
    values = {one.name: one.default for one in parameters.of_config(configuration.Config())}
    with pytest.raises(UserError) as caught:
        parameters.to_config(values | change)
    assert str(caught.value).startswith(message)


def test_a_missing_parameter_is_told() -> None:
    values = {one.name: one.default for one in parameters.of_config(configuration.Config())}
    del values["seed"]
    with pytest.raises(UserError, match="parameter 'seed': missing"):
        parameters.to_config(values)


# --- The command line ---

_MINIMAL = {
    "--image": "registry/classifier:1",
    "--pipeline-root": "/mnt/pipeline",
    "--metadata": "sqlite:///mnt/metadata.db",
    "--pvc": "pictures:/mnt",
}


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--image", "two words", "--image: got 'two words', expected an image"),
        ("--pipeline-root", "relative", "--pipeline-root: got 'relative', expected an absolute path on a --pvc"),
        ("--pipeline-root", "/elsewhere", "--pipeline-root: '/elsewhere' is on no mounted volume"),
        ("--pipeline-root", "/mnt/../etc", "--pipeline-root: got '/mnt/../etc'"),
        ("--pipeline-root", "s3://bucket/x", "--pipeline-root: got 's3://bucket/x'"),
        ("--serving", "/srv/models", "--serving: '/srv/models' is on no mounted volume"),
        ("--metadata", "sqlite:///var/metadata.db", "--metadata: '/var/metadata.db' is on no mounted volume"),
        ("--metadata", "postgres://db/x", "--metadata: got 'postgres://db/x', expected sqlite:///"),
        ("--metadata", "mysql://db/x?credentials=/run/x", "--metadata: no --secret is mounted at '/run/x'"),
        ("--gpu-step", "Training", "--gpu-step: unknown step 'Training', expected one of BulkInferrer"),
        ("--gpu-step", "Trainer=all", "--gpu-step: got 'all', expected a number of GPUs"),
        ("--node-selector", "gpu", "--node-selector: got 'gpu', expected LABEL=VALUE"),
        ("--toleration", "gpu:Never", "--toleration: got 'gpu:Never', expected"),
        ("--pvc", "claim", "--pvc: got 'claim', expected NAME:/MOUNT"),
        ("--pvc", "my.claim:/x", "--pvc: got 'my.claim:/x', expected NAME:/MOUNT with a NAME of at most 63 characters"),
        ("--secret", f"{'a' * 64}:/x", f"--secret: got '{'a' * 64}:/x', expected NAME:/MOUNT"),
        ("--secret", "pictures:/x", "--secret: 'pictures' is the name of a --pvc too"),
        ("--secret", "step-shm:/x", "--secret: 'step-shm' is the name of a volume of each step's own"),
        ("--gpu-type", "gpu", "--gpu-type: got 'gpu', expected a resource such as nvidia.com/gpu"),
        ("--secret", "Name:/x", "--secret: got 'Name:/x', expected NAME:/MOUNT"),
        ("--secret", "name:/mnt", "--secret: '/mnt' is where a --pvc is mounted"),
        ("--cpu", "Trainer", "--cpu: got 'Trainer', expected STEP=LIMIT"),
        ("--memory", "Trainer=much", "--memory: got 'much', expected an amount such as 16G"),
        ("--tfx", "newest", "--tfx: got 'newest', expected a version"),
        ("--set", "trainer.epochs=0", "--set: trainer.epochs: got 0"),
        ("--set", "output=/mnt/run", "--set: output: on Kubeflow there is none; `compile` has --pipeline-root"),
        ("--data", "pictures", "data: got 'pictures', expected an absolute path in the container"),
        ("--data", "/mnt/$(HOME)", "data: got '/mnt/$(HOME)', in which a cluster would replace what begins with '$('"),
        ("--set", "gate.slices={$$: 0.5}", "gate.slices: got '{$$: 0.5}', in which a cluster would replace"),
        ("--serving", "/mnt/{{x}}", "--serving: got '/mnt/{{x}}', in which a cluster would replace"),
        ("--output", "pipeline.json", "--output: got 'pipeline.json', expected a name that ends in .yaml"),
        ("--output", "/no/such/pipeline.yaml", "--output: '/no/such/pipeline.yaml' cannot be written"),
        ("--config", "/no/such.yaml", "/no/such.yaml: cannot be read"),
    ],
)
def test_a_wrong_argument_is_one_line(
    option: str, value: str, message: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A command that came as far as to load KFP or TFX would fail otherwise.
    monkeypatch.setitem(sys.modules, "pipeline.kubeflow.compiler", None)
    options = [f"{key}={text}" for key, text in _MINIMAL.items() if key != option or option == "--pvc"]
    assert main(["compile", *options, f"{option}={value}"]) == 2
    assert capfd.readouterr().err.startswith(f"error: {message}")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--data=/mnt"], "--pipeline-root: '/mnt/pipeline' lies in '/mnt', the folder of data"),
        (
            ["--set=infer=/mnt/new", "--serving=/mnt/new/models"],
            "--serving: '/mnt/new/models' lies in '/mnt/new', the f",
        ),
        (["--set=backbone.weights=gs://bucket/vgg.keras"], "--set: backbone.weights: got 'gs://bucket/vgg.keras', exp"),
    ],
)
def test_settings_that_no_step_can_follow_are_told(
    options: list[str], message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["compile", *(f"{key}={text}" for key, text in _MINIMAL.items()), *options]) == 2
    assert capfd.readouterr().err.startswith(f"error: {message}")


def test_bad_input_is_told_without_tensorflow_or_kfp() -> None:
    code = (
        "import sys; from pipeline.kubeflow.__main__ import main; from pipeline import run_node;"
        "main(['compile', '--image=x', '--pipeline-root=/x', '--metadata=sqlite:///x']);"
        "print([name for name in ('tensorflow', 'tfx', 'kfp', 'apache_beam') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_sdk_is_asked_for_in_one_line_where_it_is_not_installed(
    compiled: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = importlib.metadata.version

    def version(package: str) -> str:
        if package.startswith("kfp"):
            raise importlib.metadata.PackageNotFoundError(package)
        return installed(package)

    monkeypatch.setattr(importlib.metadata, "version", version)
    minimal = [f"{key}={text}" for key, text in {**_MINIMAL, "--output": tmp_path / "pipeline.yaml"}.items()]
    server = "--host=http://127.0.0.1:9"
    for arguments in (["compile", *minimal], ["submit", str(compiled), server], ["status", server]):
        assert main(arguments) == 2
        assert capfd.readouterr().err == (
            "error: the package kfp is not installed; pip install 'image-classification-pipeline[kubeflow]' adds it\n"
        )


def test_the_image_s_tfx_is_the_locked_one() -> None:
    locked = re.search(
        r"^tfx==(\S+) ; python_full_version >= '3\.11'", (REPOSITORY / "requirements.lock").read_text(), re.M
    )
    assert locked
    assert locked[1] == deployment.IMAGE_TFX
