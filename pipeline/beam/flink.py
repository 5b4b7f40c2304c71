"""Flink's REST interface, for what Beam's client asks of it in a way that no Flink knows."""

import json
import urllib.request

_SECONDS = 10.0


def cancel(address: str, name: str) -> None:
    """Cancels the jobs of a name that have not ended. Beam would ask for an address that does not exist.

    Args:
      address: HOST:PORT of the interface.
      name: the jobs' name.

    Raises:
      OSError: Flink does not answer, or refuses.
    """
    for job in json.loads(_request(address, "GET", "/v1/jobs/overview"))["jobs"]:
        if job["name"] == name and job["end-time"] < 0:
            _request(address, "PATCH", f"/v1/jobs/{job['jid']}?mode=cancel")


def _request(address: str, method: str, path: str) -> bytes:
    request = urllib.request.Request(f"http://{address}{path}", method=method)
    with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
        return answer.read()
