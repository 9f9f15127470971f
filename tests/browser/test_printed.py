"""Pages on paper: Chromium prints them, and the text of the PDF is read back."""

from __future__ import annotations

import io
from typing import Any

import pytest

from tests.browser.site import HOSTILE, Site
from tests.browser.watched import Opener, wait_for_rows

pypdf = pytest.importorskip("pypdf", reason="pypdf is not installed")


class Paper:
    """A printed page and its sheets as text."""

    def __init__(self, page: Any, size: str = "A4") -> None:
        self.pdf: bytes = page.pdf(format=size)
        self.reader = pypdf.PdfReader(io.BytesIO(self.pdf))
        self.sheets = [" ".join(sheet.extract_text().split()) for sheet in self.reader.pages]
        self.text = " ".join(self.sheets)
        # Long words are broken over lines.
        self.letters = "".join(self.text.split())


def wider_than_paper(page: Any, width_px: float) -> list[str]:
    """Texts of tables and figures that reach beyond the width that paper leaves."""
    page.set_viewport_size({"width": round(width_px), "height": 1000})
    page.emulate_media(media="print")
    found: list[str] = page.evaluate(
        """width => [...document.querySelectorAll("table, figure, p, .tiles")]
            .filter((one) => one.getBoundingClientRect().right > width + 1)
            .map((one) => one.textContent.trim().slice(0, 60))""",
        width_px,
    )
    return found


A4_PX = (210 - 24) / 25.4 * 96


@pytest.mark.parametrize("videos", [3, 81])
def test_the_report_on_paper(videos: int, sites: dict[int, Site], watch: Opener) -> None:
    site = sites[videos]
    with watch(site.folder) as one:
        page = one.open(site.report)
        page.locator("input[type=search]").fill("no such video")  # what is hidden is printed
        wait_for_rows(page, 0)
        paper = Paper(page)
        for row in site.rows:
            assert row["path"].replace(" ", "") in paper.letters
        for control in ("Show all", "Search", "Skip to the verdicts", "On this page"):
            assert control not in paper.text
        # The model card is closed on the screen, and printed; settings are left out, and said so.
        assert not page.locator("details.card p").first.is_visible()
        assert "Trained on few videos." in paper.text
        assert "verdict.reducer" not in paper.text
        assert "Left out in print: settings" in paper.text
        last = len(paper.sheets)
        assert [f"page {n} of {last}" in sheet for n, sheet in enumerate(paper.sheets, 1)] == (
            [True] * last
        )
        assert (1 if videos == 3 else 4) < last < (7 if videos == 3 else 16)
        assert wider_than_paper(page, A4_PX) == []


def test_the_head_of_the_table_is_on_each_sheet(sites: dict[int, Site], watch: Opener) -> None:
    site = sites[81]
    with watch(site.folder) as one:
        paper = Paper(one.open(site.report))
    of_table = [sheet for sheet in paper.sheets if sheet.count("clips/0") > 12]
    assert len(of_table) >= 2
    for sheet in of_table:
        assert "correct?" in sheet and "p_fake" in sheet


@pytest.mark.long
def test_a_heading_stays_with_what_follows(sites: dict[int, Site], watch: Opener) -> None:
    site = sites[81]
    with watch(site.folder) as one:
        page = one.open(site.report)
        for height_px in range(0, 1000, 40):  # wherever on its sheet the heading comes to lie
            page.evaluate(
                """height => {
                    const section = document.querySelector("[aria-labelledby=effort]");
                    const room = document.getElementById("room") ?? document.createElement("div");
                    room.id = "room";
                    room.style.height = `${height}px`;
                    section.before(room);
                }""",
                height_px,
            )
            (sheet,) = (text for text in Paper(page).sheets if "Time and formats" in text)
            assert "Time by phase" in sheet, height_px


def test_links_on_paper_lead_to_the_evidence(sites: dict[int, Site], watch: Opener) -> None:
    site = sites[3]
    with watch(site.folder) as one:
        paper = Paper(one.open(site.report))
    uris = {
        note.get_object()["/A"]["/URI"]
        for sheet in paper.reader.pages
        for note in sheet.get("/Annots", ())
        if "/URI" in note.get_object().get("/A", {})
    }
    for video_id in site.with_evidence:
        assert site.address(f"evidence/run-1/{video_id}.html") in uris


def test_an_evidence_page_on_paper(sites: dict[int, Site], watch: Opener) -> None:
    site = sites[3]
    with watch(site.folder) as one:
        page = one.open(site.address(f"evidence/run-1/{site.rows[0]['video_id']}.html"))
        paper = Paper(page)
        assert HOSTILE in paper.text
        for words in ("framejury calls this video", "Limits of this verdict", "Highest scores"):
            assert words in paper.text
        assert "← Back to the report" not in paper.text
        assert f"page 1 of {len(paper.sheets)}" in paper.sheets[0] and len(paper.sheets) < 7
        assert wider_than_paper(page, A4_PX) == []


def test_paper_is_white_at_night_too(sites: dict[int, Site], watch: Opener) -> None:
    site = sites[3]
    with watch(site.folder, color_scheme="dark") as one:
        page = one.open(site.report)
        page.emulate_media(media="print", color_scheme="dark")
        paper, ink = page.evaluate(
            "[getComputedStyle(document.body).backgroundColor, "
            "getComputedStyle(document.querySelector('svg.chart')).getPropertyValue('--chart-paper')]"
        )
        assert (paper, ink.strip()) == ("rgb(255, 255, 255)", "#ffffff")
