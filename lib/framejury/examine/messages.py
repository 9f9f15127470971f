"""Messages between a worker and its child: plans, jobs, and rows of five tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

import pyarrow as pa

from framejury.schemas.statuses import Status
from framejury.schemas.tables import EXTRACTIONS, FACE_SCORES, FACES, PICTURES, SOUNDS
from framejury.settings import Settings

TABLE_COLUMN = "table"
"""Names the table of a row, where rows of several tables travel together."""

SEGMENT_TABLE_COLUMN = "segment_table"
SEGMENT_COLUMN = "segment"
SEGMENT_BOX_COLUMN = "segment_box"
"""In rows staged per segment: the table they will belong to, the number of the segment, and for
faces the box by which they are tracked over the whole video, in frame heights."""

_EXACT_BOX = pa.struct([(name, pa.float64()) for name in ("x", "y", "width", "height")])

MOST_CLIP_BYTES = 300_000
"""Largest clip that is kept, bytes."""

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
    for table in (EXTRACTIONS, FACES, FACE_SCORES, PICTURES, SOUNDS):
        for column in table:
            fields.setdefault(column.name, pa.field(column.name, column.type))
    return pa.schema(list(fields.values()))


ROWS = _union_schema()
"""Rows of `extractions`, `faces`, `face_scores`, `pictures` and `sounds` in one schema: one pass
over a video yields them all. `TABLE_COLUMN` names the table; columns of other tables are null."""


@dataclass(frozen=True)
class ExaminePlan:
    """What to do with every video of a run.

    Attributes:
        run_id: written into every row.
        settings: all settings, as plain values.
        bundle_dir: path of the model bundle on this machine; None: do not score.
        keep_crops: whether `faces` rows are written, with their crops.
        device: device that scores faces; set on the executor.
        sound_dir: path of the sound model on this machine; None: sound is not judged.
    """

    run_id: str
    settings: dict[str, Any]
    bundle_dir: str | None
    keep_crops: bool
    device: Device = "cpu"
    sound_dir: str | None = None


@dataclass(frozen=True)
class Segment:
    """A stretch of a long video that is processed separately.

    Attributes:
        number: from 0, in order of time.
        first, stop: ranks of its frames; `stop` is exclusive.
    """

    number: int
    first: int
    stop: int


@dataclass(frozen=True)
class VideoJob:
    """One video, or one segment of it, to examine.

    Attributes:
        size_bytes, modified_at: as listed when the job was planned.
        segment: None: the whole video.
        content_id: from a survey that hashed the file at `size_bytes`; None: hash it.
        in_one_round: whether no further round of frames may follow, so that a video that failed
            can succeed with fewer.
    """

    video_id: str
    uri: str
    size_bytes: int | None = None
    modified_at: datetime | None = None
    segment: Segment | None = None
    content_id: str | None = None
    in_one_round: bool = False


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
    rounds: int | None = None
    faces_found: int = 0
    faces_kept: int = 0
    wall_s: float = 0.0
    cpu_s: float = 0.0
    scoring: list[dict[str, Any]] | None = None
    notes: str | None = None
    origin: dict[str, Any] | None = None

    def to_row(self) -> dict[str, Any]:
        """Return these columns of `extractions`."""
        return asdict(self) | {"status": self.status.value}


def face_scores_of(rows: Iterable[Mapping[str, Any]], model_id: str) -> list[Mapping[str, Any]]:
    """Return the rows of `face_scores` by one model; with an ensemble, members have rows too."""
    return [
        row for row in rows if row[TABLE_COLUMN] == "face_scores" and row["model_id"] == model_id
    ]


def settings_id(settings: Settings) -> str:
    """Return the digest of the settings that shape an extraction; a new id means extract again."""
    return settings.digest(*_EXTRACTION_SECTIONS)


def extraction_row(job: VideoJob, run_id: str, settings: Settings) -> dict[str, Any]:
    """Return the row of `extractions` of a video that nothing is known of yet."""
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
    """Encode rows as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def from_ipc(data: bytes) -> pa.RecordBatch:
    """Decode the rows of `to_ipc`."""
    with pa.ipc.open_stream(data) as reader:
        return reader.read_next_batch()
