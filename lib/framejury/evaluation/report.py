"""From verdicts to the files that people and programs read.

Pure: tables and facts in, bytes out. The caller decides where the files go.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from framejury.evaluation.document import json_report
from framejury.evaluation.findings import find, pictures
from framejury.evaluation.inputs import BundleInfo, RunInfo, RunReport
from framejury.evaluation.page import html_report
from framejury.evaluation.predictions import json_bytes
from framejury.evaluation.protocol_document import metrics_json
from framejury.evaluation.spreadsheet import csv_bytes
from framejury.evaluation.style import DARK, LIGHT
from framejury.evaluation.text import protocol_text, text_report

__all__ = ["BundleInfo", "RunInfo", "RunReport", "build_report", "write_files"]

REPORT_TEXT = "report.txt"
REPORT_JSON = "report.json"
REPORT_HTML = "report.html"
PREDICTIONS_CSV = "predictions.csv"
PREDICTIONS_JSON = "predictions.json"
METRICS_JSON = "metrics.json"
PROTOCOL_TEXT = "protocol.txt"


def build_report(report: RunReport, *, max_rows: int = 500) -> dict[str, bytes]:
    """All files of a report by name.

    Returns:
        `report.txt`, `report.json`, `report.html`, `predictions.csv`, `predictions.json`,
        `confusion_face.png`, `confusion_video.png`, `roc.png`, `scores.png`, and `loss.png`
        and `accuracy.png` where the bundle tells its training history. The names are the
        same every run; a picture that cannot be drawn says why instead. With a protocol also
        `metrics.json`, `protocol.txt`, `det.png`, `reliability.png`, `frames_per_video.png`, and a
        `robustness_*.png` for each kind of degradation.

    Args:
        report: the facts. Passwords inside URIs are taken out first.
        max_rows: rows of the prediction table (and of the failures) shown in text and HTML;
            the two prediction files always hold every video.

    Raises:
        ValueError: the tables break their contract (`rows.video_rows`, `rows.face_rows`).
    """
    findings = find(report)
    light, dark = pictures(findings, LIGHT), pictures(findings, DARK)
    text = text_report(findings, max_rows=max_rows)
    page = html_report(findings, light, dark, max_rows=max_rows)
    protocol = {}
    if findings.protocol is not None:
        protocol[PROTOCOL_TEXT] = _utf8(protocol_text(findings))
        protocol[METRICS_JSON] = metrics_json(findings.protocol, findings.run, findings.notes)
    return {
        REPORT_TEXT: _utf8(text),
        REPORT_JSON: json_report(findings),
        REPORT_HTML: _utf8(page),
        PREDICTIONS_CSV: csv_bytes(findings.predictions),
        PREDICTIONS_JSON: json_bytes(findings.predictions),
        **protocol,
        **light,
    }


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


def _utf8(text: str) -> bytes:
    """A path that is not valid text (surrogate escapes) is shown with backslashes."""
    return text.encode("utf-8", errors="backslashreplace")
