"""The page of the report: first screen, verdict table, further pages, faces, and its size."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from PIL import Image

from framejury.pages.style import sentence_figure
from framejury.pages.templating import TEMPLATES
from framejury.report.html_page import script_policy, table_script
from framejury.report.inputs import Context, ReportFace, RunReport
from framejury.report.report import build_report
from framejury.report.report_figures import ReportFigure
from framejury.report.trust import NO_SIGN
from framejury.report.verdict_table import MOST_CHOICES, SMALL_PX, thumbnail
from tests.builders.reports import RUN, Page, extractions, jpeg, mixed_rows, now_rows, report
from tests.builders.reports import context as night
from tests.builders.rows import verdict_row, verdict_table

LIMIT_BYTES = 15_000_000


@pytest.fixture(autouse=True)
def _quick_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "real_pictures" not in request.fixturenames:
        blank = ReportFigure(sentence_figure("Quick", "Drawn elsewhere."), "What it shows")
        monkeypatch.setattr(
            "framejury.report.report.report_figures",
            lambda findings: {"roc": blank, "nights": blank},
        )


@pytest.fixture
def real_pictures() -> None:
    """Ask for it where the pictures themselves matter."""


class Table(HTMLParser):
    """The verdict table: what a script or a reader takes from it."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.heads: list[dict[str, str | None]] = []
        self.rows: list[dict[str, str]] = []
        self.ids: list[str] = []
        self.sorts: list[dict[str, str | None]] = []
        self.choices: dict[str, list[str]] = {}
        self.links: list[str] = []
        self.pager: list[str] = []
        self._cell, self._inside, self._select, self._nav = -1, False, "", False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "table":
            self._inside = found.get("class") == "verdicts"
        elif tag == "select":
            self._select = str(found["data-filter"])
            self.choices[self._select] = []
        elif tag == "option":
            self.choices[self._select].append(str(found["value"]))
        elif tag == "nav":
            self._nav = "data-pager" in found
        elif tag == "a" and self._nav:
            self.pager.append(str(found["href"]))
        if not self._inside:
            return
        if tag == "th":
            self.heads.append(found)
        elif tag == "tr" and "data-video" in found:
            self.ids.append(str(found["data-video"]))
            self.rows.append({})
            self.sorts.append({})
            self._cell = -1
        elif tag == "td":
            self._cell += 1
            key = str(self.heads[self._cell]["data-key"])
            self.rows[-1][key] = ""
            self.sorts[-1][key] = found.get("data-sort")
        elif tag == "a" and "data-evidence" in found:
            self.links.append(str(found["href"]))

    def handle_endtag(self, tag: str) -> None:
        if tag == "table":
            self._inside = False
        elif tag == "nav":
            self._nav = False

    def handle_data(self, data: str) -> None:
        if self._inside and self.rows and self._cell >= 0:
            key = str(self.heads[self._cell]["data-key"])
            self.rows[-1][key] = " ".join(f"{self.rows[-1][key]} {data}".split())

    @property
    def keys(self) -> list[str]:
        return [str(head["data-key"]) for head in self.heads]


def html_of(one: RunReport, **options: Any) -> str:
    return build_report(one, **options)["report.html"].decode()


def with_night(**changes: Any) -> RunReport:
    return RunReport(verdict_table(now_rows()), None, RUN, context=night(**changes))


# ---------------------------------------------------------------- the first screen


def test_the_first_screen_compares_with_the_night_before() -> None:
    page = Page(html_of(with_night()))
    first = page.text.split("Highest score first.")[0]
    for words in (
        f"6 videos: 2 called fake, {NO_SIGN} in 2, 0 inconclusive, 2 not scored.",
        "3 verdicts changed since 2026-02-28 02:31 UTC",
        "4 judged in this run 3 verdicts changed 1 new",
        "same number as before",
        "Verdicts that changed",
        "real 0.300 fake 0.900 clips/000.mp4",
    ):
        assert words in first, words
    more = Page(html_of(with_night(before=night().before.slice(0, 1)))).text
    assert "2 fake +2" in more and f"2 {NO_SIGN} +1" in more


def test_without_an_earlier_night_nothing_is_compared() -> None:
    page = Page(html_of(report(mixed_rows())))
    assert not re.search(r"changed|judged in this run|as before|tiles show", page.text)
    assert not {"change", "judged"} & set(Table(html_of(report(mixed_rows()))).keys)


