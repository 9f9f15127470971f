"""Evidence pages in a browser: both themes, a phone, paper, no script."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.browser.axe import DESK
from tests.browser.site import HOSTILE, Site
from tests.browser.watched import PHONE, Opener
from tests.builders.evidence_rows import BOX


def page_of(site: Site, place: int = 0) -> str:
    return site.address(f"evidence/run-1/{site.rows[place]['video_id']}.html")


@pytest.fixture(scope="session")
def site(sites: dict[int, Site]) -> Site:
    return sites[81]


def boxes_on(page: Any, selector: str) -> list[dict[str, float]]:
    return [one.bounding_box() for one in page.locator(selector).all()]


def test_a_name_that_is_an_attack_stays_text(site: Site, watch: Opener) -> None:
    with watch(site.folder) as one:
        page = one.open(page_of(site))
        assert page.locator("h1").inner_text() == HOSTILE
        assert page.title().startswith(HOSTILE)
        assert page.locator("script").count() == 0


def test_what_is_seen_first(site: Site, watch: Opener) -> None:
    with watch(site.folder) as one:
        page = one.open(page_of(site))
        verdict = page.locator("section.verdict")
        assert verdict.bounding_box()["y"] < DESK["height"] / 2
        assert verdict.get_by_role("heading", name="calls this video fake").is_visible()
        pictures = page.locator("ul.sheet img")
        assert pictures.count() == 12  # six faces and their maps
        loaded = "all => all.every((one) => one.complete && one.naturalWidth > 0)"
        assert page.locator("img").evaluate_all(loaded)


PIXELS = """video => {
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth; canvas.height = video.videoHeight;
  const drawn = canvas.getContext("2d");
  drawn.drawImage(video, 0, 0);
  return Array.from(drawn.getImageData(0, 0, canvas.width, canvas.height).data);
}"""


def test_a_clip_stands_still_until_it_is_started_and_then_loops(site: Site, watch: Opener) -> None:
    with watch(site.folder) as one:
        page = one.open(page_of(site))
        video = page.locator("video")
        assert video.count() == 1
        video.evaluate(
            "one => one.readyState || new Promise((done) => { one.onloadeddata = done; })"
        )
        page.wait_for_timeout(300)
        assert video.evaluate("one => [one.paused, one.currentTime, one.error]") == [True, 0, None]
        video.focus()  # by keyboard, as Chromium's own controls allow
        page.keyboard.press("Space")
        played = "one => new Promise((done) => { one.ontimeupdate = () => done(one.currentTime); })"
        assert max(video.evaluate(played) for _ in range(3)) > 0.1
        assert video.evaluate("one => one.readyState") >= 2
        assert video.evaluate("one => one.muted && one.loop && one.duration < 2")
        page.wait_for_timeout(1500)  # longer than the clip
        assert video.evaluate("one => !one.paused && !one.ended")
        page.keyboard.press("Space")
        assert video.evaluate("one => one.paused")


def test_the_box_is_in_the_pictures_of_the_clip(site: Site, watch: Opener) -> None:
    with watch(site.folder) as one:
        page = one.open(page_of(site))
        video = page.locator("video")
        video.evaluate(
            "one => new Promise((done) => { one.onseeked = done; one.currentTime = 0.5; })"
        )
        size = video.evaluate("one => [one.videoHeight, one.videoWidth]")
        picture = np.array(video.evaluate(PIXELS), np.uint8).reshape(*size, 4)[..., :3]
        top, left = round(BOX.y), round(BOX.x)
        bottom, right = round(BOX.y + BOX.height), round(BOX.x + BOX.width)
        upper = picture[top, left : right + 1].mean()
        assert upper > picture[top - 3, left : right + 1].mean() + 60
        # White lines on a dark rim, on all four sides.
        for line in (
            picture[bottom, left : right + 1],
            picture[top : bottom + 1, left],
            picture[top : bottom + 1, right],
        ):
            assert line.mean() > 150


def test_on_paper_a_clip_is_a_still(site: Site, watch: Opener) -> None:
    with watch(site.folder) as one:
        page = one.open(page_of(site))
        still = page.locator("img.still")
        assert not still.is_visible() and page.locator("video").is_visible()
        page.emulate_media(media="print")
        assert still.is_visible() and not page.locator("video").is_visible()
        assert still.evaluate("one => one.naturalWidth") == 120


def test_boxes_lie_on_the_frame(site: Site, watch: Opener) -> None:
    for viewport in (DESK, PHONE):
        with watch(site.folder, viewport=viewport) as one:
            page = one.open(page_of(site))
            (frame,) = boxes_on(page, ".boxed img")
            boxes = boxes_on(page, ".box")
            assert len(boxes) == site.rows[0]["persons"]
            # As in tests.builders.evidence_rows: a quarter from the left, a quarter from the top.
            assert boxes[0]["x"] - frame["x"] == pytest.approx(frame["width"] / 4, abs=2)
            assert boxes[0]["y"] - frame["y"] == pytest.approx(frame["height"] / 4, abs=2)
            assert boxes[0]["width"] == pytest.approx(frame["width"] / 8, abs=2)


def test_the_chart_follows_the_theme(site: Site, watch: Opener) -> None:
    medians = {}
    for scheme in ("light", "dark"):
        with watch(site.folder, color_scheme=scheme) as one:
            page = one.open(page_of(site))
            taken = page.locator("svg.chart").first.screenshot()
            picture = cv2.imdecode(np.frombuffer(taken, np.uint8), cv2.IMREAD_GRAYSCALE)
            medians[scheme] = float(np.median(picture))
            assert picture.std() > 10  # something is drawn
    assert medians["dark"] < 60 and medians["light"] > 220


@pytest.mark.parametrize("place", [0, 7, 11])
def test_on_a_phone_the_page_does_not_scroll_sideways(
    place: int, site: Site, watch: Opener
) -> None:
    """A scored video, one that took too long, one without a face."""
    with watch(site.folder, viewport=PHONE) as one:
        page = one.open(page_of(site, place))
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        cut = "all => all.filter((one) => one.scrollWidth > one.clientWidth + 1).length"
        assert page.locator(".scroll").evaluate_all(cut) == 0


def test_words_of_the_chart_stay_readable_on_a_phone(site: Site, watch: Opener) -> None:
    with watch(site.folder, viewport=PHONE) as one:
        page = one.open(page_of(site))
        heights = [box["height"] for box in boxes_on(page, "svg.chart text") if box is not None]
        assert min(heights) >= 9


def test_a_video_without_a_score_says_why(site: Site, watch: Opener) -> None:
    with watch(site.folder) as one:
        page = one.open(page_of(site, 7))
        said = page.locator("section.verdict").inner_text()
        assert "decoding took longer than 300 s" in said and "What to do" in said
        assert page.locator("ul.sheet, video").count() == 0


def test_printed(site: Site, watch: Opener) -> None:
    with watch(site.folder) as one:
        page = one.open(page_of(site))
        page.emulate_media(media="print")
        assert not page.locator("nav").is_visible()
        assert page.locator("svg.chart").first.is_visible()
        assert page.pdf().startswith(b"%PDF")


def test_by_keyboard_alone(site: Site, watch: Opener) -> None:
    with watch(site.folder) as one:
        page = one.open(page_of(site))
        stops = []
        for _ in range(40):
            page.keyboard.press("Tab")
            stop = page.evaluate(
                "() => document.activeElement === document.body ? null : "
                "document.activeElement.getAttribute('aria-label') || "
                "document.activeElement.innerText"
            )
            if stop is None:
                break
            stops.append(stop)
        assert "Back to the report" in stops[0]
        assert {"Chart over time", "All faces"} <= set(stops)


def test_nothing_but_the_folder_is_needed(site: Site, watch: Opener, tmp_path: Path) -> None:
    """A page alone, as from a mail: only its way back is lost."""
    name = f"{site.rows[0]['video_id']}.html"
    alone = tmp_path / name
    alone.write_bytes((site.folder / "evidence" / "run-1" / name).read_bytes())
    with watch(tmp_path, java_script_enabled=False) as one:
        page = one.open(alone.as_uri())
        assert page.locator("svg.chart").first.is_visible()
        assert one.requests[0] == alone.as_uri()
