"""Small reports: rows, runs and earlier nights to build one from, and a parser of its page."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image
from skimage import data

from framejury.report.inputs import BEFORE_COLUMNS, Context, EarlierRun, RunReport
from framejury.report.report import BundleInfo, RunInfo
from framejury.report.steps import Step
from framejury.schemas.tables import EXTRACTIONS
from tests.builders.rows import verdict_row, verdict_table

NASTY = "<script>alert(1)</script>.mp4"
RUN = RunInfo(
    run_id="run-1",
    created_at=datetime(2026, 3, 1, 2, 31, tzinfo=UTC),
    archive="/data/archive",
    warehouse="/data/warehouse",
    model_id="b0-000000000000",
    bundle=BundleInfo("detector", "# Card\n\nTrained on <b>few</b> videos.", {"val": {"auc": 0.9}}),
    steps=(Step("verdicts", ("run-1",), 5, {"verdict": {"reducer": "mean", "threshold": None}}),),
    versions={"framejury": "0.1.0"},
    seconds={"index": 1.25},
)


class Page(HTMLParser):
    """Texts, tags, attributes and addresses of an HTML page."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self._is_code = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        wanted = ("src", "srcset", "href", "action", "data", "poster")
        self.addresses += [value or "" for name, value in attrs if name in wanted]
        self._is_code = tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._is_code = False

    def handle_data(self, data: str) -> None:
        if not self._is_code:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def report(rows: list[dict[str, Any]], faces: pa.Table | None = None, **run: Any) -> RunReport:
    return RunReport(verdict_table(rows), faces, replace(RUN, **run))


def mixed_rows() -> list[dict[str, Any]]:
    return [
        verdict_row(0, label="FAKE", p_fake=0.93, path=NASTY, method="swap"),
        verdict_row(1, label="REAL", p_fake=0.12),
        verdict_row(2, label="FAKE", p_fake=0.52, verdict="inconclusive"),
        verdict_row(3, label="REAL", p_fake=None, status="timeout", error="ran longer than 120 s"),
        verdict_row(4, label="REAL", p_fake=0.7, path="b.mp4"),
    ]


def many_rows(count: int = 30) -> list[dict[str, Any]]:
    """Return labelled videos, one in two a fake, scored better than by chance."""
    return [
        verdict_row(n, label="FAKE" if n % 2 else "REAL", p_fake=(n * 7 % 20 + 8 * (n % 2)) / 30)
        for n in range(count)
    ]


ENDED = datetime(2026, 2, 28, 2, 31, tzinfo=UTC)


def before_table(rows: list[dict[str, Any]]) -> pa.Table:
    """Return verdicts as a report reads those of the night before."""
    return verdict_table(rows).select(BEFORE_COLUMNS)


def now_rows() -> list[dict[str, Any]]:
    """Return verdicts of this night; the comments give the outcome of the night before."""
    return [
        verdict_row(0, p_fake=0.9),  # was real
        verdict_row(1, p_fake=0.8),  # was fake, with another score
        verdict_row(2, p_fake=None, status="timeout"),  # was real
        verdict_row(3, p_fake=0.2),  # was not scored
        verdict_row(4, p_fake=0.1),  # is new
        verdict_row(5, p_fake=None, status="crashed"),  # failed before, too, otherwise
    ]


def context(**changes: Any) -> Context:
    """Return the night before `now_rows`; `changes` replace fields."""
    old = [
        verdict_row(0, p_fake=0.3),
        verdict_row(1, p_fake=0.7),
        verdict_row(2, p_fake=0.2),
        verdict_row(3, p_fake=None),
        verdict_row(5, p_fake=None, status="timeout"),
        verdict_row(9, p_fake=0.6),  # gone
    ]
    night = EarlierRun("night-1", ENDED, {"scored": 6, "timeout": 2}, {"fake": 1, "real": 2}, 60.0)
    base = Context(
        judged_now=frozenset(verdict_row(n)["video_id"] for n in (0, 2, 3, 4, 77)),
        before=before_table(old),
        earlier=(night,),
    )
    return replace(base, **changes)


def extractions(rows: list[dict[str, Any]]) -> pa.Table:
    """Return a table `extractions` for videos 0, 1, ...; columns not given are null."""
    return pa.Table.from_pylist(
        [
            {name: row.get(name) for name in EXTRACTIONS.names} | {"video_id": f"{i:020x}"}
            for i, row in enumerate(rows)
        ],
        schema=pa.schema([field.with_nullable(True) for field in EXTRACTIONS]),
    )


def jpeg(side_px: int = 160, seed: int = 0) -> bytes:
    """Return a photograph of a face, JPEG, with the noise of a camera."""
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, 40, 2)
    photograph = data.astronaut()[y : y + 170, 130 + x : 300 + x].astype(np.float64)
    noisy = photograph * rng.uniform(0.6, 1.2) + rng.normal(0, 6, photograph.shape)
    picture = Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).resize((side_px, side_px))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=85)
    return file.getvalue()


ATTACKS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</style></title></pre><script>alert(1)</script>",
    "{{ 7*7 }}{% include 'report.css' %}",
    "javascript:alert(1)//<a href=javascript:alert(1)>",
    "<!--",
    "]]><svg/onload=alert(1)>",
    "&lt;script&gt;&#60;script&#62;",
    "$\\frac{x$ \x1b[2J\x1b]0;t\x07\u202e\u2066\nnew line\r\x00\u2028",
    "=cmd|'/c calc'!A1",
]
"""Texts that break out of HTML, templates, LaTeX, terminals or spreadsheets."""
