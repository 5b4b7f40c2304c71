"""Puts a step's task on the nodes and volumes that it is to have: KFP's document for Kubernetes."""

from typing import Any

from kfp import dsl, kubernetes

from pipeline.kubeflow.deployment import SHARED_MEMORY, TEMPORARY, Placement


def place(task: dsl.PipelineTask, step: str, placement: Placement) -> None:
    """Sets what a step asks for. What it may use at most of CPU and memory is also what it asks for."""
    for path, claim in placement.volumes.items():
        kubernetes.mount_pvc(task, claim, path)
    for path, secret in placement.secrets.items():
        kubernetes.use_secret_as_volume(task, secret, path)
    if step in placement.cpu:
        task.set_cpu_request(placement.cpu[step]).set_cpu_limit(placement.cpu[step])
    if step in placement.memory:
        task.set_memory_request(placement.memory[step]).set_memory_limit(placement.memory[step])
    gpus = placement.gpus.get(step, 0)
    if gpus:
        # For extended resources such as GPUs, Kubernetes takes the limit for the request too.
        task.set_accelerator_type(placement.gpu_type).set_accelerator_limit(gpus)
        for label, value in placement.node_selector.items():
            kubernetes.add_node_selector(task, label, value)
    # The SDK's own functions for these are newer than the oldest release that is used here. They come last: in that
    # release, the functions above know of none of these fields, and refuse to go on from them.
    task.platform_config.setdefault("kubernetes", {}).update(_newer_fields(gpus, placement))


def _newer_fields(gpus: int, placement: Placement) -> dict[str, Any]:
    """Fields of KFP's KubernetesExecutorConfig, as JSON."""
    # A root file system may be read-only, and a container has 64 MB of shared memory, too little for NCCL.
    scratch = [{"volumeName": TEMPORARY.name, "mountPath": TEMPORARY.path}]
    if gpus > 1:
        scratch.append({"volumeName": SHARED_MEMORY.name, "mountPath": SHARED_MEMORY.path, "medium": "Memory"})
    mounted = placement.volumes.keys() | placement.secrets.keys()
    fields: dict[str, Any] = {"emptyDirMounts": [one for one in scratch if one["mountPath"] not in mounted]}
    if gpus:
        fields["tolerations"] = [one.to_json() for one in placement.tolerations]
    if placement.run_as_non_root:
        fields["securityContext"] = {"runAsNonRoot": True}
    return fields
