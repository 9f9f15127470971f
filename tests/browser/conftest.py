"""Debian's Chromium, driven by Playwright, and three reports to open in it.

Nothing is downloaded: the browser is the one on PATH.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from tests.browser.axe import DESK
from tests.browser.site import Site, write_site
from tests.builders.chromium import NoChromiumError, chromium

PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A headless Chromium; without one the tests are skipped, and say so."""
    with ExitStack() as stack:
        try:
            found = stack.enter_context(chromium())
        except NoChromiumError as error:
            pytest.skip(str(error))
        yield found


class Watched:
    """A page, and all that it did which it must not do."""

    def __init__(self, page: Any, folder: Path) -> None:
        self.page = page
        self.faults: list[str] = []
        self.requests: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("dialog", self._dialog)
        page.on("request", lambda request: self.requests.append(request.url))
        self._below = folder.as_uri()

    def open(self, address: str) -> Any:
        self.page.goto(address)
        return self.page

    @property
    def outside(self) -> list[str]:
        """Requests for anything but files of the report."""
        return [url for url in self.requests if not url.startswith((self._below, "data:"))]

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"{message.type}: {message.text}")

    def _dialog(self, dialog: Any) -> None:
        self.faults.append(f"dialog: {dialog.message}")
        dialog.dismiss()


Opener = Callable[..., Any]


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
