"""axe-core finds no serious or critical fault, in both themes.

axe is put into the page in a context that sets the page's policy aside; all other tests keep it.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.axe import faults
from tests.browser.site import Site


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("videos", [3, 81, pytest.param(1000, marks=pytest.mark.long)])
def test_reports(browser: Any, axe: str, sites: dict[int, Site], videos: int, scheme: str) -> None:
    assert faults(browser, axe, sites[videos].report, scheme) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("place", [0, 2, 7, 11], ids=["attack", "scored", "timeout", "no face"])
def test_evidence(browser: Any, axe: str, sites: dict[int, Site], place: int, scheme: str) -> None:
    site = sites[81]
    page = site.address(f"evidence/run-1/{site.rows[place]['video_id']}.html")
    assert faults(browser, axe, page, scheme) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_further_page(browser: Any, axe: str, paged: Site, scheme: str) -> None:
    assert faults(browser, axe, paged.address("verdicts-0002.html"), scheme) == []


def test_on_a_phone(browser: Any, axe: str, sites: dict[int, Site]) -> None:
    """Where regions scroll that fit a desk."""
    site = sites[3]
    phone = {"viewport": {"width": 390, "height": 844}}
    page = site.address(f"evidence/run-1/{site.rows[0]['video_id']}.html")
    assert faults(browser, axe, site.report, "light", **phone) == []
    assert faults(browser, axe, page, "light", **phone) == []


def test_a_fault_is_found(browser: Any, axe: str, sites: dict[int, Site]) -> None:
    """Or this file would pass whatever the pages are."""
    place = sites[3].folder / "faulty.html"
    place.write_text("<html><body><img src='data:,'><p style='color:#ddd'>faint</p></body></html>")
    found = " ".join(faults(browser, axe, place.as_uri(), "light"))
    assert "image-alt" in found and "color-contrast" in found and "html-has-lang" in found
