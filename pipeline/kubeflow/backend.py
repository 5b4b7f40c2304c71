"""A Kubeflow Pipelines server, through KFP's own client; whatever it refuses is one line."""

import contextlib
import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import kfp
import kfp_server_api
from urllib3.exceptions import HTTPError

from common.errors import TransientError, UserError

EXPECTED = "expected its address, and --token-file where people sign in"
_UNAUTHORIZED, _NOT_FOUND, _TOO_MANY, _SERVER_ERROR = 401, 404, 429, 500


def connect(host: str, namespace: str | None, token: str | None) -> kfp.Client:
    """A client of the server; may ask it for the namespace.

    Args:
      host: the server's address.
      namespace: of the user, where Kubeflow has several.
      token: for the server; None for the client's own way to find one.
    """
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # it would tell of each attempt
    return _Client(host=host, existing_token=token, namespace=namespace or "kubeflow")


def answer(host: str, given: str | None) -> str:
    """The id that a server answered with, which it does if it is one: the client takes any page for an answer.

    Raises:
      UserError: there is none.
    """
    if not given:
        raise UserError(f"--host: {host!r} does not answer as Kubeflow Pipelines does; {EXPECTED}")
    return given


@contextlib.contextmanager
def one_line(host: str, action: str) -> Iterator[None]:
    """Turns what goes wrong with a server into one line.

    Args:
      host: the server's address.
      action: what is asked of it, such as "start the run".

    Raises:
      UserError: it refuses, or is no Kubeflow Pipelines.
      TransientError: it cannot be reached, is in trouble, or takes the token no more.
    """
    try:
        yield
    except kfp_server_api.ApiException as error:
        told = _message(error)
        wanted = "; expected the address of Kubeflow Pipelines" if error.status == _NOT_FOUND and not told else ""
        passes = error.status in (_UNAUTHORIZED, _TOO_MANY) or error.status >= _SERVER_ERROR
        raise (TransientError if passes else UserError)(
            f"--host: {host!r} refused to {action}: {error.status} {told or error.reason}{wanted}"
        ) from error
    except HTTPError as error:
        raise TransientError(f"--host: {host!r} did not {action}: {reason(error)}") from error
    except ValueError as error:
        raise UserError(f"--host: {host!r} did not {action}: {reason(error)}") from error


def reason(error: Exception) -> str:
    """The innermost reason of a failed request, on one line."""
    text = str(getattr(error, "reason", error))
    return " ".join(re.sub("^<[^>]*>: ", "", text).split())  # urllib3 may begin with the address of an object


class _Client(kfp.Client):
    """KFP's client, less its five attempts at a first answer, each with a traceback: a person waits."""

    def get_kfp_healthz(self, sleep_duration: int = 0) -> Any:
        """What the server says of itself; see `kfp.Client`."""
        older = "get_healthz"  # the method's name in older releases of the SDK
        ask = getattr(self._healthz_api, older, None) or self._healthz_api.healthz_service_get_healthz
        return ask()


def _message(error: kfp_server_api.ApiException) -> str:
    """What the server says, on one line; empty where a proxy before it answers with a page."""
    try:
        told = json.loads(error.body)
        details = [one for one in told.get("details", []) if isinstance(one, dict)]
        texts = [told.get("message"), told.get("error"), *(one.get("error_message") for one in details)]
        text = next(str(one) for one in texts if one)
    except (ValueError, TypeError, AttributeError, StopIteration):
        return ""
    return " ".join(text.split())
