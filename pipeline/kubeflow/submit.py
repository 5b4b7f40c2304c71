"""Starts a run on a Kubeflow Pipelines server, with KFP's own client."""

from collections.abc import Mapping
from typing import Any

import kfp

from common.errors import UserError


def submit(
    file: str, values: Mapping[str, Any], host: str, experiment: str | None, namespace: str | None, token: str | None
) -> str:
    """Uploads a compiled pipeline and starts a run of it.

    Args:
      file: the compiled pipeline.
      values: parameters that differ from the defaults in the file.
      host: address of the server.
      experiment: name of the experiment; None for the server's default.
      namespace: of the user, where Kubeflow has several.
      token: for the server; None for the client's own way to find one.

    Returns:
      The run's id.

    Raises:
      UserError: the server cannot be reached, or refuses.
    """
    try:
        client = kfp.Client(host=host, existing_token=token, namespace=namespace or "kubeflow")
        run = client.create_run_from_pipeline_package(
            file, arguments=dict(values), experiment_name=experiment, namespace=namespace
        )
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise UserError(f"--host: {host!r} did not start the run: {lines[0]}") from error
    return str(run.run_id)
