"""The compiled pipeline as a file: KFP's pipeline specification, and the one for its platform if there is any."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import yaml

from common.errors import UserError

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # six times as fast as what is always there


class PipelineFile(NamedTuple):
    """What a compiled file holds.

    Attributes:
      file: its path.
      spec: KFP's pipeline specification.
      defaults: the values that its parameters have unless a run is given others, by name.
      documents: all that the file holds, as KFP's API takes it for a run.
    """

    file: str
    spec: Mapping[str, Any]
    defaults: Mapping[str, Any]
    documents: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The pipeline's name."""
        return str(self.spec.get("pipelineInfo", {}).get("name", ""))

    @property
    def images(self) -> list[str]:
        """The container images of its steps, each once."""
        executors = self.spec.get("deploymentSpec", {}).get("executors", {})
        return sorted({one["container"]["image"] for one in executors.values()})


def read(file: str) -> PipelineFile:
    """Reads a compiled pipeline.

    Raises:
      UserError: the file cannot be read, or holds no pipeline.
    """
    how = "expected what `python -m pipeline.kubeflow compile` writes"
    try:
        with open(file, "rb") as stream:
            spec, *platform = yaml.load_all(stream, _LOADER)
        found = spec["root"]["inputDefinitions"]["parameters"]
        defaults = {name: one["defaultValue"] for name, one in found.items()}
    except OSError as error:
        raise UserError(f"{file!r} cannot be read ({error.strerror}); {how}") from error
    except (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise UserError(f"{file!r} holds no compiled pipeline; {how}") from error
    documents = {"pipeline_spec": spec, "platform_spec": platform[0]} if platform else spec
    return PipelineFile(file, spec, defaults, documents)
