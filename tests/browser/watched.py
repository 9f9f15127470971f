"""Pages in the browser, watched for errors and for requests that leave their folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

PHONE = {"width": 390, "height": 844}
Opener = Callable[..., Any]


class Watched:
    """A page with its errors, its dialogs and its requests."""

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


def wait_for_rows(page: Any, count: int) -> None:
    """Wait until the verdict table says that so many rows are shown."""
    page.wait_for_function(
        "count => document.querySelector('[data-shown]').textContent.startsWith(count)",
        arg=f"{count:,} of",
    )