def test_many_changes_are_cut_and_said() -> None:
    rows = [verdict_row(n, p_fake=0.9) for n in range(60)]
    old = verdict_table([row | {"p_fake": 0.1, "verdict": "real"} for row in rows])
    one = RunReport(verdict_table(rows), None, RUN, context=Context(before=old))
    page = Page(html_of(one)).text
    assert "First 20 of 60; predictions.csv has all, in the column before." in page


# ---------------------------------------------------------------- the table


def test_columns_tell_something() -> None:
    full = Table(html_of(with_night()))
    assert full.keys == [
        *("verdict", "p_fake", "path", "right", "change"),
        *("faces", "people", "status", "judged"),
    ]
    same = "All 6 videos: label REAL, layout plain, model b0-000000000000."
    assert same in Page(html_of(with_night())).text
    plain = [row | {"label": None} for row in mixed_rows()]
    plain[1] |= {"layout": "ffpp", "method": "swap"}
    assert Table(html_of(report(plain))).keys == [
        *("verdict", "p_fake", "path", "layout", "method", "faces", "people", "status"),
    ]


def test_what_is_the_same_for_all_videos_is_said_once() -> None:
    rows = [verdict_row(n, label=None, faces_scored=1, persons=1) for n in range(31)]
    for size in (100, 10):  # on one page, and on the first of several
        html = html_of(report(rows), page_rows=size)
        assert Table(html).keys == ["verdict", "p_fake", "path"]
        assert (
            "All 31 videos: no label, layout plain, 1 face each, 1 track each, status scored, "
            "model b0-000000000000." in Page(html).text
        )
    rows[30] |= {"model_id": "b1", "persons": 2, "layout": "ffpp", "label": "FAKE"}
    files = build_report(report(rows), page_rows=10)
    for name in ("report.html", "verdicts-0002.html"):  # the same columns on every page
        keys = ["verdict", "p_fake", "path", "truth", "right", "layout", "people", "model"]
        assert Table(files[name].decode()).keys == keys
    table = Table(files["verdicts-0004.html"].decode())
    assert {row["model"] for row in table.rows} == {"b1"}


def test_the_table_of_one_video_keeps_what_is_said_of_it() -> None:
    html = html_of(report([verdict_row(0, p_fake=0.9, label="FAKE")]))
    keys = ["verdict", "p_fake", "path", "truth", "right", "faces", "people", "status"]
    assert Table(html).keys == keys
    assert "The 1 video: layout plain, model b0-000000000000." in Page(html).text


def test_rows_come_most_suspicious_first_and_can_be_sorted_by_value() -> None:
    table = Table(html_of(with_night()))
    assert [int(one, 16) for one in table.ids] == [0, 1, 3, 4, 5, 2]
    sorts = [head.get("aria-sort") for head in table.heads]
    assert sorts == [None, "descending"] + [None] * 7
    assert all(head["scope"] == "col" for head in table.heads)
    numbers = [head["data-key"] for head in table.heads if head.get("data-kind") == "number"]
    assert numbers == ["p_fake", "faces", "people"]
    assert [one["p_fake"] for one in table.sorts] == ["0.9", "0.8", "0.2", "0.1", "", ""]
    assert table.rows[0] == {
        "verdict": "fake",
        "p_fake": "0.900",
        "path": "clips/000.mp4",
        "right": "no",
        "change": "was real 0.300",
        "faces": "11",
        "people": "1",
        "status": "scored",
        "judged": "this run",
    }
    assert [row["change"] for row in table.rows] == [
        *("was real 0.300", "unchanged", "was not scored", "new", "unchanged"),
        "was real 0.200",
    ]


def test_choices_are_the_values_of_the_page() -> None:
    choices = Table(html_of(with_night())).choices
    assert choices["verdict"] == ["", "fake", "not scored", "real"]
    assert choices["status"] == ["", "crashed", "scored", "timeout"]
    assert choices["change"] == ["", "changed", "new", "unchanged"]
    assert choices["judged"] == ["", "earlier", "this run"]
    assert choices["right"] == ["", "no", "undecided", "yes"]
    rows = [verdict_row(n, label="FAKE", method=f"m{n:03d}") for n in range(MOST_CHOICES + 9)]
    assert len(Table(html_of(report(rows))).choices["method"]) == MOST_CHOICES + 1


def test_the_table_needs_no_script() -> None:
    html = html_of(with_night())
    assert re.search(r"<div class=\"controls\"[^>]* hidden>", html)
    assert not re.search(r"<tr[^>]*hidden", html)
    assert "<button" not in html.split("<thead>")[-1].split("</thead>")[0]


