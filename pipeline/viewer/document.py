"""One HTML page with TFMA's components and an evaluation's data in it; nothing is loaded from anywhere."""

import base64
import hashlib
import html
import importlib.resources
import json
from pathlib import Path
from typing import NamedTuple

import jinja2
import markupsafe

from common import escaping
from pipeline.viewer import views

_HERE = Path(__file__).parent


class Page(NamedTuple):
    """A page and what it may do.

    Attributes:
      html: the whole page.
      policy: its Content-Security-Policy, which it also states itself: no network, no script but those in the page.
    """

    html: str
    policy: str


def make_page(evaluation: Path, slice_key: str | None = None) -> Page:
    """Makes the page of an evaluation. The arguments are those of `views.make_views`."""
    shown = views.make_views(evaluation, slice_key)
    scripts = [_own("charts.js"), _bundle(), _own("page.js")]
    hashes = " ".join(f"'sha256-{_sha256(script)}'" for script in scripts)
    # TFMA's elements bring their styles with them.
    policy = f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE), autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined
    )
    content = templates.get_template("page.html").render(
        policy=policy,
        css=markupsafe.Markup(_own("page.css")),
        directory=escaping.escape(str(evaluation)),
        views=shown,
        data=_json(shown),
        scripts=map(markupsafe.Markup, scripts),
    )
    return Page(content, policy)


def frame(page: Page, height: int = 900) -> str:
    """HTML that shows a page inside of another, such as a notebook, which it cannot reach.

    Args:
      page: may be kept with the notebook: it needs no server.
      height: in CSS pixels.
    """
    return (
        f'<div><iframe title="Evaluation" sandbox="allow-scripts" srcdoc="{html.escape(page.html)}" '
        f'style="width: 100%; height: {height}px; border: 1px solid #d1d9e0"></iframe></div>'
    )


def _own(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _bundle() -> str:
    """TFMA's components, written so that nothing in them ends a script element."""
    file = importlib.resources.files("tensorflow_model_analysis") / "static" / "vulcanized_tfma.js"
    return file.read_text(encoding="utf-8").replace("</script", r"<\/script").replace("<!--", r"<\!--")


def _json(shown: views.Views) -> markupsafe.Markup:
    """JSON for a script element, which no text in it can end."""
    by_kind = {kind: [view._asdict() for view in getattr(shown, kind)] for kind in ("slicing", "comparisons", "plots")}
    text = json.dumps({"classes": shown.classes, **by_kind}, allow_nan=False)
    return markupsafe.Markup(text.replace("<", r"\u003c"))


def _sha256(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
