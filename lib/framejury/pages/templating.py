"""Templates and style sheets of all pages.

Every text is escaped and printable. The Content-Security-Policy (`POLICY`) forbids all external
sources, so that even a faulty template could load nothing.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
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


def environment(**filters: Callable[..., Any]) -> Environment:
    """Return an environment that escapes every text and makes control characters visible."""
    found = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=_printed,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(filters)
    return found


@cache
def style_of(*names: str) -> Markup:
    """Return `base.css`, the named style sheets and the colours of figures, for a `style` tag."""
    texts = [(TEMPLATES / name).read_text(encoding="utf-8") for name in ("base.css", *names)]
    return Markup("".join((*texts, chart_css())))


def data_uri(content: bytes, kind: str) -> str:
    """Return a `data:` address of a file; `kind` is its media type, such as `image/jpeg`."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _printed(value: Any) -> Any:
    """Make a text printable; leave markup (macros, style sheets) as it is."""
    if not isinstance(value, str) or hasattr(value, "__html__") or value.isprintable():
        return value
    return printable(value)
