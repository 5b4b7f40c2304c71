"""Tells Report how long the steps took that led to its inputs."""

import json
from collections.abc import Iterable, Mapping

from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration.portable import data_types

from common import drivers
from common.lineage import Lineage

# The driver leaves the times under this name, among the parameters: {step: seconds} as JSON, in the order of the steps.
STEP_SECONDS = "step_seconds"


class Driver(drivers.Driver):
    """Looks the inputs' history up in the metadata store, which an executor has no way to.

    Only finished work counts, not the runs that took it from the cache: the same inputs give the same times, which are
    part of the cache's key.
    """

    def parameters(self, execution_info: data_types.ExecutionInfo) -> Mapping[str, str]:
        """The times, under STEP_SECONDS."""
        artifacts = {one.id for inputs in execution_info.input_dict.values() for one in inputs}
        with self._mlmd_connection as handle:
            seconds = step_seconds(Lineage(handle.store), artifacts)
        return {STEP_SECONDS: json.dumps(seconds)}


def step_seconds(lineage: Lineage, artifacts: Iterable[int]) -> dict[str, float]:
    """Wall time of each step that had a part in some artifacts, given by their ids, by its name."""
    found: dict[int, metadata_store_pb2.Execution] = {}
    todo = set(artifacts)
    seen: set[int] = set()
    while todo:
        seen |= todo
        givers = lineage.givers(todo)
        new = {one.id: one for one in givers if one.last_known_state == one.COMPLETE and one.id not in found}
        found |= new
        todo = {one.id for maker in new for inputs in lineage.inputs(maker).values() for one in inputs} - seen
    return {lineage.step(one.id): _seconds(one) for _, one in sorted(found.items())}


def _seconds(execution: metadata_store_pb2.Execution) -> float:
    return (execution.last_update_time_since_epoch - execution.create_time_since_epoch) / 1000
