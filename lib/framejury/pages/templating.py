"""The ground of pages: names escaped and printable, no network, one look.

A page forbids itself every outside source (`POLICY`), so even a mistake in a template could
load nothing.
"""

from __future__ import annotations

import base64
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from framejury.pages.style import chart_css
from framejury.redaction import printable

TEMPLATES = Path(__file__).parent / "templates"
POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'"
)
"""Content-Security-Policy of a page without a script."""


def environment() -> Environment:
    """Templates whose every text is escaped (autoescape) and cleared of control characters."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=_printed,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def style_of(*names: str) -> Markup:
    """The sheets `base.css` and those named, and the colours of charts, for a `style` element."""
    texts = [(TEMPLATES / name).read_text(encoding="utf-8") for name in ("base.css", *names)]
    return Markup("".join((*texts, chart_css())))


def data_uri(content: bytes, kind: str) -> str:
    """A picture within the page; `kind` as in `image/jpeg`."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _printed(value: Any) -> Any:
    """A text as it may stand in one line; what is markup already (a macro, our style) stays."""
    if not isinstance(value, str) or hasattr(value, "__html__") or value.isprintable():
        return value
    return printable(value)
