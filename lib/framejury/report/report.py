"""All files of a report, from verdicts. Pure: records in, bytes out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from framejury.pages.narrow import narrow
from framejury.pages.spreadsheet import csv_bytes
from framejury.pages.style import inline_svg, png, svg
from framejury.report.bundle_info import BundleInfo
from framejury.report.document import json_report, metrics_json
from framejury.report.findings import Findings, find, timed
from framejury.report.html_page import REPORT_HTML, html_page, html_report, page_names
from framejury.report.inputs import RunInfo, RunReport
from framejury.report.predictions import json_bytes
from framejury.report.report_figures import report_figures
from framejury.report.text import protocol_text, text_report
from framejury.report.waiting import TO_DECIDE_CSV, to_decide_table

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
    """Files by name; further pages of the table are made on access and not kept.

    A hundred thousand videos thus need the memory of one page.
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


def build_report(
    report: RunReport,
    *,
    page_rows: int = PAGE_ROWS,
    csv_mark: bool = True,
    seconds: Callable[[], Mapping[str, float]] | None = None,
) -> ReportFiles:
    """Return all files of a report by name.

    Returns:
        `report.txt`, `report.json`, `report.html` and, for larger archives, `verdicts-0002.html`
        and so on; `predictions.csv`, `predictions.json`; and figures, each as PNG and SVG:
        `confusion_face`, `confusion_video`, `roc`, `det`, `precision_recall`, `calibration`,
        `scores`; `nights` from the second nightly run on; `loss`, `auc` and `accuracy` if the
        bundle has a training history. The names never change. Without labelled videos only
        `scores` is drawn; with some, a figure without data is a sentence on why.
        From a warehouse also `to_decide.csv`: what waits for a decision. With a protocol also
        `metrics.json`, `protocol.txt`, `frames_per_video`, and a `robustness_*` per kind of
        perturbation.

    Args:
        report: its input; secrets in URIs are removed first.
        page_rows: videos in the table of one page. The text shows at most 500; the two
            prediction files always hold every video.
        csv_mark: whether `predictions.csv` begins with a byte-order mark (`report.csv_mark`).
        seconds: called once all figures are drawn, for the run's seconds by phase; None: they are
            in `report`.

    Raises:
        ValueError: the tables break their contract (`rows.video_rows`, `rows.face_rows`), or a
            link to evidence leads out of the report's folder.
    """
    findings = find(report)
    drawn, charts = _drawn(findings)
    if seconds is not None:
        findings = timed(findings, seconds())
    text = text_report(findings, max_rows=min(page_rows, TEXT_ROWS))
    protocol = {}
    if findings.protocol is not None:
        protocol[PROTOCOL_TEXT] = _utf8(protocol_text(findings))
        protocol[METRICS_JSON] = metrics_json(findings, findings.protocol)
    ready = {
        REPORT_TEXT: _utf8(text),
        REPORT_JSON: json_report(findings),
        REPORT_HTML: _utf8(html_report(findings, charts, page_rows=page_rows)),
        PREDICTIONS_CSV: csv_bytes(findings.predictions, mark=csv_mark),
        PREDICTIONS_JSON: json_bytes(findings.predictions),
        **_to_decide(findings, csv_mark=csv_mark),
        **protocol,
        **drawn,
    }
    pages = {
        name: partial(_page, findings, number, page_rows)
        for name, number in page_names(findings, page_rows).items()
    }
    return ReportFiles(ready, pages)


def _to_decide(f: Findings, *, csv_mark: bool) -> dict[str, bytes]:
    """Return the list to fill in; none for a report that asks for no decisions."""
    if f.review is None:
        return {}
    seen = f.context.extractions
    contents = (
        {}
        if seen is None
        else dict(zip(seen["video_id"].to_pylist(), seen["content_id"].to_pylist(), strict=True))
    )
    table = to_decide_table(f.review.waiting, contents, f.judges)
    return {TO_DECIDE_CSV: csv_bytes(table, mark=csv_mark)}


def write_files(files: Mapping[str, bytes], directory: Path) -> None:
    """Write the files into a local directory, created if missing; existing names are replaced.

    Raises:
        ValueError: a name is not a plain file name.
        OSError: the directory cannot be written.
    """
    for name in files:
        if Path(name).name != name:
            raise ValueError(f"{name!r} is not a plain file name")
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (directory / name).write_bytes(content)


def _drawn(findings: Findings) -> tuple[dict[str, bytes], dict[str, str]]:
    """Return the files of the figures, and by name the same for the page: for desk and phone."""
    files, charts = {}, {}
    for name, one in report_figures(findings).items():
        drawing = svg(one.figure)
        files[f"{name}.png"], files[f"{name}.svg"] = png(one.figure), drawing
        if one.label is not None:
            prefix = name.replace("_", "-")
            narrow(one.figure)
            desk = inline_svg(drawing, prefix, one.label)
            phone = inline_svg(svg(one.figure), f"{prefix}-phone", one.label)
            charts[name] = f'<div class="on-desk">{desk}</div><div class="on-phone">{phone}</div>'
    return files, charts


def _page(findings: Findings, number: int, page_rows: int) -> bytes:
    return _utf8(html_page(findings, number, page_rows=page_rows))


def _utf8(text: str) -> bytes:
    """Encode as UTF-8; bytes of paths that are not valid text become backslash escapes."""
    return text.encode("utf-8", errors="backslashreplace")
