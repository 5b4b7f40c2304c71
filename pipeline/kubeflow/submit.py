"""Starts a run on a Kubeflow Pipelines server, or a schedule of runs."""

import contextlib
import io
import json
import os
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import kfp
import kfp_server_api

from pipeline.kubeflow import backend
from pipeline.kubeflow.pipeline_file import PipelineFile


class Run(NamedTuple):
    """What is to be started.

    Attributes:
      pipeline: the compiled pipeline.
      values: parameters that differ from the defaults in the file.
      name: of a schedule; that of a run has the time as well.
      description: as Kubeflow shows it.
      experiment: name of the experiment; None for the server's default.
      namespace: of the user, where Kubeflow has several.
    """

    pipeline: PipelineFile
    values: Mapping[str, Any]
    name: str
    description: str
    experiment: str | None
    namespace: str | None


def start(run: Run, host: str, connect: Callable[[], kfp.Client]) -> str:
    """Starts a run.

    Args:
      run: what is to be started.
      host: the server's address.
      connect: makes a client of the server.

    Returns:
      The run's id.

    Raises:
      UserError: the server cannot be reached, refuses, or is no Kubeflow Pipelines.
    """
    with backend.one_line(host, "start the run"):
        client = connect()
        body = kfp_server_api.V2beta1Run(
            experiment_id=_experiment(client, run),
            display_name=f"{run.name} {datetime.now():%Y-%m-%d %H:%M:%S}",
            description=run.description,
            pipeline_spec=run.pipeline.documents,
            runtime_config=kfp_server_api.V2beta1RuntimeConfig(parameters=dict(run.values)),
        )
        # The client's own way to start a run has no description; the method's name depends on the SDK's release.
        create = getattr(client.runs, "create_run", None) or client.runs.run_service_create_run
        return backend.answer(host, create(body).run_id)


def schedule(run: Run, cron: str, host: str, connect: Callable[[], kfp.Client]) -> tuple[str, list[str]]:
    """Starts runs at the times of a schedule, in place of earlier schedules of the same name.

    A run that is still at work when the next is due delays that one; what was due while the cluster was down is left
    out.

    Args:
      run: what is to be started.
      cron: when, in the six fields of KFP.
      host: the server's address.
      connect: makes a client of the server.

    Returns:
      The schedule's id; the ids of those that it replaces.

    Raises:
      UserError: as `start`.
    """
    with backend.one_line(host, "schedule the runs"):
        client = connect()
        experiment = _experiment(client, run)
        earlier = _schedules(client, experiment, run.name)
        new = client.create_recurring_run(
            experiment,
            run.name,
            run.description,
            cron_expression=cron,
            no_catchup=True,
            params=dict(run.values),
            pipeline_package_path=run.pipeline.file,
        )
        new_id = backend.answer(host, new.recurring_run_id)
        for one in earlier:
            client.delete_recurring_run(one)
        return new_id, earlier


def _schedules(client: kfp.Client, experiment: str, name: str) -> list[str]:
    same = {"predicates": [{"operation": "EQUALS", "key": "display_name", "stringValue": name}]}
    found = client.list_recurring_runs(experiment_id=experiment, page_size=100, filter=json.dumps(same))
    return [one.recurring_run_id for one in found.recurring_runs or []]


def _experiment(client: kfp.Client, run: Run) -> str:
    """The id of the run's experiment, which is made if need be; the SDK's own variables name it where nobody does."""
    name = os.environ.get("KF_PIPELINES_OVERRIDE_EXPERIMENT_NAME") or run.experiment
    name = name or os.environ.get("KF_PIPELINES_DEFAULT_EXPERIMENT_NAME") or "Default"
    with contextlib.redirect_stdout(io.StringIO()):  # the client prints an address
        return str(client.create_experiment(name, namespace=run.namespace).experiment_id or "")
