"""The screenshots of README and docs: two real nights over the demo archive, seen in Chromium.

    python -m tests.screens FOLDER        (make docs)

The clips are those that framejury makes itself, the verdicts those of the model that ships.
"""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from framejury.demo.demo_archive import LABELS_FILE, encode, write_archive
from framejury.demo.scenes import FilmedFrame
from framejury.records import Image
from tests.builders import clips
from tests.builders.chromium import NoChromiumError, chromium, opened

DESK = {"width": 1280, "height": 880}
TALL = DESK | {"height": 1500}
PHONE = {"width": 390, "height": 780}
_LATER = ("collins-4*", "hopper-4*")
"""Clips that come only on the second night."""
_NOT_SHOWN = ("carphone-[12]*", "carphone-3.mp4")
"""Of a test sequence, whose pictures are not ours to show; the one cut off shows nobody."""
_SHOWN = "two-people.mp4"
_LEFT, _RIGHT = "collins-1-face_swap.mp4", "hopper-1.mp4"
"""Of this clip the evidence is shown: a manipulated face, and beside it a real one."""


def main(argv: Sequence[str]) -> int:
    folder = Path(argv[0])
    folder.mkdir(parents=True, exist_ok=True)
    # The browser first: a night takes minutes.
    with chromium() as browser, workplace() as work:
        report, inspected = two_nights(work), inspection(work)
        for path in shoot_report(browser, report, folder, _SHOWN):
            print(f"{path} {path.stat().st_size:,} bytes")
        path = shoot(browser, inspected, folder / "inspect.jpg")
        print(f"{path} {path.stat().st_size:,} bytes")
    return 0


@contextmanager
def workplace() -> Iterator[Path]:
    """A folder of one name, since pages show it; nobody else's, and gone afterwards."""
    place = Path(tempfile.gettempdir()) / "framejury-docs"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(mode=0o700)  # fails where another user's lies
    try:
        yield place
    finally:
        shutil.rmtree(place)


def two_nights(work: Path) -> Path:
    """Judge the demo archive, some clips of it a night later; returns the last `report.html`."""
    archive, later = work / "archive", work / "later"
    write_archive(archive)
    _add_two_people(archive)
    for pattern in _NOT_SHOWN:
        for clip in archive.glob(pattern):
            clip.unlink()
    later.mkdir()
    for pattern in _LATER:
        for clip in archive.glob(pattern):
            clip.rename(later / clip.name)
    _nightly(archive, work)
    for clip in later.iterdir():
        clip.rename(archive / clip.name)
    _nightly(archive, work)
    reports = sorted((work / "warehouse" / "reports").glob("*/report.html"))
    return reports[-1]


def shoot_report(browser: Any, report: Path, folder: Path, shown: str) -> Iterator[Path]:
    """Pictures of a report and of one evidence page.

    Args:
        browser: of `chromium`.
        report: `report.html`, with evidence pages.
        folder: to write into.
        shown: the name of the video whose evidence is shown.

    Yields:
        the files.
    """
    for name, scheme in (("report.png", "light"), ("report-dark.png", "dark")):
        with opened(browser, report, viewport=DESK, color_scheme=scheme) as page:
            yield _taken(page, folder / name)
    with opened(browser, report, viewport=PHONE, color_scheme="light") as page:
        yield _taken(page, folder / "report-phone.png")
    with opened(browser, report, viewport=DESK, color_scheme="light") as page:
        page.locator("select[data-filter=verdict]").select_option("fake")
        page.locator("th[data-key=path] button").click()
        page.locator("#verdicts").evaluate("head => head.scrollIntoView()")
        yield _taken(page, folder / "verdicts.jpg")
        page.locator("[data-reset]").first.click()
        page.locator("a[data-evidence]", has_text=shown).first.click()
        page.wait_for_selector("svg.chart")
        page.set_viewport_size(TALL)
        page.evaluate("window.scrollTo(0, 0)")
        yield _taken(page, folder / "evidence.jpg")
        page.locator("#faces").evaluate("head => head.scrollIntoView()")
        page.set_viewport_size(DESK | {"height": 1000})
        yield _taken(page, folder / "evidence-faces.jpg")


def inspection(work: Path) -> Path:
    """The page of `framejury inspect` on one clip."""
    page = work / "inspect" / "inspect.html"
    _framejury("inspect", str(work / "archive" / _SHOWN), "--output", str(page.parent))
    return page


def _add_two_people(archive: Path) -> None:
    left, right = (clips.decode_all(archive / name) for name in (_LEFT, _RIGHT))
    height = 360

    def scaled(frame: Image) -> Image:
        width = 2 * round(frame.shape[1] * height / frame.shape[0] / 2)
        return np.asarray(cv2.resize(frame, (width, height)), np.uint8)

    frames = [np.hstack([scaled(a), scaled(b)]) for a, b in zip(left, right, strict=False)]
    encode(archive / _SHOWN, [FilmedFrame(frame, None) for frame in frames], 15.0)
    with (archive / LABELS_FILE).open("a", newline="", encoding="utf-8") as labels:
        csv.writer(labels).writerow([_SHOWN, "FAKE", "collins-1.mp4", "face_swap", "collins-1"])


def shoot(browser: Any, page: Path, target: Path) -> Path:
    """A picture of the first screen of a page."""
    with opened(browser, page, viewport=TALL, color_scheme="light") as shown:
        return _taken(shown, target)


def _nightly(archive: Path, work: Path) -> None:
    # 3: all is judged, and a larger share of the files than settings allow could not be read.
    _framejury("nightly", str(archive), "--warehouse", str(work / "warehouse"), allowed=(0, 3))


def _framejury(*argv: str, allowed: Sequence[int] = (0,)) -> None:
    done = subprocess.run([sys.executable, "-m", "framejury.cli.main", *argv], check=False)
    if done.returncode not in allowed:
        raise SystemExit(f"framejury {argv[0]} ended with {done.returncode}")


def _taken(page: Any, path: Path) -> Path:
    """JPEG where faces fill the picture, PNG where words do."""
    is_jpeg = path.suffix == ".jpg"
    page.screenshot(path=path, **({"type": "jpeg", "quality": 85} if is_jpeg else {}))
    return path


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except NoChromiumError as error:
        sys.exit(f"error: {error}")
