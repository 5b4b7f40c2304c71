"""Puts a step's task on the nodes and volumes that it is to have: KFP's document for Kubernetes."""

from kfp import dsl, kubernetes

from pipeline.kubeflow.deployment import Placement


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
    if placement.gpus.get(step):
        _on_gpu_nodes(task, placement.gpus[step], placement)


def _on_gpu_nodes(task: dsl.PipelineTask, gpus: int, placement: Placement) -> None:
    # For extended resources such as GPUs, Kubernetes takes the limit for the request too.
    task.set_accelerator_type(placement.gpu_type).set_accelerator_limit(gpus)
    for label, value in placement.node_selector.items():
        kubernetes.add_node_selector(task, label, value)
    # The SDK's own function for it is newer than the oldest release that is used here. It comes last: in that release,
    # the functions above know of no tolerations, and refuse to go on from them.
    task.platform_config.setdefault("kubernetes", {})["tolerations"] = [one.to_json() for one in placement.tolerations]
