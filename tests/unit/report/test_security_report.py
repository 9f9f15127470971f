"""A report of an archive, a bundle and a run whose every text was written by an attacker."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from framejury.evaluation.protocol_numbers import ProtocolData
from framejury.pages.style import sentence_figure
from framejury.pages.templating import TEMPLATES
from framejury.redaction import printable
from framejury.report import html_page as page_module
from framejury.report.html_page import table_script
from framejury.report.inputs import BEFORE_COLUMNS, Context, EarlierRun, ReportFace
from framejury.report.report import BundleInfo, RunInfo, RunReport, build_report
from framejury.report.report_figures import LABELS, ReportFigure
from framejury.report.steps import Step
from tests.builders.reports import ATTACKS, Page, extractions, jpeg
from tests.builders.rows import face_table, verdict_row, verdict_table

HARMLESS = "name"
PAGES = ("report.html", "verdicts-0002.html")


@pytest.fixture(autouse=True)
def _quick_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """No text of a video reaches a picture, as one test below sees; drawing takes seconds."""
    if "real_pictures" in request.fixturenames:
        return
    drawn = {
        name: ReportFigure(sentence_figure("Quick", "Drawn elsewhere."), words)
        for name, words in {**LABELS, "frames_per_video": "By frames"}.items()
    }
    monkeypatch.setattr("framejury.report.report.report_figures", lambda findings: drawn)


@pytest.fixture
def real_pictures() -> None:
    """Ask for it where the pictures themselves matter."""


def report_of(text: str) -> RunReport:
    """With `text` in every field that takes any."""
    words = dict.fromkeys(("path", "uri", "layout", "method", "group", "model_id", "run_id"), text)
    words |= {"sound_model_id": text, "sound": "scored", "decided_by": "picture"}
    rows = [
        verdict_row(0, label="FAKE", p_fake=0.93, **words, reducer=text),
        verdict_row(1, label="REAL", p_fake=0.12, notes=f"cut_short: {text}", **words),
        verdict_row(2, label="REAL", p_fake=None, status="crashed", error=text, **words),
        verdict_row(3, label="FAKE", p_fake=0.52, verdict="inconclusive", **words),
        verdict_row(4, label="REAL", p_fake=0.91, **words),
    ]
    table = verdict_table(rows)
    faces = face_table([("FAKE", text, text, 0.9, 3), ("REAL", text, text, 0.1, 4)])
    history = ({"epoch": 1, "loss": 0.5},)
    bundle = BundleInfo("detector", _card(text), {text: {text: 1}}, history, leak=text)
    run = RunInfo(
        run_id=text,
        created_at=datetime(2026, 3, 1, tzinfo=UTC),
        archive=text,
        warehouse=text,
        model_id=text,
        bundle=bundle,
        steps=(Step(text, (text,), 1, {text: {text: text, "list": [text]}}),),
        versions={text: text},
        seconds={text: 1.0},
    )
    protocol = ProtocolData(
        headline=11,
        by_frames={11: table},
        data_sets=[(text,)] * 5,
        data_set_rule=text,
        face_scores=np.array([0.9, 0.1]),
        face_videos=np.array([0, 1]),
    )
    return RunReport(
        table, faces, run, title=text, notes=(text,), protocol=protocol, context=context_of(text)
    )


def _card(text: str) -> str:
    """A model card; what begins a paragraph, a cell or code in Markdown is its own to write."""
    line = text.translate({ord("\n"): " ", ord("|"): " ", ord("`"): " "})
    return f"# {line}\n\n- {line}\n\n| split | figure |\n| --- | --- |\n| {line} | `{line}` |\n"


def context_of(text: str) -> Context:
    """Nights, changed verdicts and facts of decoders, with `text` wherever there is any."""
    ids = [verdict_row(number)["video_id"] for number in range(5)]
    before = [verdict_row(n, p_fake=p) for n, p in enumerate((0.1, 0.9, 0.6, None))]
    facts = {"container": text, "codec": text, "width_px": 640, "height_px": 360, "wall_s": 1.0}
    night = EarlierRun(text, datetime(2026, 2, 28, tzinfo=UTC), {"scored": 3}, {"fake": 1}, 60.0)
    return Context(
        judged_now=frozenset(ids[:2]),
        before=verdict_table(before).select(BEFORE_COLUMNS),
        earlier=(night,),
        extractions=extractions([facts] * 5),
        evidence={one: f"evidence/{one}.html" for one in ids},
        faces={one: (ReportFace(jpeg(40), 0.9, 1.0),) for one in ids},
        work={"videos": 5.0, "faces_scored": 9.0, "read_bytes": 1e9},
    )


def built(text: str) -> Mapping[str, bytes]:
    """The files, with a second page of the table."""
    return build_report(report_of(text), page_rows=4)


def shape(html: str) -> list[str]:
    """Tags and names of attributes, in order: what a text may never change."""
    page = Page(html)
    return [*page.tags, *(name for name, _ in page.attributes)]


def scripts(html: str) -> list[str]:
    """What a browser takes for scripts, by its own rules of parsing."""
    found: list[str] = []

    class Scripts(HTMLParser):
        inside = False

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.inside = tag == "script"

        def handle_endtag(self, tag: str) -> None:
            self.inside = False

        def handle_data(self, data: str) -> None:
            if self.inside:
                found.append(data)

    Scripts().feed(html)
    return found


@pytest.fixture(scope="module")
def harmless() -> Mapping[str, list[str]]:
    """The shape of each page where every text is a word."""
    blank = ReportFigure(sentence_figure("Quick", "Drawn elsewhere."), "Words")
    names = [*LABELS, "frames_per_video"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "framejury.report.report.report_figures", lambda findings: dict.fromkeys(names, blank)
        )
        files = built(HARMLESS)
        return {name: shape(files[name].decode()) for name in PAGES}


@pytest.mark.parametrize("attack", ATTACKS, ids=ascii)
def test_a_text_changes_no_tag_and_no_attribute(
    attack: str, harmless: Mapping[str, list[str]]
) -> None:
    files = built(attack)
    for file in PAGES:
        html = files[file].decode()
        assert shape(html) == harmless[file], file
        page = Page(html)
        assert not any(name.startswith("on") for name, _ in page.attributes)
        for name, value in page.attributes:
            if name in ("href", "src", "srcset", "xlink:href"):
                assert re.fullmatch(
                    r"#[\w-]+|data:image/jpeg;base64,[\w+/=]+|evidence/[0-9a-f]{20}\.html"
                    r"|(report|verdicts-\d{4})\.html(#verdicts)?",
                    str(value),
                ), value
            if name == "title" and value == printable(attack):
                continue  # the whole path, of which a row may show the end
            if name in ("style", "class", "id", "title", "alt", "data-video", "data-sort"):
                assert not re.search(r"alert|onerror|javascript", str(value)), (name, value)


@pytest.mark.parametrize("attack", ATTACKS, ids=ascii)
def test_the_page_has_exactly_the_script_that_we_ship(attack: str) -> None:
    """No text of a report is ever put into it, so its digest can be named in the policy."""
    files = built(attack)
    for file in PAGES:
        assert scripts(files[file].decode()) == [table_script()], file


@pytest.mark.long
def test_no_text_reaches_a_picture(real_pictures: None) -> None:
    files = built("ATTACK")
    drawings = [name for name in files if name.endswith(".svg")]
    assert len(drawings) > 8
    assert not [name for name in drawings if b"ATTACK" in files[name]]
    for element in re.findall(r"<svg.*?</svg>", files["report.html"].decode(), re.DOTALL):
        assert "ATTACK" not in element and "<script" not in element


@pytest.mark.parametrize("attack", ATTACKS, ids=ascii)
def test_a_text_stays_readable(attack: str) -> None:
    """Escaped, not removed: an operator must find the file."""
    shown = "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in attack
    )
    files = built(attack)
    text = Page(files["report.html"].decode()).text
    # Path, layout and method of each video, run, model, archive, settings, notes, title, card,
    # changed verdicts, mistakes, nights, codecs, slowest videos.
    assert text.count(" ".join(shown.split())) >= 50
    second = Page(files["verdicts-0002.html"].decode()).text
    assert second.count(" ".join(shown.split())) >= 4


@pytest.mark.parametrize("attack", ATTACKS, ids=ascii)
def test_no_file_of_a_report_steers_a_terminal(attack: str) -> None:
    for name, content in built(attack).items():
        if name.endswith((".png", ".svg", ".csv")):
            continue
        text = content.decode()
        bad = [char for char in text if not (char.isprintable() or char == "\n")]
        if name.endswith(".json"):  # read by programs; C0 controls are escaped by JSON itself
            bad = [char for char in bad if char < " " or char == "\x7f"]
        assert bad == [], name
        assert "\nnew line" not in text


@pytest.mark.parametrize("attack", ATTACKS, ids=ascii)
def test_machines_get_the_text_unchanged(attack: str) -> None:
    files = built(attack)
    for row in json.loads(files["predictions.json"]):
        assert (row["path"], row["method"], row["layout"]) == (attack, attack, attack)
    rows = list(
        csv.DictReader(io.StringIO(files["predictions.csv"].decode("utf-8-sig"), newline=""))
    )
    assert len(rows) == 5
    assert {row["path"].removeprefix("'" if attack[0] in "=" else "") for row in rows} == {attack}


def test_no_cell_of_the_csv_is_run() -> None:
    for start in ("=", "+", "-", "@", "\t", "\r", "\n", " =", "\u00a0=", "\uff1d", "\ufeff="):
        rows = built(f"{start}1+1")["predictions.csv"].decode()
        for row in csv.reader(io.StringIO(rows, newline="")):
            for cell in row:
                assert not re.match(r"[\s\ufeff]*[=+@\uff1d\uff0b\uff0d\uff20]", cell), ascii(cell)


# ---------------------------------------------------------------- nothing is fetched


@pytest.mark.parametrize("file", PAGES)
def test_the_page_forbids_itself_other_scripts_and_the_network(file: str) -> None:
    html = built(HARMLESS)[file].decode()
    shown = Page(html)
    policies = [
        dict(one)["content"]
        for one in _metas(html)
        if dict(one).get("http-equiv") == "Content-Security-Policy"
    ]
    (policy,) = policies
    rules = dict(rule.strip().split(" ", 1) for rule in str(policy).split(";"))
    (script,) = scripts(html)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert rules == {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": "'unsafe-inline'",
        "script-src": f"'sha256-{digest}'",
        "base-uri": "'none'",
        "form-action": "'none'",
        # Not even that script can make markup or code of a text.
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    # The policy counts from where it stands: nothing that loads comes before it.
    before = html[: html.index("Content-Security-Policy")]
    assert not re.search(r"<(style|link|script|img|body)", before)
    assert ("referrer", "no-referrer") in [
        (dict(one).get("name"), dict(one).get("content")) for one in _metas(html)
    ]
    assert shown.tags.count("script") == 1
    forbidden = {"link", "iframe", "object", "embed", "form", "base", "video", "foreignobject"}
    assert not forbidden & {tag.lower() for tag in shown.tags}


def _metas(html: str) -> list[list[tuple[str, str | None]]]:
    found: list[list[tuple[str, str | None]]] = []

    class Metas(Page):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            super().handle_starttag(tag, attrs)
            if tag == "meta":
                found.append(attrs)

    Metas(html)
    return found


def test_templates_name_no_address_and_never_switch_escaping_off() -> None:
    """Our style and our script say in Python that they are markup; a drawing may say it here."""
    for path in TEMPLATES.iterdir():
        text = path.read_text()
        if path.suffix == ".js":
            text = re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE)  # comments
        assert not re.search(r"https?:|//\w|url\(|@import|expression\(", text), path.name
        assert not re.search(r"autoescape|Markup", text), path.name
        assert set(re.findall(r"[^{]*\|\s*safe", text)) <= {" chart|safe"}, path.name
        # A value outside of quotes could begin another attribute.
        assert not re.search(r"\w=\{\{", text), path.name


def test_markup_is_made_of_nothing_but_our_own_files() -> None:
    made = re.findall(
        r"Markup\(([^()]*(?:\([^()]*\))?[^()]*)\)", Path(page_module.__file__).read_text()
    )
    assert sorted(made) == ["chart", "table_script()"]


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
        run = replace(
            base.run, archive=text, steps=(Step("verdicts", ("r",), 1, {"x": [text]}),), bundle=None
        )
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
    attacked = {name for row in rows for name, value in row.items() if "ATTACK" in str(value)}
    closed = {
        "status",
        "verdict",
        "label",
        "sound",
        "decided_by",
    }  # sets of words, checked when they are read
    assert columns_of_text(report_of("x").verdicts) - closed - {"video_id"} == attacked
