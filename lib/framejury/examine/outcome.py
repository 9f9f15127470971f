"""What examining one video yields, as records and as rows of the tables."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from framejury.examine.faces import ExaminedFace
from framejury.examine.messages import TABLE_COLUMN
from framejury.schemas.statuses import Status


@dataclass
class Outcome:
    """How one video ended. Every field is the column of `extractions` of the same name."""

    status: Status = Status.NO_FACE
    error: str | None = None
    container: str | None = None
    codec: str | None = None
    width_px: int | None = None
    height_px: int | None = None
    duration_s: float | None = None
    frames_total: int | None = None
    frames_decoded: int = 0
    frames_sampled: int = 0
    sampled_s: list[float] = field(default_factory=list)
    faces_found: int = 0
    faces_kept: int = 0
    wall_s: float = 0.0
    cpu_s: float = 0.0

    def to_row(self) -> dict[str, Any]:
        """Return these columns of `extractions`."""
        return asdict(self) | {"status": self.status.value}


@dataclass
class Examined:
    """The outcome of one video, its faces, and columns of `pictures` without ids."""

    outcome: Outcome
    faces: list[ExaminedFace] = field(default_factory=list)
    pictures: list[dict[str, Any]] = field(default_factory=list)


def face_row(face: ExaminedFace, detector: str) -> dict[str, Any]:
    """Return the row of `faces` without ids; `detector` is `Detector.name`."""
    landmarks = face.face.landmarks
    return _common(face) | {
        TABLE_COLUMN: "faces",
        "landmarks": None if landmarks is None else [asdict(point) for point in landmarks],
        "detector": detector,
        "crop_region": asdict(face.region),
        "crop": face.crop,
        "next_crop": face.next_crop,
    }


def score_row(face: ExaminedFace) -> dict[str, Any]:
    """Return the row of `face_scores` without ids."""
    return _common(face) | {TABLE_COLUMN: "face_scores", "p_fake": face.p_fake, "ssim": face.ssim}


def _common(face: ExaminedFace) -> dict[str, Any]:
    return {
        "frame_index": face.frame_index,
        "pts_s": face.pts_s,
        "face_index": face.face_index,
        "person": face.person,
        "box": asdict(face.face.box),
        "confidence": face.face.confidence,
    }
