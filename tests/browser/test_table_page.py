"""The verdict table, the model card and the charts, on the screen they are on."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest

from framejury.report.package import pack
from tests.browser.site import HOSTILE, Site, write_site
from tests.browser.watched import PHONE, Opener, wait_for_rows

BELOW = "archive-2025/newsroom/incoming/agency-2/interviews/2025-11-04/camera-A/final-export"


@pytest.fixture(scope="session")
def deep(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """81 videos deep in their archive."""
    return write_site(tmp_path_factory.mktemp("deep"), 81, 3, below=BELOW)


def box(page: Any, selector: str) -> dict[str, float]:
    found: dict[str, float] = page.locator(selector).first.bounding_box()
    return found


def test_the_page_scrolls_and_the_head_stays(deep: Site, watch: Opener) -> None:
    with watch(deep.folder) as one:
        page = one.open(deep.report)
        inner = "e => [e.scrollHeight - e.clientHeight, e.scrollWidth - e.clientWidth]"
        assert page.locator(".sheet").evaluate(inner) == [0, 0]
        assert box(page, ".verdicts tbody")["height"] > 3 * page.viewport_size["height"]
        page.locator(".verdicts tbody tr").nth(40).scroll_into_view_if_needed()
        head = box(page, ".verdicts thead th[data-key=path]")
        assert abs(head["y"]) < 2 and head["height"] > 20
        top = page.evaluate("document.elementFromPoint(400, 10).closest('th')?.dataset.key")
        assert top is not None  # no row shows through


@pytest.mark.parametrize("screen", [{"width": 1280, "height": 900}, PHONE], ids=["desk", "phone"])
def test_a_path_is_on_one_line_and_whole_when_copied(
    deep: Site, watch: Opener, screen: dict[str, int]
) -> None:
    with watch(deep.folder, viewport=screen) as one:
        page = one.open(deep.report)
        names = page.locator(".verdicts .name")
        heights = names.evaluate_all("all => all.map((one) => one.getBoundingClientRect().height)")
        assert max(heights) < 26
        row = page.locator(f"tr[data-video='{deep.rows[2]['video_id']}']")
        path = f"{BELOW}/0002.mp4"
        assert row.locator(".name bdi").get_attribute("title") == path
        assert row.locator(".name bdi").inner_text() == path
        start = row.locator(".start")
        assert start.evaluate("e => e.scrollWidth > e.clientWidth")
        name, end = row.locator(".name").bounding_box(), row.locator(".end").bounding_box()
        assert end["x"] + end["width"] <= name["x"] + name["width"] + 1
        assert end["x"] + end["width"] <= screen["width"]
        assert row.locator(".end").inner_text().endswith("0002.mp4")
        copied = row.locator(".name bdi").evaluate(
            """e => { getSelection().selectAllChildren(e); return getSelection().toString(); }"""
        )
        assert copied == path
        page.locator("input[type=search]").fill("agency-2/interviews/2025-11-04/camera-A 0002")
        wait_for_rows(page, 1)


def test_what_does_not_differ_is_said_above_the_table(deep: Site, watch: Opener) -> None:
    with watch(deep.folder) as one:
        page = one.open(deep.report)
        assert "All 81 videos: model b0-000000000000." in page.locator("main").inner_text()
        assert page.locator("th[data-key=model]").count() == 0


def test_on_a_phone_nothing_scrolls_sideways(deep: Site, watch: Opener) -> None:
    with watch(deep.folder, viewport=PHONE) as one:
        page = one.open(deep.report)
        assert page.locator(".sheet").evaluate("e => e.scrollWidth <= e.clientWidth")
        row = page.locator(f"tr[data-video='{deep.rows[2]['video_id']}']")
        assert "label FAKE" in " ".join(
            row.locator("td[data-head]").evaluate_all(
                "all => all.map((e) => getComputedStyle(e, '::before').content.replaceAll('\"', '')"
                " + e.innerText)"
            )
        )
        page.locator("th[data-key=path] button").click()
        assert page.locator("th[data-key=path]").get_attribute("aria-sort") == "ascending"


@pytest.mark.parametrize("screen", [{"width": 1280, "height": 900}, PHONE], ids=["desk", "phone"])
def test_the_words_of_charts_are_as_large_as_text(
    sites: dict[int, Site], watch: Opener, screen: dict[str, int]
) -> None:
    site = sites[81]
    with watch(site.folder, viewport=screen) as one:
        page = one.open(site.report)
        found = page.evaluate(
            """() => [...document.querySelectorAll("svg.chart")]
                .filter((svg) => svg.getBoundingClientRect().width)
                .map((svg) => ({
                    name: svg.getAttribute("aria-label").split(/[ :]/)[0],
                    right: svg.getBoundingClientRect().right,
                    sizes: [...svg.querySelectorAll("text")].map((text) =>
                        parseFloat(getComputedStyle(text).fontSize) *
                        Math.hypot(text.getScreenCTM().a, text.getScreenCTM().b)),
                }))"""
        )
        names = [one["name"] for one in found]
        assert names.count("ROC") == names.count("DET") == names.count("Videos") == 1
        for chart in found:
            assert min(chart["sizes"]) > 10, chart["name"]
            assert chart["right"] <= screen["width"]


def test_in_the_dark_charts_have_the_colours_of_the_dark(
    sites: dict[int, Site], watch: Opener
) -> None:
    site = sites[81]
    for screen in ({"width": 1280, "height": 900}, PHONE):
        with watch(site.folder, viewport=screen, color_scheme="dark") as one:
            page = one.open(site.report)
            colours = page.evaluate(
                """() => [...document.querySelectorAll("svg.chart text")]
                    .filter((text) => text.getBoundingClientRect().width)
                    .map((text) => getComputedStyle(text).fill)"""
            )
            dark = {"rgb(232, 234, 237)", "rgb(154, 163, 173)"}
            assert colours and set(colours) <= dark


def test_the_model_card_is_closed_and_opens(sites: dict[int, Site], watch: Opener) -> None:
    site = sites[3]
    with watch(site.folder) as one:
        page = one.open(site.report)
        card = page.locator("details.card")
        assert not card.locator("h3").is_visible()
        card.locator("summary").click()
        assert card.locator("h3").inner_text() == "Card"
        assert card.locator("p").inner_text() == "Trained on few videos."


def test_few_labels_give_counts(sites: dict[int, Site], watch: Opener) -> None:
    site = sites[3]
    with watch(site.folder) as one:
        page = one.open(site.report)
        part = page.locator("section[aria-labelledby=accuracy]")
        said = part.inner_text()
        assert "No curves are drawn: 3 labelled videos were scored" in said
        assert "1 video labelled REAL:" in said and "2 videos labelled FAKE:" in said
        assert part.locator("svg[aria-label^=ROC], svg[aria-label^=Calib]").count() == 0
        assert part.locator("table.matrix").first.is_visible()


def test_a_packed_report_opens_from_its_folder(
    sites: dict[int, Site], watch: Opener, tmp_path: Path
) -> None:
    site = sites[3]
    pack(site.folder, tmp_path / "sent.zip")
    with zipfile.ZipFile(tmp_path / "sent.zip") as archive:
        archive.extractall(tmp_path / "desk")
    folder = tmp_path / "desk" / "sent"
    with watch(folder) as one:
        page = one.open((folder / "report.html").as_uri())
        row = page.locator(f"tr[data-video='{site.rows[0]['video_id']}']")
        row.locator("a[data-evidence]").click()
        page.wait_for_url("**/sent/evidence/run-1/*.html")
        assert page.locator("h1").inner_text() == HOSTILE
        page.get_by_role("link", name="Report").click()
        page.wait_for_url((folder / "report.html").as_uri())
