"""`report.html`: one self-contained page. No script, no network, names escaped.

The page forbids itself every outside source (Content-Security-Policy), so even a
mistake in the template could load nothing.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from framejury.evaluation.findings import DEMO_BANNER, SOUND, Findings, why_no_roc
from framejury.evaluation.predictions import as_rows
from framejury.evaluation.protocol_figures import protocol_names
from framejury.evaluation.protocol_tables import protocol_tables
from framejury.evaluation.wording import (
    agreement_word,
    auc_against,
    bootstrap_sentence,
    decimal,
    flat,
    interval_text,
    metric_lines,
    outcome_word,
    percent,
    status_meaning,
    status_word,
)
from framejury.redaction import printable

TEMPLATES = Path(__file__).parent / "templates"


def html_report(
    findings: Findings,
    light: Mapping[str, bytes],
    dark: Mapping[str, bytes],
    *,
    max_rows: int,
) -> str:
    """The page as text.

    Args:
        light, dark: PNG files by name for the two themes.
        max_rows: rows shown of the verdict table and of the failures; the page says where
            the rest is.
    """
    f = findings
    failed = f.predictions.slice(f.predictions.num_rows - f.outcomes.not_scored)
    return _template().render(
        f=f,
        demo=DEMO_BANNER if f.is_demo else None,
        sound=SOUND,
        style=(TEMPLATES / "report.css").read_text(encoding="utf-8"),
        pictures=_pictures(light, dark),
        outcomes=_outcomes(f),
        rows=as_rows(f.predictions, max_rows),
        failures=as_rows(failed, max_rows),
        max_rows=max_rows,
        why_no_roc=why_no_roc(f),
        statuses=_by_status(f.statuses),
        run_statuses=_by_status(f.run.statuses or {}),
        seconds=[(phase, f"{seconds:,.1f} s") for phase, seconds in f.run.seconds.items()],
        settings=list(flat(f.run.settings)),
        protocol_tables=[] if f.protocol is None else protocol_tables(f.protocol),
        protocol_pictures=[] if f.protocol is None else protocol_names(f.protocol),
        bundle_metrics=list(flat(f.run.bundle.metrics or {})) if f.run.bundle else [],
    )


@cache
def _template() -> Template:
    """The template with its filters.

    What it prints is escaped (autoescape) and cleared of control characters (finalize), all of it.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=_printed,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=percent,
        decimal=decimal,
        count=lambda value: f"{value:,}",
        status_word=status_word,
        status_meaning=status_meaning,
        outcome_word=outcome_word,
        agreement_word=agreement_word,
        auc_against=auc_against,
    )
    environment.globals.update(
        metric_lines=metric_lines,
        bootstrap_sentence=bootstrap_sentence,
        interval_text=interval_text,
        write_percent=percent,
    )
    return environment.get_template("report.html")


def _printed(value: Any) -> Any:
    """A text as it may stand in one line; what is markup already (a macro, our style) stays."""
    if not isinstance(value, str) or hasattr(value, "__html__") or value.isprintable():
        return value
    return printable(value)


def _pictures(light: Mapping[str, bytes], dark: Mapping[str, bytes]) -> dict[str, dict[str, str]]:
    return {
        name: {"light": _data_uri(picture), "dark": _data_uri(dark[name])}
        for name, picture in light.items()
    }


def _data_uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def _by_status(counts: Mapping[str, int]) -> list[tuple[str, str]]:
    return [
        (status_word(status), f"{count:,}: {status_meaning(status)}")
        for status, count in counts.items()
    ]


def _outcomes(f: Findings) -> list[dict[str, Any]]:
    """The tiles and the bar of the first screen."""
    o, total = f.outcomes, f.video.videos
    why = {
        "inconclusive": [f"{count:,} {reason}" for reason, count in f.inconclusive.items()],
        "not scored": [
            f"{count:,} {status_word(status)}"
            for status, count in f.statuses.items()
            if status != "scored"
        ],
    }
    counts = (
        ("fake", o.fake),
        ("real", o.real),
        ("inconclusive", o.inconclusive),
        ("not scored", o.not_scored),
    )
    return [
        {
            "word": word,
            "css": word.replace(" ", "-"),
            "count": count,
            "share": count / total if total else None,
            "why": why.get(word, []),
        }
        for word, count in counts
    ]
