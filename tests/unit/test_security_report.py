"""A report of an archive, a bundle and a run whose every text was written by an attacker."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from framejury.evaluation.page import TEMPLATES
from framejury.evaluation.protocol import ProtocolData
from framejury.evaluation.report import BundleInfo, RunInfo, RunReport, build_report
from tests.unit.test_evaluation_report import Page
from tests.unit.test_evaluation_rows import face_table, verdict_row, verdict_table

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
HARMLESS = "name"
PICTURES = ["confusion_face.png", "confusion_video.png", "roc.png", "scores.png", "loss.png"]


@pytest.fixture(autouse=True)
def _quick_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """No text of a video reaches a picture; drawing them takes seconds."""
    names = [*PICTURES, "accuracy.png", "det.png", "reliability.png", "frames_per_video.png"]
    monkeypatch.setattr(
        "framejury.evaluation.report.pictures", lambda findings, theme: dict.fromkeys(names, b"P")
    )


def report_of(text: str) -> RunReport:
    """With `text` in every field that takes any."""
    words = dict.fromkeys(("path", "uri", "layout", "method", "group", "model_id", "run_id"), text)
    rows = [
        verdict_row(0, label="FAKE", p_fake=0.93, **words, reducer=text),
        verdict_row(1, label="REAL", p_fake=0.12, **words),
        verdict_row(2, label="REAL", p_fake=None, status="crashed", error=text, **words),
        verdict_row(3, label="FAKE", p_fake=0.52, verdict="inconclusive", **words),
    ]
    table = verdict_table(rows)
    faces = face_table([("FAKE", text, text, 0.9, 3), ("REAL", text, text, 0.1, 4)])
    bundle = BundleInfo("detector", f"# {text}", {text: {text: 1}}, ({"epoch": 1, "loss": 0.5},))
    run = RunInfo(
        run_id=text,
        created_at=datetime(2026, 3, 1, tzinfo=UTC),
        archive=text,
        warehouse=text,
        model_id=text,
        bundle=bundle,
        settings={text: {text: text, "list": [text]}},
        versions={text: text},
        seconds={text: 1.0},
    )
    protocol = ProtocolData(
        headline=11,
        by_frames={11: table},
        data_sets=[(text,)] * 4,
        data_set_rule=text,
        face_scores=np.array([0.9, 0.1]),
        face_videos=np.array([0, 1]),
    )
    return RunReport(table, faces, run, title=text, notes=(text,), protocol=protocol)


def shape(html: str) -> list[str]:
    """Tags and names of attributes, in order: what a text may never change."""
    page = Page(html)
    return [*page.tags, *(name for name, _ in page.attributes)]


@pytest.mark.parametrize("attack", ATTACKS, ids=ascii)
def test_a_text_changes_no_tag_and_no_attribute(attack: str) -> None:
    files = build_report(report_of(attack))
    html = files["report.html"].decode()
    assert shape(html) == shape(build_report(report_of(HARMLESS))["report.html"].decode())
    page = Page(html)
    assert not any(name.startswith("on") for name, _ in page.attributes)
    assert not {"script", "a"} & set(page.tags) - {"a"}
    for name, value in page.attributes:
        if name in ("href", "src", "srcset"):
            assert str(value).startswith(("#", "data:image/png;base64,"))
        if name in ("style", "class", "id", "title", "alt"):
            assert not re.search(r"alert|onerror|javascript", str(value))


@pytest.mark.parametrize("attack", ATTACKS, ids=ascii)
def test_a_text_stays_readable(attack: str) -> None:
    """Escaped, not removed: an operator must find the file."""
    shown = "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in attack
    )
    text = Page(build_report(report_of(attack))["report.html"].decode()).text
    # Path, layout and method of each video, run, model, archive, settings, notes, title, card.
    assert text.count(" ".join(shown.split())) >= 30


@pytest.mark.parametrize("attack", ATTACKS, ids=ascii)
def test_no_file_of_a_report_steers_a_terminal(attack: str) -> None:
    files = build_report(report_of(attack))
    for name, content in files.items():
        if name.endswith((".png", ".csv")):
            continue
        text = content.decode()
        bad = [char for char in text if not (char.isprintable() or char == "\n")]
        if name.endswith(".json"):  # read by programs; C0 controls are escaped by JSON itself
            bad = [char for char in bad if char < " " or char == "\x7f"]
        assert bad == [], name
        # Of all texts only the model card may have lines of its own.
        assert text.count("\nnew line") == (name.endswith(".html") and "\n" in attack)


@pytest.mark.parametrize("attack", ATTACKS, ids=ascii)
def test_machines_get_the_text_unchanged(attack: str) -> None:
    files = build_report(report_of(attack))
    for row in json.loads(files["predictions.json"]):
        assert (row["path"], row["method"], row["layout"]) == (attack, attack, attack)
    rows = list(csv.DictReader(io.StringIO(files["predictions.csv"].decode(), newline="")))
    assert len(rows) == 4
    assert {row["path"].removeprefix("'" if attack[0] in "=" else "") for row in rows} == {attack}


def test_no_cell_of_the_csv_is_run() -> None:
    for start in ("=", "+", "-", "@", "\t", "\r", "\n", " =", "\u00a0=", "\uff1d", "\ufeff="):
        rows = build_report(report_of(f"{start}1+1"))["predictions.csv"].decode()
        for row in csv.reader(io.StringIO(rows, newline="")):
            for cell in row:
                assert not re.match(r"[\s\ufeff]*[=+@\uff1d\uff0b\uff0d\uff20]", cell), ascii(cell)


# ---------------------------------------------------------------- nothing is fetched


def test_the_page_forbids_itself_scripts_and_the_network() -> None:
    html = build_report(report_of(HARMLESS))["report.html"].decode()
    page = Page(html)
    policies = [
        dict(one)["content"]
        for one in _metas(html)
        if dict(one).get("http-equiv") == "Content-Security-Policy"
    ]
    (policy,) = policies
    rules = dict(rule.strip().split(" ", 1) for rule in str(policy).split(";"))
    assert rules == {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": "'unsafe-inline'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    # The policy counts from where it stands: nothing that loads comes before it.
    before = html[: html.index("Content-Security-Policy")]
    assert not re.search(r"<(style|link|script|img|body)", before)
    assert ("referrer", "no-referrer") in [
        (dict(one).get("name"), dict(one).get("content")) for one in _metas(html)
    ]
    assert not {"script", "link", "iframe", "object", "embed", "form", "base", "video"} & set(
        page.tags
    )


def _metas(html: str) -> list[list[tuple[str, str | None]]]:
    found: list[list[tuple[str, str | None]]] = []

    class Metas(Page):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            super().handle_starttag(tag, attrs)
            if tag == "meta":
                found.append(attrs)

    Metas(html)
    return found


def test_templates_name_no_address_and_switch_escaping_off_for_our_own_style_only() -> None:
    for path in TEMPLATES.iterdir():
        text = path.read_text()
        assert not re.search(r"https?:|//\w|url\(|@import|expression\(", text), path.name
        assert re.findall(r"\|\s*safe|autoescape|Markup", text) == (
            ["|safe"] if path.suffix == ".html" else []
        )
        # A value outside of quotes could begin another attribute.
        assert not re.search(r"\w=\{\{", text), path.name
    assert "style|safe" in (TEMPLATES / "report.html").read_text()


# ---------------------------------------------------------------- a stolen report


def test_a_report_holds_no_secret_that_errors_or_settings_carried() -> None:
    secret = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"
    carried = [
        f"s3a://AKIAIOSFODNN7EXAMPLE:{secret}@bucket/a.mp4",
        f"https://host/a.mp4?X-Amz-Signature={secret}",
        f"fs.s3a.secret.key={secret}",
        f"Authorization: Bearer {secret}",
    ]
    for text in carried:
        rows = [
            verdict_row(0, uri=text if "://" in text else "/a.mp4"),
            verdict_row(1, p_fake=None, status="unreadable", error=f"cannot read {text}"),
        ]
        base = report_of(HARMLESS)
        run = replace(base.run, archive=text, settings={"x": [text]}, bundle=None)
        report = replace(
            base, verdicts=verdict_table(rows), run=run, title=text, notes=(text,), protocol=None
        )
        files = build_report(report)
        assert not [name for name, content in files.items() if secret.encode() in content], text


def columns_of_text(table: pa.Table) -> set[str]:
    return {field.name for field in table.schema if pa.types.is_string(field.type)}


def test_every_text_column_is_attacked_here() -> None:
    """A new column of the verdict table must get its attack."""
    rows: list[dict[str, Any]] = report_of("ATTACK").verdicts.to_pylist()
    attacked = {name for row in rows for name, value in row.items() if value == "ATTACK"}
    closed = {"status", "verdict", "label"}  # sets of words, checked when they are read
    assert columns_of_text(report_of("x").verdicts) - closed - {"video_id"} == attacked
