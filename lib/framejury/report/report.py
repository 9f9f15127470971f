"""From verdicts to the files that people and programs read.

Pure: tables and facts in, bytes out. The caller decides where the files go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from framejury.pages.spreadsheet import csv_bytes
from framejury.pages.style import inline_svg, png, svg
from framejury.report.document import json_report
from framejury.report.findings import Findings, find
from framejury.report.html_page import REPORT_HTML, html_page, html_report, page_names
from framejury.report.inputs import BundleInfo, RunInfo, RunReport
from framejury.report.pictures import pictures
from framejury.report.predictions import json_bytes
from framejury.report.protocol_document import metrics_json
from framejury.report.text import protocol_text, text_report

__all__ = ["BundleInfo", "RunInfo", "RunReport", "build_report", "write_files"]

REPORT_TEXT = "report.txt"
REPORT_JSON = "report.json"
PREDICTIONS_CSV = "predictions.csv"
PREDICTIONS_JSON = "predictions.json"
METRICS_JSON = "metrics.json"
PROTOCOL_TEXT = "protocol.txt"

PAGE_ROWS = 1000
TEXT_ROWS = 500


class ReportFiles(Mapping[str, bytes]):
    """Files by name; further pages of the table are made when they are asked for, and not kept.

    So a hundred thousand videos need the memory of one page.
    """

    def __init__(
        self, ready: Mapping[str, bytes], pages: Mapping[str, Callable[[], bytes]]
    ) -> None:
        self._ready = ready
        self._pages = pages

    def __getitem__(self, name: str) -> bytes:
        return self._ready[name] if name in self._ready else self._pages[name]()

    def __iter__(self) -> Iterator[str]:
        yield from self._ready
        yield from self._pages

    def __len__(self) -> int:
        return len(self._ready) + len(self._pages)


def build_report(report: RunReport, *, page_rows: int = PAGE_ROWS) -> ReportFiles:
    """All files of a report by name.

    Returns:
        `report.txt`, `report.json`, `report.html` and, of larger archives, `verdicts-0002.html`
        and so on; `predictions.csv`, `predictions.json`; and pictures, each as PNG and SVG:
        `confusion_face`, `confusion_video`, `roc`, `det`, `precision_recall`, `calibration`,
        `scores`; `nights` after a first night; `loss` and `accuracy` where the bundle tells its
        training history. The names are the same every run; a picture that cannot be drawn says
        why instead. With a protocol also `metrics.json`, `protocol.txt`, `frames_per_video`, and a
        `robustness_*` for each kind of degradation.

    Args:
        report: the facts. Passwords inside URIs are taken out first.
        page_rows: videos in the table of one page. The text shows 500 at most; the two
            prediction files always hold every video.

    Raises:
        ValueError: the tables break their contract (`rows.video_rows`, `rows.face_rows`), or a
            link to evidence leads elsewhere than beside the report.
    """
    findings = find(report)
    drawn, charts = _drawn(findings)
    text = text_report(findings, max_rows=min(page_rows, TEXT_ROWS))
    protocol = {}
    if findings.protocol is not None:
        protocol[PROTOCOL_TEXT] = _utf8(protocol_text(findings))
        protocol[METRICS_JSON] = metrics_json(findings.protocol, findings.run, findings.notes)
    ready = {
        REPORT_TEXT: _utf8(text),
        REPORT_JSON: json_report(findings),
        REPORT_HTML: _utf8(html_report(findings, charts, page_rows=page_rows)),
        PREDICTIONS_CSV: csv_bytes(findings.predictions),
        PREDICTIONS_JSON: json_bytes(findings.predictions),
        **protocol,
        **drawn,
    }
    pages = {
        name: partial(_page, findings, number, page_rows)
        for name, number in page_names(findings, page_rows).items()
    }
    return ReportFiles(ready, pages)


def write_files(files: Mapping[str, bytes], directory: Path) -> None:
    """Write the files into a local directory, made when missing; same names are replaced.

    Raises:
        ValueError: a name that is not a plain file name.
        OSError: the directory cannot be written.
    """
    for name in files:
        if Path(name).name != name:
            raise ValueError(f"{name!r} is not a plain file name")
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (directory / name).write_bytes(content)


def _drawn(findings: Findings) -> tuple[dict[str, bytes], dict[str, str]]:
    """The files of the pictures, and those that the page shows as `svg` elements."""
    files, charts = {}, {}
    for name, picture in pictures(findings).items():
        drawing = svg(picture.figure)
        files[f"{name}.png"], files[f"{name}.svg"] = png(picture.figure), drawing
        if picture.words is not None:
            charts[name] = inline_svg(drawing, name.replace("_", "-"), picture.words)
    return files, charts


def _page(findings: Findings, number: int, page_rows: int) -> bytes:
    return _utf8(html_page(findings, number, page_rows=page_rows))


def _utf8(text: str) -> bytes:
    """A path that is not valid text (surrogate escapes) is shown with backslashes."""
    return text.encode("utf-8", errors="backslashreplace")
