"""Where a pipeline runs: the image, the storage, the nodes of the cluster."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

NAME = "image-classification"  # the pipeline's, in Kubeflow
# What requirements.lock has for the image's Python.
IMAGE_TFX = "1.21.0"
GPU_TYPE = "nvidia.com/gpu"


class Scratch(NamedTuple):
    """A volume that begins empty and goes with its pod.

    Attributes:
      name: of the volume in the pod.
      path: where it is mounted.
    """

    name: str
    path: str


TEMPORARY = Scratch("step-tmp", "/tmp")
SHARED_MEMORY = Scratch("step-shm", "/dev/shm")


class Toleration(NamedTuple):
    """Lets a step run on nodes with a taint.

    Attributes:
      key: of the taint.
      value: of the taint; empty for any.
      effect: of the taint, such as "NoSchedule"; empty for any.
    """

    key: str
    value: str
    effect: str

    def to_json(self) -> dict[str, str]:
        """As Kubernetes and KFP's platform specification have it."""
        operator = {"operator": "Equal", "value": self.value} if self.value else {"operator": "Exists"}
        return {"key": self.key, **operator, **({"effect": self.effect} if self.effect else {})}


class Placement(NamedTuple):
    """On which nodes the steps run, and what is mounted there.

    Attributes:
      gpus: number of GPUs by step; the others run on ordinary nodes.
      gpu_type: the resource's name in the cluster.
      node_selector: labels of the nodes with GPUs.
      tolerations: of their taints.
      volumes: claims by the path they are mounted at, in each step.
      secrets: secrets by the path they are mounted at, in each step.
      cpu: by step, such as "4".
      memory: by step, such as "16G".
      run_as_non_root: whether the cluster is asked to refuse root as the steps' user.
    """

    gpus: Mapping[str, int]
    gpu_type: str
    node_selector: Mapping[str, str]
    tolerations: Sequence[Toleration]
    volumes: Mapping[str, str]
    secrets: Mapping[str, str]
    cpu: Mapping[str, str]
    memory: Mapping[str, str]
    run_as_non_root: bool


class Deployment(NamedTuple):
    """Where a pipeline runs.

    Attributes:
      image: the container image of every step.
      pipeline_root: folder on a mounted volume, or gs://.
      serving: where models are published.
      metadata: address of the metadata store, see `pipeline.engine.connection`.
      tfx: version of TFX in the image.
      placement: the nodes and volumes.
    """

    image: str
    pipeline_root: str
    serving: str
    metadata: str
    tfx: str
    placement: Placement
