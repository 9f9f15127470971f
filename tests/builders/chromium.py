"""Debian's Chromium, driven by Playwright; nothing is downloaded."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_ARGUMENTS = [
    "--no-sandbox",  # CI runs as root, where Chromium refuses its own
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
]


class NoChromiumError(Exception):
    """No browser is there; the message says what to install."""


@contextmanager
def chromium() -> Iterator[Any]:
    """A headless browser: `chromium` on PATH.

    Raises:
        NoChromiumError: neither that nor Playwright.
    """
    place = shutil.which("chromium") or shutil.which("chromium-browser")
    if place is None:
        raise NoChromiumError("no Chromium on PATH (Debian: apt-get install chromium)")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise NoChromiumError(f"Playwright is not installed: {error}") from error
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=place, headless=True, args=_ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def opened(browser: Any, path: Path, **options: Any) -> Iterator[Any]:
    """A page that shows a file; `options` as of Playwright's `new_context`."""
    context = browser.new_context(**options)
    page = context.new_page()
    page.goto(path.as_uri())
    yield page
    context.close()
