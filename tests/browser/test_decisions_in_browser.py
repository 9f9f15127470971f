"""How a report opens in a browser: what waits, what to do, and where the links lead."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from framejury.decisions.decided import Decided, VideoDecisions
from framejury.schemas.statuses import Decision
from tests.browser.axe import faults
from tests.browser.site import Site, write_site
from tests.browser.watched import PHONE, Opener

VIDEOS = 81
HOSTILE = "<img src=x onerror=alert(1)>"


def decided(number: int) -> tuple[str, VideoDecisions]:
    one = Decided(
        content_id=None,
        decision=Decision.FAKE,
        reviewer=HOSTILE if number == 2 else "Ann",
        note=HOSTILE,
        decided_at=datetime(2026, 3, 1, 9, tzinfo=UTC),
        source="command",
        seen_verdict="fake",
        seen_p_fake=0.9,
        seen_model_id="b0",
        seen_run_id="run-1" if number == 2 else "run-04",
    )
    return f"{number:020x}", VideoDecisions((one,))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """81 videos without a label; two of them are decided on."""
    folder = tmp_path_factory.mktemp("reviewed")
    return write_site(folder, VIDEOS, VIDEOS, decisions=dict(map(decided, (2, 4))))


def test_what_waits_is_seen_before_the_figures(site: Site, watch: Opener) -> None:
    with watch(site.folder) as one:
        page = one.open(site.report)
        cards = page.locator("ul.waiting > li")
        assert cards.count() == 20
        assert [cards.nth(at).is_visible() for at in (5, 6)] == [True, False]
        page.locator("details.others > summary").click()
        assert cards.nth(19).is_visible()
        kinds = [cards.nth(at).locator(".chip").inner_text() for at in range(20)]
        rank = {"new fake": 0, "fake": 1, "inconclusive": 2}
        assert kinds[0] == "new fake" and sorted(kinds, key=rank.__getitem__) == kinds
        scores = [float(cards.nth(at).locator("b").first.inner_text()) for at in range(20)]
        news = [score for score, kind in zip(scores, kinds, strict=True) if kind == "new fake"]
        assert news == sorted(news, reverse=True)
        heading = page.get_by_role("heading", name="Waiting for a decision").bounding_box()
        assert heading["y"] < page.locator("div.tiles").bounding_box()["y"]
        assert heading["y"] < page.viewport_size["height"], "without scrolling"
        shown = {cards.nth(at).get_attribute("data-waiting") for at in range(20)}
        assert not shown & {f"{2:020x}", f"{4:020x}"}, "they are decided on"
        assert "First 20 of" in page.locator("section[aria-labelledby=waiting]").inner_text()


def test_a_card_leads_to_the_evidence_and_says_what_to_do(site: Site, watch: Opener) -> None:
    with watch(site.folder) as one:
        page = one.open(site.report)
        card = page.locator("ul.waiting > li").nth(1)
        command = card.locator("code", has_text="framejury decide")
        assert not command.is_visible()
        card.locator("summary").click()
        assert (
            "[--fake | --real | --unclear] --note WHY --warehouse /data/warehouse"
            in command.inner_text()
        )
        name = card.locator(".path").inner_text()
        card.locator(".path a").click()
        assert page.locator("h1").inner_text() == name
        assert page.get_by_text("This video waits for a decision.").is_visible()
        page.locator("nav[aria-label=Back] a").click()
        assert page.get_by_role("heading", name="Waiting for a decision").is_visible()


def test_decisions_stand_beside_the_verdict(site: Site, watch: Opener) -> None:
    with watch(site.folder) as one:
        page = one.open(site.report)
        page.locator("select[data-filter=decision]").select_option("fake")
        rows = page.locator("table.verdicts tbody tr:not([hidden])")
        page.wait_for_function(
            "document.querySelector('[data-shown]').textContent.startsWith('2 of')"
        )
        assert rows.count() == 2
        cells = {rows.nth(at).locator("[data-value=fake]").inner_text() for at in range(2)}
        assert cells == {f"fake by {HOSTILE}", "fake by Ann"}
        page.goto(site.address(f"evidence/run-1/{2:020x}.html"))
        section = page.locator("section[aria-labelledby=decision]")
        assert section.locator("q").inner_text() == HOSTILE
        assert "on 2026-03-01 09:00 UTC" in section.inner_text()


def test_the_list_to_fill_in_is_there(site: Site, watch: Opener) -> None:
    with watch(site.folder) as one:
        page = one.open(site.report)
        link = page.locator("section[aria-labelledby=waiting] a", has_text="to_decide.csv")
        assert (site.folder / link.get_attribute("href")).is_file()


def test_nothing_is_cut_off_on_a_phone(site: Site, watch: Opener) -> None:
    with watch(site.folder, viewport=PHONE) as one:
        for address, name in (
            (site.report, "waiting"),
            (site.address(f"evidence/run-1/{2:020x}.html"), "decision"),
        ):
            page = one.open(address)
            for summary in page.locator("details.others > summary").all():
                summary.click()
            for summary in page.locator("ul.waiting summary").all():
                summary.click()
            section = page.locator(f"section[aria-labelledby={name}]")
            for part in section.locator("p, li, code, h2").all():
                box = part.bounding_box()
                assert box["x"] >= 0 and box["x"] + box["width"] <= PHONE["width"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessible(browser: Any, axe: str, site: Site, scheme: str) -> None:
    assert faults(browser, axe, site.report, scheme) == []
    page = site.address(f"evidence/run-1/{2:020x}.html")
    assert faults(browser, axe, page, scheme) == []
