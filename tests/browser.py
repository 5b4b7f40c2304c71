"""Drives the system's Chromium: opens pages as people see them and keeps what they print, raise and fetch.

    def test_a_page(browser):                       # the fixture of conftest.py
        with browser.visit(path_or_url, width=390, scheme="dark") as visit:
            assert visit.page.inner_text("h1") == "Cats"
            visit.screenshot(tmp_path / "narrow.png")
        assert not visit.problems
        assert {request.host for request in visit.requests} <= {"127.0.0.1"}

Playwright keeps an asyncio loop running in the thread that uses it, so a test of the same module must not run another.
"""

import contextlib
import dataclasses
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
from playwright import sync_api as playwright

_EXECUTABLES = ("chromium", "chromium-browser", "google-chrome")
# Chromium's own services would fetch things that no page has asked for.
_FLAGS = (
    "--no-sandbox",  # it does not start as root otherwise
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclasses.dataclass
class Request:
    """What a page has asked for.

    Attributes:
      url: the whole address; data: and blob: ones too.
      failure: why it came to nothing, such as "net::ERR_INTERNET_DISCONNECTED" or "csp"; None where it did not fail.
      status: the HTTP status of the answer, if there was one. An answer of 404 is no failure.
    """

    url: str
    failure: str | None = None
    status: int | None = None

    @property
    def host(self) -> str:
        """The host's name, lower case; empty for file:, data: and blob: addresses."""
        return urlsplit(self.url).hostname or ""


class Visit:
    """An open page and what it has done since it was opened; the lists grow as long as it is open.

    Attributes:
      page: Playwright's page, to look at and click.
      console: what was printed, as "type: text"; Chromium itself prints errors such as a blocked request there.
      errors: exceptions that no script caught.
      dialogs: texts of alert, confirm and prompt, each of which is dismissed.
      requests: everything that was asked for, the page itself included.
    """

    def __init__(self, context: playwright.BrowserContext) -> None:
        self.console: list[str] = []
        self.errors: list[str] = []
        self.dialogs: list[str] = []
        self._requests: dict[playwright.Request | playwright.WebSocket, Request] = {}
        # A context's events are those of all its pages: what a page opens is seen as well.
        context.on("console", lambda message: self.console.append(f"{message.type}: {message.text}"))
        context.on("weberror", lambda error: self.errors.append(str(error.error)))
        context.on("dialog", self._dismiss)
        context.on("request", self._request)
        context.on("requestfailed", self._failed)
        context.on("response", self._response)
        context.on("page", lambda page: page.on("websocket", self._request))
        self.page = context.new_page()

    @property
    def requests(self) -> list[Request]:
        return list(self._requests.values())

    @property
    def problems(self) -> list[str]:
        """What a healthy page has none of: printed errors, uncaught exceptions, dialogs, failed requests."""
        printed = [line for line in self.console if line.startswith("error: ")]
        failed = [f"{one.url}: {one.failure or one.status}" for one in self.requests if _has_failed(one)]
        return [*printed, *self.errors, *self.dialogs, *failed]

    def screenshot(self, path: Path) -> None:
        """Writes the whole page, also what one would scroll to, as a PNG."""
        self.page.screenshot(path=path, full_page=True)

    def _request(self, asked: playwright.Request | playwright.WebSocket) -> None:
        self._requests[asked] = Request(asked.url)

    def _failed(self, asked: playwright.Request) -> None:
        self._requests[asked].failure = asked.failure or "unknown"

    def _response(self, answer: playwright.Response) -> None:
        self._requests[answer.request].status = answer.status

    def _dismiss(self, dialog: playwright.Dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()


class Browser:
    """A running Chromium."""

    def __init__(self, chromium: playwright.Browser) -> None:
        self._chromium = chromium

    @contextlib.contextmanager
    def visit(
        self,
        target: str | Path,
        *,
        width: int = 1280,
        height: int = 800,
        scheme: Literal["light", "dark"] = "light",
        **options: Any,
    ) -> Iterator[Visit]:
        """Opens a page, with neither cookies nor caches of another, and waits for it to load.

        Args:
          target: an address, or the path of a file. A page from a file finds itself without a network.
          width: of the window, in CSS pixels, like `height`.
          height: of the window; a screenshot shows the whole page nevertheless.
          scheme: the colour scheme that the person prefers.
          options: more of Playwright's `Browser.new_context`, such as `java_script_enabled=False`.
        """
        is_file = isinstance(target, Path)
        context = self._chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            **{"offline": is_file, "service_workers": "block", **options},
        )
        try:
            visit = Visit(context)
            visit.page.goto(target.resolve().as_uri() if isinstance(target, Path) else target)
            yield visit
        finally:
            context.close()


@contextlib.contextmanager
def start() -> Iterator[Browser]:
    """Starts Chromium. Where there is none, the test is skipped, or fails if the environment says CI=true."""
    found = next(filter(None, map(shutil.which, _EXECUTABLES)), None)
    if not found:
        give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        give_up(f"no Chromium on the PATH: looked for {', '.join(_EXECUTABLES)}")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=found, args=_FLAGS)
        try:
            yield Browser(chromium)
        finally:
            chromium.close()


def _has_failed(request: Request) -> bool:
    return request.failure is not None or (request.status or 0) >= 400
