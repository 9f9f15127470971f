"""What a worker and its child say to each other: plans, jobs, and rows of four tables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import pyarrow as pa

from framejury.schemas.tables import EXTRACTIONS, FACE_SCORES, FACES, PICTURES
from framejury.settings import Settings

TABLE_COLUMN = "table"
"""Names the table a row belongs to, where rows of several tables travel together."""

SEGMENT_TABLE_COLUMN = "segment_table"
SEGMENT_COLUMN = "segment"
SEGMENT_BOX_COLUMN = "segment_box"
"""Of rows staged by segment: the table they will belong to, the segment's number, and of faces
the box in full precision, by which persons are told apart over the whole video."""

_EXACT_BOX = pa.struct([(name, pa.float64()) for name in ("x", "y", "width", "height")])

OUT_OF_MEMORY = "decoding needs more memory than limits.memory_bytes allows"
"""Either the video needs it, or a damaged header makes libav ask for it."""

Device = Literal["cpu", "cuda"]

_EXTRACTION_SECTIONS = ("sampling", "detection", "crops")


def _union_schema() -> pa.Schema:
    fields = {
        TABLE_COLUMN: pa.field(TABLE_COLUMN, pa.string()),
        SEGMENT_TABLE_COLUMN: pa.field(SEGMENT_TABLE_COLUMN, pa.string()),
        SEGMENT_COLUMN: pa.field(SEGMENT_COLUMN, pa.int32()),
        SEGMENT_BOX_COLUMN: pa.field(SEGMENT_BOX_COLUMN, _EXACT_BOX),
    }
    for table in (EXTRACTIONS, FACES, FACE_SCORES, PICTURES):
        for column in table:
            fields.setdefault(column.name, pa.field(column.name, column.type))
    return pa.schema(list(fields.values()))


ROWS = _union_schema()
"""Rows of `extractions`, `faces`, `face_scores` and `pictures` in one schema: one pass over a
video yields them all. `TABLE_COLUMN` says which table a row is of; the rest of it is null."""


@dataclass(frozen=True)
class ExaminePlan:
    """What to do with every video of a run.

    Attributes:
        run_id: written into every row.
        settings: all settings, as plain values.
        bundle_dir: where the model bundle lies on this machine; None: do not score.
        keep_crops: whether `faces` rows are written, with their crops.
        device: where faces are scored; filled in on the executor.
    """

    run_id: str
    settings: dict[str, Any]
    bundle_dir: str | None
    keep_crops: bool
    device: Device = "cpu"


@dataclass(frozen=True)
class Segment:
    """A stretch of a long video that is worked on apart.

    Attributes:
        number: from 0 in order of time.
        first, stop: ranks of its frames; `stop` is exclusive.
    """

    number: int
    first: int
    stop: int


@dataclass(frozen=True)
class VideoJob:
    """One video, or one segment of it, to examine.

    Attributes:
        size_bytes, modified_at: those it was planned with.
        segment: None for all of it.
        content_id: when the survey has hashed the file, which then had `size_bytes`; None:
            hash it.
    """

    video_id: str
    uri: str
    size_bytes: int | None = None
    modified_at: datetime | None = None
    segment: Segment | None = None
    content_id: str | None = None


def settings_id(settings: Settings) -> str:
    """Digest of the settings that shape an extraction; another id means extract again."""
    return settings.digest(*_EXTRACTION_SECTIONS)


def extraction_row(job: VideoJob, run_id: str, settings: Settings) -> dict[str, Any]:
    return {
        TABLE_COLUMN: "extractions",
        "video_id": job.video_id,
        "run_id": run_id,
        "settings_id": settings_id(settings),
        "bytes": job.size_bytes,
        "modified_at": job.modified_at,
        "frames_decoded": 0,
        "frames_sampled": 0,
        "faces_found": 0,
        "faces_kept": 0,
    }


def to_ipc(batch: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def from_ipc(data: bytes) -> pa.RecordBatch:
    with pa.ipc.open_stream(data) as reader:
        return reader.read_next_batch()
