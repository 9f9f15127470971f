"""Debian's Chromium, driven by Playwright, and three reports to open in it.

Nothing is downloaded: the browser is the one on PATH.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from tests.browser.axe import DESK
from tests.browser.site import Site, write_site
from tests.browser.watched import Opener, Watched
from tests.builders.chromium import NoChromiumError, chromium


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A headless Chromium; without one the tests are skipped, and say so."""
    with ExitStack() as stack:
        try:
            found = stack.enter_context(chromium())
        except NoChromiumError as error:
            pytest.skip(str(error))
        yield found


@pytest.fixture
def watch(browser: Any) -> Iterator[Opener]:
    """Opens watched pages; at the end none may have had an error or left its folder."""
    opened: list[Watched] = []

    @contextmanager
    def opener(folder: Path, **options: Any) -> Iterator[Watched]:
        context = browser.new_context(**{"viewport": DESK} | options)
        found = Watched(context.new_page(), folder)
        opened.append(found)
        yield found
        context.close()

    yield opener
    assert [found.faults for found in opened if found.faults] == []
    assert [found.outside for found in opened if found.outside] == []


class Sites(dict[int, Site]):
    """Reports by their number of videos, written when first asked for."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        super().__init__()
        self._factory = factory

    def __missing__(self, videos: int) -> Site:
        folder = self._factory.mktemp(f"site-{videos}")
        self[videos] = write_site(folder, videos, pages={3: 3, 81: 20, 1000: 2}[videos])
        return self[videos]


@pytest.fixture(scope="session")
def sites(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Site]:
    """Reports of 3, 81 and 1,000 videos."""
    return Sites(tmp_path_factory)


@pytest.fixture(scope="session")
def paged(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """81 videos, 30 a page."""
    return write_site(tmp_path_factory.mktemp("paged"), 81, 1, page_rows=30)


@pytest.fixture(scope="session")
def axe() -> str:
    """axe-core's script, as axe-playwright-python ships it."""
    pytest.importorskip("axe_playwright_python", reason="axe-core is not installed")
    return files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