def test_names_lead_to_their_evidence() -> None:
    links = {verdict_row(0)["video_id"]: "evidence/a.html", verdict_row(2)["video_id"]: "b-2.html"}
    html = html_of(with_night(evidence=links))
    assert Table(html).links == ["evidence/a.html", "b-2.html"]
    # Also where a verdict changed, and where a video was not scored.
    assert html.count('href="evidence/a.html"') >= 2 and html.count('href="b-2.html"') >= 3


@pytest.mark.parametrize(
    "link",
    [
        *("javascript:alert(1)", "//host/a.html", "/etc/a.html", "https://host/a.html", "a.txt"),
        *("a.html?x=1", "a b.html", "a.html#x", "a/../../b.html/", "", "\na.html", "a.html\n"),
    ],
)
def test_a_link_that_leads_elsewhere_is_refused(link: str) -> None:
    with pytest.raises(ValueError, match="a link to evidence must be a relative path"):
        build_report(with_night(evidence={verdict_row(0)["video_id"]: link}))


# ---------------------------------------------------------------- further pages


def paged(count: int, **options: Any) -> Mapping[str, bytes]:
    rows = [verdict_row(n, p_fake=None if n % 10 == 9 else n / count) for n in range(count)]
    return build_report(report(rows), **options)


def test_a_large_archive_is_paged_and_nobody_is_left_out() -> None:
    files = paged(25, page_rows=10)
    names = ["report.html", "verdicts-0002.html", "verdicts-0003.html"]
    assert [name for name in files if name.endswith(".html")] == names
    pages = [Table(files[name].decode()) for name in names]
    assert [len(page.ids) for page in pages] == [10, 10, 5]
    ids = [one for page in pages for one in page.ids]
    rows = json.loads(files["predictions.json"])
    assert ids == [row["video_id"] for row in rows]
    assert len(set(ids)) == 25
    assert len(files) == len(list(files)) == len(dict(files))


def test_pages_lead_to_each_other() -> None:
    files = paged(25, page_rows=10)
    for name, near in (
        ("report.html", ["verdicts-0002.html", "verdicts-0003.html"]),
        ("verdicts-0002.html", ["report.html", "report.html", *["verdicts-0003.html"] * 2]),
        ("verdicts-0003.html", ["report.html", "verdicts-0002.html"]),
    ):
        expected = [f"{one}#verdicts" for one in near]
        assert Table(files[name].decode()).pager == expected * 2, name  # above and below
    second = Page(files["verdicts-0002.html"].decode())
    assert "Page 2 of 3: videos 11 to 20 of 25" in second.text
    assert "apply to this page only" in second.text and "Search this page" in second.text
    assert "report.html" in second.addresses


def test_a_further_page_is_as_self_contained() -> None:
    for name, content in paged(25, page_rows=10).items():
        if name.endswith(".html"):
            html = content.decode()
            assert html.count(script_policy().replace("'", "&#39;")) == 1, name
            assert html.count(table_script()) == 1, name
            assert "prefers-color-scheme: dark" in html and "@media print" in html


def test_one_page_has_no_pager() -> None:
    html = paged(10, page_rows=10)["report.html"].decode()
    assert Table(html).pager == [] and "this page only" not in html


def test_a_missing_page_is_a_missing_name() -> None:
    files = paged(25, page_rows=10)
    with pytest.raises(KeyError):
        files["verdicts-0004.html"]


# ---------------------------------------------------------------- the script


def test_the_policy_lets_our_script_run_and_no_other() -> None:
    html = html_of(with_night())
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in script_policy()
    assert script == (TEMPLATES / "table.js").read_text() == table_script()


