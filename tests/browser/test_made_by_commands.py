"""Pages that commands make of a real file whose path is an attack, in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from framejury.cli.main import main
from tests.browser.axe import faults
from tests.browser.watched import PHONE, Opener
from tests.builders import clips
from tests.builders.bundles import brightness_bundle

pytestmark = pytest.mark.long

ATTACK = "<script>alert(1)</script>.mp4"
"""A folder, and a file in it: the path of any archive may look like this."""


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the pages of `scan --html`, `inspect` and `compare` by command."""
    folder = tmp_path_factory.mktemp("commands")
    frames = clips.face_frames(12)
    video = folder / ATTACK
    video.parent.mkdir()
    clips.write_clip(video, frames)
    fake = folder / "<img src=x onerror=alert(1)>.mp4"
    clips.write_clip(fake, [cv2.GaussianBlur(frame, (9, 9), 0) for frame in frames])
    bundle = brightness_bundle(folder / "bundle").directory
    place = {verb: folder / verb for verb in ("scan", "inspect", "compare")}
    scan = ["--bundle", str(bundle), "--set", "sampling.frames=6", "--html", str(place["scan"])]
    assert main(["scan", str(video), str(fake), *scan]) == 0
    assert main(["inspect", str(video), "--output", str(place["inspect"])]) == 0
    assert main(["compare", str(fake), str(video), "--output", str(place["compare"])]) == 0
    return {
        "scan": place["scan"] / "001-script-.mp4.html",
        "scan index": place["scan"] / "index.html",
        "inspect": place["inspect"] / "inspect.html",
        "compare": place["compare"] / "compare.html",
    }


VERBS = ["scan", "scan index", "inspect", "compare"]


@pytest.mark.parametrize("verb", VERBS)
def test_hostile_paths_stay_text(verb: str, pages: dict[str, Path], watch: Opener) -> None:
    path = pages[verb]
    with watch(path.parent) as one:
        page = one.open(path.as_uri())
        said = page.locator("body").inner_text()
        assert "script>.mp4" in said
        assert page.locator("script").count() == 0
        assert page.locator("img[src=x]").count() == 0
        broken = (
            "all => all.filter((one) => !one.complete || !one.naturalWidth).map((one) => one.alt)"
        )
        for picture in page.locator("img:visible").all():
            picture.scroll_into_view_if_needed()
        page.wait_for_load_state("networkidle")
        assert page.locator("img").evaluate_all(broken) == []


@pytest.mark.parametrize("verb", VERBS)
def test_on_a_phone_the_page_does_not_scroll_sideways(
    verb: str, pages: dict[str, Path], watch: Opener
) -> None:
    with watch(pages[verb].parent, viewport=PHONE) as one:
        page = one.open(pages[verb].as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("verb", VERBS)
def test_two_themes(verb: str, pages: dict[str, Path], watch: Opener) -> None:
    medians = {}
    for scheme in ("light", "dark"):
        with watch(pages[verb].parent, color_scheme=scheme) as one:
            page = one.open(pages[verb].as_uri())
            heading = page.locator("h1").screenshot()
            picture = cv2.imdecode(np.frombuffer(heading, np.uint8), cv2.IMREAD_GRAYSCALE)
            medians[scheme] = float(np.median(picture))
    assert medians["dark"] < 60 and medians["light"] > 220


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("verb", VERBS)
def test_accessible(browser: Any, axe: str, verb: str, pages: dict[str, Path], scheme: str) -> None:
    assert faults(browser, axe, pages[verb].as_uri(), scheme) == []


def test_from_the_index_to_a_page_and_back(pages: dict[str, Path], watch: Opener) -> None:
    index = pages["scan index"]
    with watch(index.parent) as one:
        page = one.open(index.as_uri())
        page.get_by_role("link", name="script>.mp4").click()
        page.wait_for_url("**/001-*.html")
        page.get_by_role("link", name="All files").click()
        page.wait_for_url(index.as_uri())
