"""Reports of made verdicts with their evidence pages, laid out as a run leaves them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from framejury.decisions.by_night import Night
from framejury.decisions.decided import VideoDecisions
from framejury.report.bundle_info import BundleInfo
from framejury.report.evidence.video_evidence import Evidence, evidence_of
from framejury.report.evidence.video_page import evidence_html
from framejury.report.inputs import Context, EarlierRun, ReportFace, RunInfo, RunReport
from framejury.report.report import build_report, write_files
from framejury.report.steps import Step
from framejury.schemas.tables import EXTRACTIONS
from tests.builders.curves import EPOCHS
from tests.builders.evidence_rows import (
    ABOUT,
    clip_row,
    extraction_row,
    face_picture,
    picture_rows,
    score_rows,
)
from tests.builders.rows import face_table, verdict_row, verdict_table

HOSTILE = "clips/<script>alert(1)</script>.mp4"
NOW = datetime(2026, 3, 1, 2, 31, tzinfo=UTC)
METHODS = ("Deepfakes", "Face2Face", "FaceSwap")
FAILED = {
    7: ("timeout", "decoding took longer than 300 s"),
    11: ("no_face", None),
    13: ("unreadable", "moov atom not found"),
}
"""Of each 20 videos, those that have no score."""


@dataclass(frozen=True, slots=True)
class Site:
    """A report on disk.

    Attributes:
        folder: holds `report.html`, and `evidence/` below.
        rows: one a video, columns of the verdict table.
        with_evidence: `video_id` of those that have a page.
    """

    folder: Path
    rows: tuple[dict[str, Any], ...]
    with_evidence: frozenset[str]

    @property
    def report(self) -> str:
        return self.address("report.html")

    def address(self, name: str) -> str:
        """Of a file of the site, as a browser wants it."""
        return (self.folder / name).as_uri()


def write_site(
    folder: Path,
    videos: int,
    pages: int,
    page_rows: int = 1000,
    *,
    below: str = "clips",
    decisions: dict[str, VideoDecisions] | None = None,
) -> Site:
    """Write the report of so many videos, and the evidence pages of the first `pages` of them.

    All lie in the folder `below`; the first video's name is an attack. With decisions no video has
    a label.
    """
    rows = made_rows(videos, below=below)
    if decisions is not None:
        rows = [row | {"label": None} for row in rows]
    shown = [row["video_id"] for row in rows[:pages]]
    links = {video_id: f"evidence/run-1/{video_id}.html" for video_id in shown}
    context = replace(_context(rows, links), decisions=decisions)
    report = RunReport(verdict_table(rows), made_faces(rows), _run(), context=context)
    write_files(build_report(report, page_rows=page_rows), folder)
    about = replace(ABOUT, report="../../report.html", warehouse="/data/warehouse")
    (folder / "evidence" / "run-1").mkdir(parents=True)
    for row in rows[:pages]:
        evidence = replace(made_evidence(row), decisions=(decisions or {}).get(row["video_id"]))
        page = evidence_html(evidence, about)
        (folder / links[row["video_id"]]).write_text(page, encoding="utf-8")
    return Site(folder, tuple(rows), frozenset(shown))


def made_rows(count: int, seed: int = 1, below: str = "clips") -> list[dict[str, Any]]:
    """Labelled videos of three methods, some wrong, some undecided, some not scored."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        is_fake = number % 2 == 0
        about = {
            "label": "FAKE" if is_fake else "REAL",
            "method": METHODS[number % 3] if is_fake else None,
            "layout": "ffpp" if number % 3 else "dfdc",
            "path": HOSTILE if number == 0 else f"{below}/{number:04d}.mp4",
            "group": f"group-{number // 2}",
        }
        status, error = FAILED.get(number % 20, ("scored", None))
        if status != "scored":
            rows.append(verdict_row(number, p_fake=None, status=status, error=error, **about))
            continue
        score = float(1 / (1 + np.exp(-rng.normal(1.5 if is_fake else -1.5, 1.3))))
        low, high = max(score - 0.12, 0.0), min(score + 0.12, 1.0)
        verdict = "inconclusive" if low < 0.5 <= high else "fake" if score >= 0.5 else "real"
        scored = {"p_fake": score, "p_fake_low": low, "p_fake_high": high, "verdict": verdict}
        rows.append(verdict_row(number, persons=1 + number % 3, **scored, **about))
    return rows


