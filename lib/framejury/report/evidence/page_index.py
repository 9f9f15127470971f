"""The index of several evidence pages without a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from jinja2 import Template

from framejury.pages.templating import POLICY, environment, style_of
from framejury.report.wording import FILTERS


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """One video: its verdict, columns as `framejury scan --json`, and the name of its page."""

    verdict: Mapping[str, Any]
    page: str


def index_html(entries: Sequence[IndexEntry], created_at: datetime) -> str:
    """Return the index as a page, in the order given."""
    return _template().render(
        entries=entries, created_at=created_at, policy=POLICY, style=style_of()
    )


@cache
def _template() -> Template:
    return environment(**FILTERS).get_template("evidence_index.html")