def test_the_script_makes_no_markup_and_no_code() -> None:
    forbidden = (
        r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|\bFunction\(|setAttribute\("
        r"\s*[\"']on|fetch\(|XMLHttp|import\(|WebSocket|localStorage|</script|\{\{|\{%"
    )
    assert not re.search(forbidden, table_script())
    assert len(table_script().splitlines()) < 150


# ---------------------------------------------------------------- faces


def faces_of(count: int, pictures: int = 40) -> dict[str, tuple[ReportFace, ...]]:
    files = [jpeg(seed=seed) for seed in range(pictures)]
    return {
        verdict_row(n)["video_id"]: tuple(
            ReportFace(files[(3 * n + i) % pictures], 0.9 - 0.1 * i, 1.5 * i) for i in range(3)
        )
        for n in range(count)
    }


def images(html: str) -> list[dict[str, str | None]]:
    found: list[dict[str, str | None]] = []

    class Images(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag == "img":
                found.append(dict(attrs))

    Images().feed(html)
    return found


def test_the_most_suspicious_face_stands_beside_its_video() -> None:
    html = html_of(
        with_night(faces={verdict_row(4)["video_id"]: faces_of(5)[verdict_row(4)["video_id"]]})
    )
    (image,) = images(html)
    assert image["alt"] == "face at 0.00 s, uncalibrated score 0.900"
    assert (image["loading"], image["width"], image["height"]) == ("eager", "40", "40")
    source = str(image["src"])
    assert source.startswith("data:image/jpeg;base64,")
    drawn = Image.open(io.BytesIO(base64.b64decode(source.split(",")[1])))
    assert max(drawn.size) == SMALL_PX
    # It shows what was kept: the same picture, made smaller.
    kept = Image.open(io.BytesIO(faces_of(5)[verdict_row(4)["video_id"]][0].picture))
    small = np.asarray(kept.resize(drawn.size), np.float64)
    assert np.abs(small - np.asarray(drawn, np.float64)).mean() < 6


def test_suspicious_parts_stand_below_the_name() -> None:
    parts = [
        {"start_s": 10.0 * n, "end_s": 10.0 * n + 3, "person": 0, "mean_score": 0.9}
        for n in range(5)
    ]
    files = build_report(report([verdict_row(0, stretches=parts), verdict_row(1)]))
    text = Page(files["report.html"].decode()).text
    assert "10.0 to 13.0 s, track 0, mean face score 0.900" in text
    assert "20.0 to 23.0 s" in text and "30.0 to 33.0 s" not in text  # the first three
    rows = json.loads(files["predictions.json"])
    assert sorted((row["stretches"] for row in rows), key=len) == [[], parts]
    text = files["predictions.csv"].decode("utf-8-sig")
    rows_of_csv = csv.DictReader(io.StringIO(text, newline=""))
    (cell,) = [row["stretches"] for row in rows_of_csv if row["stretches"] != "[]"]
    assert json.loads(cell) == parts


def test_mistakes_show_their_faces_and_accusations_come_first() -> None:
    rows = [
        verdict_row(0, p_fake=0.95, label="REAL"),
        verdict_row(1, p_fake=0.1, label="FAKE", method="swap"),
        verdict_row(2, p_fake=0.9, label="FAKE"),
    ]
    one = replace(report(rows), context=Context(faces=faces_of(3)))
    html = html_of(one)
    text = Page(html).text
    accused = text.index("Real videos called fake: 1")
    assert accused < text.index("Fake videos called real: 1") < text.index("Highest score first.")
    section = html.split('id="mistakes"')[1].split("</section>")[0]
    assert len(images(section)) == 6
    assert "method swap" in Page(section).text
    right = [row for row in rows if row["label"] == "FAKE" and row["p_fake"] == 0.9]
    assert 'id="mistakes"' not in html_of(report(right))


def test_what_is_no_small_jpeg_is_no_picture() -> None:
    whole = jpeg()
    png = io.BytesIO()
    Image.new("RGB", (20, 20)).save(png, "PNG")
    assert thumbnail(whole, SMALL_PX) is not None
    assert thumbnail(png.getvalue(), SMALL_PX) is None
    assert thumbnail(b"", SMALL_PX) is None
    assert thumbnail(whole[:200], SMALL_PX) is None
    assert thumbnail(whole[: len(whole) // 2], SMALL_PX) is None
    wide = io.BytesIO()
    Image.new("L", (9000, 1)).save(wide, "JPEG")
    assert thumbnail(wide.getvalue(), SMALL_PX) is None
    html = html_of(with_night(faces={verdict_row(4)["video_id"]: (ReportFace(b"no", 0.5, 0.0),)}))
    assert images(html) == []


@pytest.mark.long
def test_a_thousand_videos_with_faces_go_into_a_mail(real_pictures: None) -> None:
    rng = np.random.default_rng(4)
    rows = []
    for n in range(1000):
        fake, score = n % 3 == 0, float(rng.random())
        path = f"archive/originals/part_{n % 17:02d}/a_clip_with_a_rather_long_name_{n:05d}.mp4"
        rows.append(verdict_row(n, p_fake=score, label="FAKE" if fake else "REAL", path=path))
    known = [row | {"p_fake": 1 - row["p_fake"]} for row in rows]
    around = Context(
        judged_now=frozenset(row["video_id"] for row in rows[:100]),
        before=verdict_table(known),
        earlier=night().earlier,
        evidence={row["video_id"]: f"evidence/{row['video_id']}.html" for row in rows},
        faces=faces_of(1000),
        extractions=extractions([{"codec": "h264", "wall_s": 1.0}] * 1000),
    )
    files = build_report(replace(report(rows), context=around))
    assert len(images(files["report.html"].decode())) > 1000
    assert len(files["report.html"]) < LIMIT_BYTES / 2, len(files["report.html"])
    assert "verdicts-0002.html" not in files


# ---------------------------------------------------------------- failures, nights, time


def test_failures_are_grouped_and_say_what_to_do() -> None:
    rows = [verdict_row(n, p_fake=None, status="timeout", error=f"e{n}") for n in range(60)]
    rows += [verdict_row(90, p_fake=None, status="no_face"), verdict_row(91, p_fake=0.1)]
    text = Page(html_of(report(rows))).text
    section = text[text.index("These videos have no score") :]
    assert section.index("timeout: 60") < section.index("no face: 1")
    assert "framejury retry --status timeout" in section
    assert "First 50 of 60; predictions.csv has all." in section
    assert "e49" in section and "e50" not in section


def test_notes_about_files_name_the_videos() -> None:
    note = "clock_restarted: 2 recordings; tone_mapped: PQ"
    rows = [verdict_row(0, notes=note), verdict_row(1, notes=""), verdict_row(2)]
    rows += [verdict_row(n, notes="tone_mapped: HLG") for n in range(3, 60)]
    text = Page(html_of(report(rows))).text
    section = text[text.index("Notes about files") :]
    toned = section.index("High dynamic range or wide colour was converted to BT.709.")
    joined = section.index("The file holds several recordings end to end")
    assert toned < joined < section.index("clips/000.mp4 2 recordings")
    assert "First 50 of 58; predictions.csv has all." in section
    assert "Notes about files" not in Page(html_of(report(rows[1:3]))).text


def test_files_that_were_not_opened_are_counted() -> None:
    context = Context(left_out={".txt": 1200, "hidden": 2})
    one = RunReport(verdict_table([verdict_row(0)]), None, RUN, context=context)
    words = (
        "Files of the archive that were not opened, because of their names: .txt 1,200, hidden 2."
    )
    files = build_report(one)
    assert words in Page(files["report.html"].decode()).text
    assert words in files["report.txt"].decode()
    assert json.loads(files["report.json"])["counts"]["left_out"] == {".txt": 1200, "hidden": 2}


def test_nights_and_time_have_their_tables() -> None:
    rows = extractions([{"codec": "h264", "wall_s": 2.0, "width_px": 640, "height_px": 360}] * 3)
    one = with_night(extractions=rows, work={"videos": 4.0})
    text = Page(html_of(replace(one, run=replace(RUN, seconds={"judge": 120.0})))).text
    for words in (
        "2026-03-01 02:31 UTC run-1 (this run) 4 1 2 0 1 2 min 0 s",
        "2026-02-28 02:31 UTC night-1 8 1 2 3 2 1 min 0 s",
        "judge 2 min 0 s 100.0%",
        "videos per minute 2.0",
        "h264 3",
        "640 x 360 3",
        "clips/000.mp4 2.0 s",
    ):
        assert words in text, words
    assert text.index("(this run) 4") < text.index("night-1 8")  # the latest first
    bare = Page(html_of(replace(report(mixed_rows()), run=replace(RUN, seconds={})))).text
    assert "Time by phase" not in bare and "Nightly runs" not in bare


# ---------------------------------------------------------------- for everybody


def test_headings_landmarks_and_regions() -> None:
    html = html_of(with_night())
    page = Page(html)
    levels = [int(tag[1]) for tag in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    for tag in ("main", "header", "footer", "nav"):
        assert tag in page.tags
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    targets = [str(value)[1:] for name, value in page.attributes if name == "href"]
    assert set(targets) <= set(map(str, ids)) and "main" in targets
    # What scrolls can be reached and is named.
    for region in re.findall(r"<div class=\"scroll[^>]*>", html):
        assert 'tabindex="0"' in region and 'role="region"' in region and "aria-label=" in region
    tables = html.count("<table")
    assert html.count("<caption") == tables
    assert len(re.findall(r"<th(?=[ >])(?![^>]*scope=)", html)) == 0