def made_faces(rows: list[dict[str, Any]]) -> pa.Table:
    """The histogram of their faces."""
    scored = [row for row in rows if row["p_fake"] is not None]
    return face_table(
        [
            (row["label"], row["method"], row["layout"], round(row["p_fake"], 4), 11)
            for row in scored
        ]
    )


def made_evidence(row: dict[str, Any]) -> Evidence:
    """Of one made video: as many people as its row says."""
    if row["p_fake"] is None:
        own = extraction_row(status=row["status"], error=row["error"], sampled_s=[])
        return evidence_of(row, own, [], [])
    rng = np.random.default_rng(int(row["video_id"], 16))
    scores = []
    for person in range(row["persons"]):
        values = np.clip(rng.normal(row["p_fake"], 0.1, 11), 0, 1)
        scores += score_rows([float(value) for value in values], person, person)
    pictures = picture_rows(scores)
    if row["verdict"] == "fake":
        pictures.append(clip_row(max(scores, key=lambda one: float(one["score"]))))
    return evidence_of(row, extraction_row(), scores, pictures)


def _context(rows: list[dict[str, Any]], links: dict[str, str]) -> Context:
    before = [
        {
            "video_id": row["video_id"],
            "status": row["status"],
            "verdict": "real" if number % 9 == 0 and row["p_fake"] else row["verdict"],
            "p_fake": row["p_fake"],
        }
        for number, row in enumerate(rows)
        if number % 5
    ]
    names = (
        *("video_id", "content_id", "container", "codec", "width_px", "height_px", "duration_s"),
    )
    names += (*("frames_total", "frames_decoded", "frames_sampled", "wall_s", "cpu_s"),)
    extractions = [extraction_row(video_id=row["video_id"]) for row in rows]
    table = pa.Table.from_pylist(extractions, pa.schema([EXTRACTIONS.field(n) for n in names]))
    scored = [row for row in rows if row["p_fake"] is not None]
    return Context(
        judged_now=frozenset(row["video_id"] for number, row in enumerate(rows) if number % 4 == 0),
        before=pa.Table.from_pylist(
            before, pa.schema([verdict_table(rows).schema.field(name) for name in before[0]])
        ),
        earlier=tuple(
            EarlierRun(
                run_id=f"run-0{number}",
                ended_at=NOW - timedelta(days=5 - number),
                statuses={"scored": 10 + number, "no_face": 1},
                verdicts={"fake": 5, "real": 4 + number, "inconclusive": 2},
                wall_s=100.0 * number,
            )
            for number in range(1, 5)
        ),
        extractions=table,
        evidence=links,
        faces={
            row["video_id"]: tuple(
                ReportFace(face_picture(), row["p_fake"], float(at)) for at in range(3)
            )
            for row in scored
        },
        judging_nights={
            "run-1": Night("run-1", NOW),
            "run-04": Night("run-04", NOW - timedelta(days=1)),
        },
        work={
            "videos": float(len(rows)),
            "faces_scored": 11.0 * len(scored),
            "read_bytes": 1e6 * len(rows),
            "videos_cpu_s": 2.0 * len(rows),
            "videos_wall_s": 3.0 * len(rows),
        },
    )


def _run() -> RunInfo:
    return RunInfo(
        run_id="run-1",
        created_at=NOW,
        archive="/data/archive",
        warehouse="/data/warehouse",
        model_id="b0-000000000000",
        bundle=BundleInfo(
            "detector",
            "# Card\n\nTrained on few videos.",
            {"val": {"auc": 0.9}},
            tuple(map(asdict, EPOCHS)),
            methods={"Deepfakes": 12, "NeuralTextures": 3},
            settings={"training": {"best_epoch": 2}},
        ),
        steps=(Step("verdicts", ("run-1",), 5, {"verdict": {"reducer": "mean"}}),),
        versions={"framejury": "0.1.0"},
        seconds={"index": 1.25, "extract": 71.0, "reduce": 3.0},
    )
