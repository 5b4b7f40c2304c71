"""What Flink is asked when a step ends before its job, by a server that answers as Flink 1.19.3 did."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from pipeline.beam import flink

_JOBS = [
    {"jid": "a1", "name": "ours", "state": "FINISHED", "end-time": 1795717788262},
    {"jid": "b2", "name": "ours", "state": "RUNNING", "end-time": -1},
    {"jid": "c3", "name": "another's", "state": "RUNNING", "end-time": -1},
]


class _Flink(BaseHTTPRequestHandler):
    asked: list[str] = []

    def do_GET(self) -> None:
        self._answer(200 if self.path == "/v1/jobs/overview" else 404, {"jobs": _JOBS})

    def do_PATCH(self) -> None:
        self.asked.append(self.path)
        self._answer(202, {})

    def _answer(self, code: int, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""


@pytest.fixture
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("localhost", 0), _Flink) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"localhost:{server.server_port}"
        server.shutdown()


def test_only_the_jobs_of_a_step_that_still_run_are_cancelled(address: str) -> None:
    flink.cancel(address, "ours")
    assert _Flink.asked == ["/v1/jobs/b2?mode=cancel"]
