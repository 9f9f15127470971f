"""Screenshots: of made pages here, of two real nightly runs by `make docs` for the docs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import cv2
import pytest

from tests.browser.site import Site
from tests.screens import DESK, PHONE, shoot, shoot_report

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "docs" / "images"
MOST_BYTES = 300_000
NAMES = {
    "report.png",
    "report-dark.png",
    "report-phone.png",
    "verdicts.jpg",
    "evidence.jpg",
    "evidence-faces.jpg",
}


@pytest.mark.long
def test_every_picture_is_taken(browser: Any, sites: dict[int, Site], tmp_path: Path) -> None:
    site = sites[81]
    paths = list(shoot_report(browser, site.folder / "report.html", tmp_path, "clips/0002.mp4"))
    assert {path.name for path in paths} == NAMES
    sizes = {path.name: cv2.imread(str(path)).shape[1::-1] for path in paths}
    assert sizes["report.png"] == sizes["report-dark.png"] == (DESK["width"], DESK["height"])
    assert sizes["report-phone.png"] == (PHONE["width"], PHONE["height"])
    light, dark = (
        cv2.imread(str(tmp_path / name)).mean() for name in ("report.png", "report-dark.png")
    )
    assert dark < 80 and light > 180
    page = site.folder / "evidence" / "run-1" / f"{site.rows[0]['video_id']}.html"
    assert shoot(browser, page, tmp_path / "x.jpg").stat().st_size > 10_000


def test_the_docs_show_pictures_that_are_there_and_small() -> None:
    shown = 0
    for text in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        for target in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text.read_text(encoding="utf-8")):
            picture = (text.parent / target).resolve()
            assert picture.is_file(), f"{text.name} shows {target}"
            shown += 1
    assert shown >= 3
    large = {p.name: p.stat().st_size for p in IMAGES.iterdir() if p.stat().st_size > MOST_BYTES}
    assert large == {}


@pytest.mark.parametrize("name", sorted(NAMES | {"inspect.jpg"}))
def test_what_make_docs_takes_is_in_the_docs(name: str) -> None:
    assert (IMAGES / name).is_file()
