"""Serves one page to the browsers of this machine."""

import http.server
import sys
from http import HTTPStatus
from typing import Any

from pipeline.viewer.document import Page

_HOST = "127.0.0.1"


class PageServer(http.server.ThreadingHTTPServer):
    """Answers on a free port of the loopback interface, to requests that name it as their host.

    A site that lets its own name point to 127.0.0.1 gets nothing: its pages send that name as the host.
    """

    daemon_threads = True

    def __init__(self, page: Page) -> None:
        """Listens from now on; `serve_forever` answers."""
        super().__init__((_HOST, 0), _Handler)
        self.content = page.html.encode()
        self.headers = {
            "Content-Type": "text/html; charset=utf-8",
            "Content-Length": str(len(self.content)),
            # A page cannot state by itself who may frame it.
            "Content-Security-Policy": f"{page.policy}; frame-ancestors 'none'",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
        }

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing of a browser that hangs up; anything else is a fault of this program."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)

    @property
    def address(self) -> str:
        """The page's address."""
        return f"http://{_HOST}:{self.server_port}/"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: PageServer
    server_version = "viewer"
    sys_version = ""
    timeout = 60  # seconds, for whoever connects and says nothing

    def do_GET(self) -> None:
        if self._head():
            self.wfile.write(self.server.content)

    def do_HEAD(self) -> None:
        self._head()

    def _head(self) -> bool:
        """Sends the head of an answer; says whether the page follows."""
        if self.headers.get("Host") not in {f"{name}:{self.server.server_port}" for name in (_HOST, "localhost")}:
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
            return False
        if self.path != "/":
            self.send_error(HTTPStatus.NOT_FOUND)
            return False
        self.send_response(HTTPStatus.OK)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.end_headers()
        return True

    def log_message(self, *_: Any) -> None:
        """Keeps the terminal as it is."""
