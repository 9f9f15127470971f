"""The list of several evidence pages, for what has no report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from jinja2 import Template

from framejury.pages.templating import POLICY, environment, style_of
from framejury.report.wording import decimal, outcome_word, status_word


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """One video: its verdict, columns as `framejury scan --json`, and the name of its page."""

    verdict: Mapping[str, Any]
    page: str


def index_html(entries: Sequence[IndexEntry], created_at: datetime) -> str:
    """The list as a page, in the order given; texts are escaped as on the evidence pages."""
    return _template().render(
        entries=entries, created_at=created_at, policy=POLICY, style=style_of()
    )


@cache
def _template() -> Template:
    found = environment()
    found.filters.update(outcome_word=outcome_word, decimal=decimal, status_word=status_word)
    return found.get_template("evidence_index.html")
