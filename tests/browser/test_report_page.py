"""The report in a browser: sorting, searching, choosing, links; no request leaves the folder."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import cv2
import numpy as np
import pytest

from tests.browser.site import HOSTILE, Site
from tests.browser.watched import PHONE, Opener, wait_for_rows

SIZES = (3, 81, pytest.param(1000, marks=pytest.mark.long))
MOST_BYTES = 15_000_000


@pytest.fixture(params=SIZES)
def site(request: pytest.FixtureRequest, sites: dict[int, Site]) -> Site:
    found: Site = sites[request.param]
    return found


def outcome(row: dict[str, Any]) -> str:
    return "not scored" if row["p_fake"] is None else str(row["verdict"])


def shown_rows(page: Any) -> Any:
    return page.locator("table.verdicts tbody tr:not([hidden])")


def column(page: Any, key: str, attribute: str | None = None) -> list[str]:
    """Texts (or an attribute) of a column of the rows shown, from top to bottom."""
    script = """([key, attribute]) => {
        const table = document.querySelector("table.verdicts");
        const heads = [...table.tHead.rows[0].cells];
        const at = heads.findIndex((head) => head.dataset.key === key);
        return [...table.tBodies[0].rows].filter((row) => !row.hidden).map((row) =>
            attribute ? row.cells[at].getAttribute(attribute) : row.cells[at].innerText.trim());
    }"""
    found: list[str] = page.evaluate(script, [key, attribute])
    return found


def head(page: Any, key: str) -> Any:
    return page.locator(f"table.verdicts th[data-key={key}] button")


def told(page: Any) -> str:
    return str(page.locator("[data-shown]").inner_text())


def test_every_video_is_in_the_table_and_the_file_is_small(site: Site, watch: Opener) -> None:
    assert (site.folder / "report.html").stat().st_size < MOST_BYTES
    with watch(site.folder) as one:
        page = one.open(site.report)
        assert shown_rows(page).count() == len(site.rows)
        assert told(page).startswith(f"{len(site.rows):,} of {len(site.rows):,}")
        words = Counter(column(page, "verdict"))
        assert words == Counter(outcome(row) for row in site.rows)
        assert one.requests[0] == site.report


def test_how_far_to_trust_it_is_seen_first(site: Site, watch: Opener) -> None:
    """Above the counts, and without scrolling."""
    with watch(site.folder) as one:
        page = one.open(site.report)
        said = page.locator("p.trust")
        assert "is not known: its model card has no figures" in said.inner_text()
        box, below = said.bounding_box(), page.locator("div.tiles").bounding_box()
        assert box["y"] + box["height"] <= below["y"]
        assert box["y"] + box["height"] < page.viewport_size["height"]


def test_sorting_by_a_column(site: Site, watch: Opener) -> None:
    with watch(site.folder) as one:
        page = one.open(site.report)
        head(page, "path").click()
        rising = column(page, "path")
        numbered = [name for name in rising if re.fullmatch(r"clips/\d+\.mp4", name)]
        assert numbered == sorted(numbered) and len(numbered) == len(site.rows) - 1
        assert page.locator("th[data-key=path]").get_attribute("aria-sort") == "ascending"
        head(page, "path").click()
        assert column(page, "path") == rising[::-1]
        assert page.locator("th[data-key=path]").get_attribute("aria-sort") == "descending"
        assert page.locator("th[aria-sort]").count() == 1


def test_sorting_by_score_keeps_the_missing_last(sites: dict[int, Site], watch: Opener) -> None:
    site = sites[81]
    with watch(site.folder) as one:
        page = one.open(site.report)
        scores = [row["p_fake"] for row in site.rows if row["p_fake"] is not None]
        missing = len(site.rows) - len(scores)
        for falls in (True, False):
            while page.locator("th[data-key=p_fake]").get_attribute("aria-sort") != (
                "descending" if falls else "ascending"
            ):
                head(page, "p_fake").click()
            values = column(page, "p_fake", "data-sort")
            assert values[-missing:] == [""] * missing
            numbers = [float(value) for value in values[:-missing]]
            assert numbers == sorted(scores, reverse=falls)


@pytest.mark.long
def test_searching(sites: dict[int, Site], watch: Opener) -> None:
    site = sites[1000]
    with watch(site.folder) as one:
        page = one.open(site.report)
        page.locator("input[type=search]").fill("clips/0123")
        wait_for_rows(page, 1)
        assert column(page, "path") == ["clips/0123.mp4"]
        page.locator("input[type=search]").fill("FaceSwap fake")
        wanted = [row for row in site.rows if row["method"] == "FaceSwap"]
        wait_for_rows(page, len(wanted))
        assert not page.locator("[data-nothing]").is_visible()
        page.locator("input[type=search]").fill("no such video")
        wait_for_rows(page, 0)
        page.locator("[data-nothing] [data-reset]").click()
        wait_for_rows(page, 1000)
        assert not page.locator("[data-nothing]").is_visible()
        assert page.locator("input[type=search]").input_value() == ""


def test_choosing(sites: dict[int, Site], watch: Opener) -> None:
    site = sites[81]
    with watch(site.folder) as one:
        page = one.open(site.report)
        page.locator("select[data-filter=verdict]").select_option("fake")
        fakes = [row for row in site.rows if outcome(row) == "fake"]
        wait_for_rows(page, len(fakes))
        assert set(column(page, "verdict")) == {"fake"}
        page.locator("select[data-filter=truth]").select_option("REAL")
        accused = [row for row in fakes if row["label"] == "REAL"]
        assert 0 < len(accused) < len(fakes)
        wait_for_rows(page, len(accused))
        assert sorted(column(page, "path")) == sorted(row["path"] for row in accused)
        # An order chosen now keeps the choice, and the other way round.
        head(page, "path").click()
        assert column(page, "path") == sorted(row["path"] for row in accused)


def test_to_the_evidence_and_back(site: Site, watch: Opener) -> None:
    with watch(site.folder) as one:
        page = one.open(site.report)
        links = page.locator("a[data-evidence]")
        assert links.count() >= len(site.with_evidence)
        row = page.locator(f"tr[data-video='{site.rows[0]['video_id']}']")
        row.locator("a[data-evidence]").click()
        page.wait_for_url("**/evidence/run-1/*.html")
        assert page.locator("h1").inner_text() == HOSTILE
        assert "Over time" in page.content()
        page.get_by_role("link", name="Report").click()
        page.wait_for_url(site.report)
        assert shown_rows(page).count() == len(site.rows)


def test_a_name_that_is_an_attack_stays_text(site: Site, watch: Opener) -> None:
    with watch(site.folder) as one:
        page = one.open(site.report)
        name = f"tr[data-video='{site.rows[0]['video_id']}'] .path"
        assert page.locator(name).inner_text().strip() == HOSTILE
        assert page.locator("script").count() == 1  # our own
        page.locator("input[type=search]").fill("<script>alert(1)</script>")
        wait_for_rows(page, 1)


def test_two_themes_differ_and_can_be_seen(
    site: Site, watch: Opener, tmp_path_factory: pytest.TempPathFactory
) -> None:
    brightness = {}
    for scheme in ("light", "dark"):
        with watch(site.folder, color_scheme=scheme) as one:
            page = one.open(site.report)
            taken = page.screenshot(path=tmp_path_factory.mktemp("shots") / f"{scheme}.png")
            picture = cv2.imdecode(np.frombuffer(taken, np.uint8), cv2.IMREAD_GRAYSCALE)
            brightness[scheme] = float(np.median(picture))
    assert brightness["dark"] < 60
    assert brightness["light"] > 220


def test_on_a_phone_the_page_does_not_scroll_sideways(site: Site, watch: Opener) -> None:
    with watch(site.folder, viewport=PHONE) as one:
        page = one.open(site.report)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= PHONE["width"]
        first = shown_rows(page).first
        assert first.locator(".chip").is_visible() and first.locator(".path").is_visible()


def test_printed(sites: dict[int, Site], watch: Opener) -> None:
    site = sites[81]
    with watch(site.folder) as one:
        page = one.open(site.report)
        page.emulate_media(media="print")
        assert not page.locator("[data-controls]").is_visible()
        region = page.locator("table.verdicts").locator("..")
        assert region.evaluate("e => getComputedStyle(e).overflowY") == "visible"
        pdf = page.pdf()
        assert pdf.startswith(b"%PDF") and len(re.findall(rb"/Type\s*/Page\b", pdf)) >= 3


def test_by_keyboard_alone(sites: dict[int, Site], watch: Opener) -> None:
    site = sites[3]
    with watch(site.folder) as one:
        page = one.open(site.report)
        stops = []
        for _ in range(120):
            page.keyboard.press("Tab")
            stop = page.evaluate("""() => {
                const at = document.activeElement;
                if (at === document.body) return null;
                const seen = getComputedStyle(at).outlineStyle !== "none";
                const head = at.closest("th")?.dataset.key;
                return [at.tagName, at.type || "", head || "", at.matches("[data-evidence]"),
                    at.getAttribute("role") || "", seen];
            }""")
            if stop is None:
                break
            stops.append(tuple(stop))
        names = {(tag, kind) for tag, kind, *_ in stops}
        assert {("INPUT", "search"), ("SELECT", "select-one")} <= names
        assert {"p_fake", "path", "verdict"} <= {stop[2] for stop in stops}
        assert sum(stop[3] for stop in stops) >= 3  # every evidence link
        assert "region" in {stop[4] for stop in stops}
        assert all(stop[5] for stop in stops), [stop for stop in stops if not stop[5]]
        head(page, "path").focus()
        page.keyboard.press("Enter")
        assert page.locator("th[data-key=path]").get_attribute("aria-sort") == "ascending"
        page.locator("a[data-evidence]").first.focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**/evidence/run-1/*.html")


def test_without_scripts(site: Site, watch: Opener) -> None:
    with watch(site.folder, java_script_enabled=False) as one:
        page = one.open(site.report)
        assert page.locator("table.verdicts tbody tr").count() == len(site.rows)
        assert not page.locator("[data-controls]").is_visible()
        page.locator("table.verdicts a[data-evidence]").first.click()
        page.wait_for_url("**/evidence/run-1/*.html")


def test_pages_of_a_larger_table(paged: Site, watch: Opener) -> None:
    with watch(paged.folder) as one:
        page = one.open(paged.report)
        seen = column(page, "path")
        for number in (2, 3):
            page.locator("[data-pager] a[rel=next]").first.click()
            page.wait_for_url(f"**/verdicts-{number:04d}.html*")
            assert f"Page {number} of 3" in page.locator("[data-pager]").first.inner_text()
            seen += column(page, "path")
        assert page.locator("[data-pager] a[rel=next]").count() == 0
        assert sorted(seen) == sorted(row["path"] for row in paged.rows)
        page.locator("select[data-filter=verdict]").select_option("not scored")
        assert set(column(page, "verdict")) == {"not scored"}
