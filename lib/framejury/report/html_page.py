"""`report.html` and the further pages of its table: self-contained, one script, no network.

The Content-Security-Policy forbids all external sources and every script but ours, by its digest,
so that even a faulty template could load or run nothing.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from jinja2 import Template
from markupsafe import Markup

from framejury.model.card_tables import few_marked, trained_word
from framejury.pages.templating import TEMPLATES, environment, style_of
from framejury.report.card_html import card_html
from framejury.report.evidence.sentences import advice
from framejury.report.findings import Findings, why_no_curves, why_no_roc
from framejury.report.inputs import Context
from framejury.report.known import known_table
from framejury.report.opening import opening
from framejury.report.predictions import SHOWN, as_rows
from framejury.report.protocol_tables import protocol_tables
from framejury.report.report_figures import protocol_names
from framejury.report.seen_videos import HEADER, NOTE, odds_sentence, seen_rows
from framejury.report.summary import (
    accuracy_sentences,
    apart_sentence,
    by_score_sentence,
    changes,
    deltas,
    label_sentences,
    limits_sentence,
    since_words,
    summary_sentences,
    undecided_sentence,
)
from framejury.report.training_curves import HEADER as HEADER_OF_EPOCHS
from framejury.report.training_curves import epoch_rows
from framejury.report.trust import NO_SIGN, REAL_MEANS
from framejury.report.verdict_table import (
    LARGE_PX,
    checked_link,
    face_words,
    page_count,
    table_page,
    thumbnail,
)
from framejury.report.verdicts_by_night import held_up
from framejury.report.wording import (
    FILTERS,
    bootstrap_sentence,
    bytes_word,
    decimal,
    flat,
    inconclusive_words,
    interval_text,
    left_out_words,
    metric_lines,
    percent,
    status_meaning,
    status_word,
    took_word,
)
from framejury.schemas.notes import from_text
from framejury.schemas.statuses import NOTE_MEANING, Verdict

REPORT_HTML = "report.html"

_CHANGES = 20
_FAILURES = 50
"""Rows shown of changed verdicts, and of unscored videos per status."""
_FACES = 3
_RATES = {
    "wall_s": ("wall-clock time", took_word),
    "videos_per_minute": ("videos per minute", lambda value: f"{value:,.1f}"),
    "faces_per_s": ("{judges}s scored per second", lambda value: f"{value:,.1f}"),
    "read_bytes": ("data read", bytes_word),
    "wall_s_per_video": ("wall-clock time per video, on its worker", took_word),
    "cpu_s_per_video": ("processor time per video", took_word),
}


def html_report(findings: Findings, charts: Mapping[str, str], *, page_rows: int) -> str:
    """Return `report.html` as text.

    Args:
        charts: name of a figure -> `svg` element of `style.inline_svg`.
        page_rows: videos in its table; the page links to the others.

    Raises:
        ValueError: a link to evidence leads out of the report's folder.
    """
    f = findings
    return _template(REPORT_HTML).render(
        **_common(f),
        sheet=table_page(f.predictions, f.context, 1, page_rows, f.judges),
        charts={name: Markup(chart) for name, chart in charts.items()},
        opening=opening(f),
        sentences=summary_sentences(f),
        accuracy=[
            *accuracy_sentences(f),
            undecided_sentence(f),
            by_score_sentence(f),
            apart_sentence(f),
        ],
        deltas=deltas(f),
        since=since_words(f),
        changes=changes(f, _CHANGES),
        links=_checked(f.context.evidence),
        outcomes=_outcomes(f),
        mistakes=list(_mistakes(f)),
        failures=list(_failures(f)),
        noted=list(_noted(f)),
        left_out=left_out_words(f.context.left_out),
        real_means=REAL_MEANS,
        why_no_roc=why_no_roc(f),
        why_no_curves=why_no_curves(f),
        label_sentences=label_sentences(f),
        seen_header=HEADER,
        seen_rows=seen_rows(f.seen),
        seen_note=f"{NOTE} {odds_sentence(f.seen)}",
        rates=[
            (_RATES[name][0].format(judges=f.judges), _RATES[name][1](value))
            for name, value in f.effort.rates.items()
        ],
        has_effort=bool(f.effort.phases or f.effort.rates or f.effort.kinds),
        statuses=_by_status(f.statuses),
        run_statuses=_by_status(f.run.statuses or {}),
        steps=[(step.title, list(flat(step.settings))) for step in f.run.steps],
        known_table=None if f.apart is None else known_table(f.apart),
        protocol_tables=[]
        if f.protocol is None
        else protocol_tables(f.protocol, f.judges, f.run.bundle),
        protocol_pictures=[]
        if f.protocol is None
        else [name for name, _ in protocol_names(f.protocol)],
        card=card_html(f.run.bundle.card) if f.run.bundle else "",
        epoch_header=HEADER_OF_EPOCHS,
        epochs=epoch_rows(f.run.bundle.history, f.run.bundle.chosen_epoch) if f.run.bundle else [],
        held_up=held_up(f.review),
        limits=limits_sentence(f),
        bundle_metrics=list(flat(f.run.bundle.metrics or {})) if f.run.bundle else [],
    )


def html_page(findings: Findings, number: int, *, page_rows: int) -> str:
    """Return a further page of the table, from 2, as text."""
    f = findings
    found = table_page(f.predictions, f.context, number, page_rows, f.judges)
    return _template("verdicts.html").render(**_common(f), sheet=found)


def page_name(number: int) -> str:
    """Return the file name of a page of the table, from 1; the first is the report itself."""
    return REPORT_HTML if number == 1 else f"verdicts-{number:04d}.html"


def page_names(findings: Findings, page_rows: int) -> dict[str, int]:
    """Return the file names of the further pages and their numbers, from 2."""
    pages = page_count(findings.predictions, page_rows)
    return {page_name(number): number for number in range(2, pages + 1)}


@cache
def table_script() -> str:
    """Return the only script of a page."""
    return (TEMPLATES / "table.js").read_text(encoding="utf-8")


@cache
def script_policy() -> str:
    """Return the Content-Security-Policy that allows `table_script` and nothing else.

    Trusted types without a policy refuse every string that would become markup or code.
    """
    digest = base64.b64encode(hashlib.sha256(table_script().encode()).digest()).decode()
    return (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )


def _common(f: Findings) -> dict[str, Any]:
    return {
        "f": f,
        "policy": script_policy(),
        "style": style_of("report.css", "decisions.css"),
        "script": Markup(table_script()),
        "banners": f.banners,
        "page_name": page_name,
    }


@cache
def _template(name: str) -> Template:
    found = environment(**FILTERS)
    found.globals.update(
        metric_lines=metric_lines,
        bootstrap_sentence=bootstrap_sentence,
        interval_text=interval_text,
        write_percent=percent,
        write_decimal=decimal,
        trained_word=trained_word,
        few_marked=few_marked,
    )
    return found.get_template(name)


def _checked(links: Mapping[str, str]) -> dict[str, str]:
    return {video_id: link for video_id, link in links.items() if checked_link(link)}


def _mistakes(f: Findings) -> Iterator[dict[str, Any]]:
    """Yield both kinds of mistakes with some of their faces, false accusations first."""
    for title, table in (
        ("Real videos called fake", f.mistakes.accused),
        ("Fake videos called real", f.mistakes.missed),
    ):
        rows = [_mistake(row, f.context, f.judges) for row in as_rows(table, SHOWN)]
        yield {"title": title, "total": table.num_rows, "rows": rows}


def _mistake(row: dict[str, Any], context: Context, judges: str) -> dict[str, Any]:
    faces = [
        {"src": source, "words": face_words(face, judges)}
        for face in context.faces.get(row["video_id"], ())[:_FACES]
        if (source := thumbnail(face.picture, LARGE_PX)) is not None
    ]
    ends = {
        "low": row["p_fake"] if row["p_fake_low"] is None else row["p_fake_low"],
        "high": row["p_fake"] if row["p_fake_high"] is None else row["p_fake_high"],
    }
    link = checked_link(context.evidence.get(row["video_id"]))
    return row | ends | {"faces": faces, "link": link}


def _failures(f: Findings) -> Iterator[dict[str, Any]]:
    """Yield unscored videos by status, most frequent first."""
    failed: pa.Table = f.predictions.slice(f.predictions.num_rows - f.outcomes.not_scored)
    counts = Counter(failed["status"].to_pylist())
    for name, total in sorted(counts.items(), key=lambda one: -one[1]):
        mine = failed.filter(pc.equal(failed["status"], name))
        yield {
            "word": status_word(name),
            "meaning": status_meaning(name),
            "advice": advice(name),
            "total": total,
            "rows": as_rows(mine, _FAILURES),
        }


def _noted(f: Findings) -> Iterator[dict[str, Any]]:
    """Yield videos by the notes about their files, most frequent note first."""
    groups = defaultdict(list)
    table = f.predictions
    for row in table.filter(pc.not_equal(pc.fill_null(table["notes"], ""), "")).to_pylist():
        for note in from_text(row["notes"]):
            groups[note.code].append(row | {"detail": note.detail})
    for code, rows in sorted(groups.items(), key=lambda one: -len(one[1])):
        yield {"sentence": f"{NOTE_MEANING[code]}.", "total": len(rows), "rows": rows[:_FAILURES]}


def _by_status(counts: Mapping[str, int]) -> list[tuple[str, str]]:
    return [
        (status_word(status), f"{count:,}: {status_meaning(status)}")
        for status, count in counts.items()
    ]


def _outcomes(f: Findings) -> list[dict[str, Any]]:
    """Return the tiles and the bar of the first screen."""
    o = f.outcomes
    why = {
        "inconclusive": inconclusive_words(f.inconclusive),
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
            "label": NO_SIGN if word == Verdict.REAL else word,
            "css": word.replace(" ", "-"),
            "count": count,
            "why": why.get(word, []),
        }
        for word, count in counts
    ]
