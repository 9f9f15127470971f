"""Made evidence: real faces as pictures, scores as a test wants them."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from typing import Any

import numpy as np
import skimage.data

from framejury.examine.clips import cut_out, encoded
from framejury.faces.crop import encode_crop
from framejury.media.origin import Origin
from framejury.records import Box, Image, Region
from framejury.report.bundle_info import BundleInfo
from framejury.report.evidence.video_evidence import Evidence, evidence_of
from framejury.report.evidence.video_page import About
from framejury.schemas.statuses import PictureKind
from framejury.settings import VerdictSettings
from framejury.verdict.rule import Rule
from tests.builders.rows import verdict_row

DURATION_S = 10.0
WIDTH_PX, HEIGHT_PX = 1280, 720
ABOUT = About(
    created_at=datetime(2026, 3, 1, 2, 31, tzinfo=UTC),
    bundle=BundleInfo("detector", "# Card"),
    rule=Rule(),
    settings=VerdictSettings(),
    report="../report.html",
)


ORIGIN = Origin(
    brand="qt",
    muxer="Lavf60.16.100",
    encoder="x264 core 164, crf=23.0",
    software="Adobe Premiere Pro 2023.1",
    device="Apple iPhone 13",
    created="2023-04-05T08:11:12Z",
    modified="2023-04-07T08:11:12Z",
    edits=3,
    location=True,
    c2pa="absent",
)


def extraction_row(**fields: Any) -> dict[str, Any]:
    """Of ten seconds at 25 frames a second, 11 of them looked at; `fields` replace."""
    row = {
        "video_id": "0" * 20,
        "run_id": "run-1",
        "status": "extracted",
        "error": None,
        "settings_id": "5e771d",
        "bytes": 1_234_567,
        "modified_at": None,
        "content_id": "c0ffee" * 10 + "0000",
        "container": "mov,mp4,m4a,3gp,3g2,mj2",
        "codec": "h264",
        "width_px": WIDTH_PX,
        "height_px": HEIGHT_PX,
        "duration_s": DURATION_S,
        "frames_total": 250,
        "frames_decoded": 120,
        "frames_sampled": 11,
        "sampled_s": times(11),
        "faces_found": 11,
        "faces_kept": 11,
        "wall_s": 2.5,
        "cpu_s": 1.75,
        "origin": asdict(ORIGIN),
    }
    return row | fields


def times(count: int) -> list[float]:
    """Of `count` frames spread over the video."""
    return [round(DURATION_S * number / count, 3) for number in range(count)]


def score_rows(
    scores: list[float], person: int = 0, face_index: int = 0, frames: list[int] | None = None
) -> list[dict[str, Any]]:
    """One person's faces, one a frame of `len(scores)` (or in those `frames` of 11)."""
    places = list(range(len(scores))) if frames is None else frames
    at = times(len(scores) if frames is None else 11)
    return [
        {
            "frame_index": 20 * place,
            "pts_s": at[place],
            "face_index": face_index,
            "person": person,
            "score": score,
            "box": {"x": 320.0 + 400 * person, "y": 180.0, "width": 160.0, "height": 200.0},
            "confidence": 0.99 - 0.002 * number,
            "ssim": None if number == 0 else 0.7 + 0.02 * (number % 10),
        }
        for number, (place, score) in enumerate(zip(places, scores, strict=True))
    ]


def picture_rows(scores: list[dict[str, Any]], each: int = 3) -> list[dict[str, Any]]:
    """As the worker keeps them: the most and least suspicious faces, and the worst one's frame."""
    ranked = sorted(scores, key=lambda row: -row["score"])
    kept = {
        (row["frame_index"], row["face_index"]): row for row in [*ranked[:each], *ranked[-each:]]
    }
    rows = [
        _place(row, PictureKind.FACE)
        | {"face_index": row["face_index"], "picture": face_picture(), "heat": _heat(number)}
        | {"heat_inside": 0.75}
        for number, row in enumerate(kept.values())
    ]
    frame = {"face_index": None, "picture": _frame(), "heat": None}
    return [*rows, _place(ranked[0], PictureKind.FRAME) | frame]


def clip_row(score: dict[str, Any]) -> dict[str, Any]:
    """A clip of a second whose most suspicious face is that of a row of `face_scores`."""
    own = {"face_index": score["face_index"], "picture": _still(), "heat": None, "clip": moving()}
    part = {"start_s": score["pts_s"], "end_s": score["pts_s"] + 1}
    return _place(score, PictureKind.CLIP) | own | part


def evidence(
    scores: list[dict[str, Any]] | None = None,
    extraction: dict[str, Any] | None = None,
    pictures: list[dict[str, Any]] | None = None,
    **verdict: Any,
) -> Evidence:
    """Of a fake-looking video of one person, unless told otherwise; `verdict` replaces columns."""
    rows = score_rows([0.9, 0.7, 0.8, 0.95, 0.85]) if scores is None else scores
    own = {"p_fake": 0.84, "verdict": "fake", "faces_scored": len(rows)} | verdict
    shown = picture_rows(rows) if pictures is None and rows else pictures or []
    return evidence_of(
        verdict_row(0, **own), extraction_row() if extraction is None else extraction, rows, shown
    )


def unscored(status: str, error: str | None = None, **verdict: Any) -> Evidence:
    """Of a video without a score."""
    own = {"p_fake": None, "status": status, "error": error}
    row = extraction_row(status=status, error=error, sampled_s=[], frames_sampled=0)
    missing = status in ("missing", "not_scored")
    return evidence_of(verdict_row(0, **own | verdict), None if missing else row, [], [])


def _place(row: dict[str, Any], kind: PictureKind) -> dict[str, Any]:
    names = ("frame_index", "pts_s", "score")
    return {"kind": kind.value} | {name: row[name] for name in names}


def _heat(number: int) -> list[float]:
    cells = np.zeros((4, 4), np.float32)
    cells[1 + number % 2, 1] = 1.0
    cells[2, 2] = 0.4
    return [float(cell) for cell in cells.ravel()]


@cache
def face_picture() -> bytes:
    """A face as a JPEG file."""
    return encode_crop(np.ascontiguousarray(skimage.data.astronaut()[0:200, 120:320][::2, ::2]))


BOX = Box(30, 20, 60, 70)
"""Where the face of the made clip is framed, pixels."""


@cache
def _clip_pictures() -> tuple[Image, ...]:
    """A second under a moving camera, with a box."""
    whole = Region(0, 0, 120, 120)
    portrait = np.ascontiguousarray(skimage.data.astronaut()[0:240, 100:340][::2, ::2])
    return tuple(cut_out(np.roll(portrait, at, axis=1), whole, BOX) for at in range(12))


@cache
def moving() -> bytes:
    """A clip as a WebM file."""
    return encoded(_clip_pictures(), [at / 12 for at in range(12)])


@cache
def _still() -> bytes:
    return encode_crop(_clip_pictures()[0])


@cache
def _frame() -> bytes:
    picture = np.ascontiguousarray(skimage.data.astronaut()[:288, :])
    return encode_crop(picture, jpeg_quality=85)
