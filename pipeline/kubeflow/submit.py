"""Starts a run on a Kubeflow Pipelines server, with KFP's own client."""

import json
import logging
import re
from collections.abc import Mapping
from typing import Any

import kfp
import kfp_server_api
from urllib3.exceptions import HTTPError

from common.errors import UserError

_NOT_FOUND = 404


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
      UserError: the server cannot be reached, refuses, or is no Kubeflow Pipelines.
    """
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # it would tell of each attempt
    try:
        client = _Client(host=host, existing_token=token, namespace=namespace or "kubeflow")
        run = client.create_run_from_pipeline_package(
            file, arguments=dict(values), experiment_name=experiment, namespace=namespace
        )
    except kfp_server_api.ApiException as error:
        wanted = "; expected the address of Kubeflow Pipelines" if error.status == _NOT_FOUND else ""
        raise UserError(f"--host: {host!r} refused the run: {error.status} {_message(error)}{wanted}") from error
    except (HTTPError, ValueError) as error:
        # The innermost reason; in older releases of urllib3 it begins with the address of an object.
        reason = re.sub("^<[^>]*>: ", "", str(getattr(error, "reason", error)))
        raise UserError(f"--host: {host!r} did not start the run: {reason}") from error
    if not run.run_id:  # the client takes any page for an answer
        raise UserError(
            f"--host: {host!r} does not answer as Kubeflow Pipelines does; expected its address, "
            f"and --token-file where people sign in"
        )
    return str(run.run_id)


class _Client(kfp.Client):
    """KFP's client, less its five attempts at a first answer, each with a traceback: a person waits."""

    def get_kfp_healthz(self, sleep_duration: int = 0) -> Any:
        """What the server says of itself; see `kfp.Client`."""
        older = "get_healthz"  # the method's name in older releases of the SDK
        ask = getattr(self._healthz_api, older, None) or self._healthz_api.healthz_service_get_healthz
        return ask()


def _message(error: kfp_server_api.ApiException) -> str:
    """What the server says, on one line; a proxy before it may answer with a page."""
    try:
        told = json.loads(error.body)
        details = [one for one in told.get("details", []) if isinstance(one, dict)]
        texts = [told.get("message"), told.get("error"), *(one.get("error_message") for one in details)]
        text = next(str(one) for one in texts if one)
    except (ValueError, TypeError, AttributeError, StopIteration):
        text = error.reason or ""
    return " ".join(text.split())
