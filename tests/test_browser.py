"""The browser that other tests look through sees what it claims to see."""

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import browser as chromium
import pytest
from PIL import Image

_PAGE = """<!doctype html><meta charset="utf-8"><title>page</title>
<style>p { color: rgb(1, 2, 3) } @media (prefers-color-scheme: dark) { p { color: rgb(4, 5, 6) } }</style>
<p>text</p>
"""


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/" else 404)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Security-Policy", "img-src 'self'")
        self.end_headers()
        self.wfile.write(f"{_PAGE}<img src=absent.png><img src=http://elsewhere.invalid/a.png>".encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.mark.parametrize(
    ("width", "scheme", "colour"), [(1280, "light", "rgb(1, 2, 3)"), (390, "dark", "rgb(4, 5, 6)")]
)
def test_a_file_is_shown_at_the_width_and_in_the_colours_asked_for(
    browser: Any, tmp_path: Path, width: int, scheme: Any, colour: str
):
    page = tmp_path / "a page.html"
    page.write_text(_PAGE)

    with browser.visit(page, width=width, scheme=scheme) as visit:
        assert visit.page.evaluate("getComputedStyle(document.querySelector('p')).color") == colour
        visit.screenshot(tmp_path / "page.png")

    assert Image.open(tmp_path / "page.png").width == width
    assert visit.problems == []
    assert [request.url for request in visit.requests] == [page.as_uri()]


def test_what_a_page_prints_raises_says_and_fetches_is_kept(browser: Any, tmp_path: Path):
    page = tmp_path / "page.html"
    page.write_text(
        f"""{_PAGE}<img src="http://elsewhere.invalid/a.png">
        <script>console.log("printed"); alert("said"); throw new Error("raised")</script>"""
    )

    with browser.visit(page) as visit:
        pass

    assert "log: printed" in visit.console
    assert visit.dialogs == ["said"]
    assert any("raised" in error for error in visit.errors)
    fetched = {request.host: request for request in visit.requests}
    assert fetched.keys() == {"", "elsewhere.invalid"}
    assert fetched["elsewhere.invalid"].failure == "net::ERR_INTERNET_DISCONNECTED"
    assert len(visit.problems) == 4, visit.problems


def test_a_servers_refusals_and_those_of_a_policy_are_told_apart(browser: Any, address: str):
    with browser.visit(address) as visit:
        pass

    found = {request.url.removeprefix(address): (request.status, request.failure) for request in visit.requests}
    assert found == {"": (200, None), "absent.png": (404, None), "http://elsewhere.invalid/a.png": (None, "csp")}


@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_without_chromium_tests_are_skipped_but_fail_in_ci(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[Exception]
):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CI", ci)

    with pytest.raises(outcome, match="no Chromium"), chromium.start():
        pass
