"""Tables outside the warehouse that other tools read: Delta Lake and PostgreSQL (`publish.*`).

Only plain columns: every tool reads text, numbers and times, and few read lists of records.
"""

from __future__ import annotations

import pyarrow as pa

from framejury.schemas.exports import DECISION_COLUMNS
from framejury.schemas.tables import VERDICTS, VIDEOS

_TIME = pa.timestamp("us", tz="UTC")


def _field(name: str, kind: pa.DataType, doc: str, *, required: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=not required, metadata={"doc": doc})


_SEQUENCE = _field(
    "commit_sequence", pa.int64(), "Number of the commit that holds the row.", required=True
)
_COMMITTED_AT = _field("committed_at", _TIME, "Time of that commit, UTC.", required=True)
_NIGHT = _field(
    "night",
    pa.string(),
    "Id of the nightly run's first run: the same for all of its commits, and sorts by time.",
    required=True,
)

_JUDGED = (
    *("status", "error", "verdict", "p_fake", "p_fake_low", "p_fake_high", "threshold"),
    *("reducer", "faces_scored", "frames_scored", "persons", "notes", "sound", "sound_p_fake"),
    *("sound_threshold", "sound_model_id", "decided_by", "model_id", "run_id"),
)
_SCORED = ("status", "verdict", "p_fake", "p_fake_low", "p_fake_high", "threshold", "model_id")

PUBLISHED_VERDICTS = pa.schema(
    [
        VERDICTS.field("video_id"),
        *(VIDEOS.field(name) for name in ("path", "uri", "label", "method", "group")),
        *(VERDICTS.field(name) for name in _JUDGED),
        # The reviewer's name stays in the warehouse.
        *(field for field in DECISION_COLUMNS if field.name != "reviewer"),
        _NIGHT,
        _SEQUENCE,
        _COMMITTED_AT,
    ]
)
PUBLISHED_RUN_VERDICTS = pa.schema(
    [
        VERDICTS.field("video_id"),
        VERDICTS.field("run_id"),
        _NIGHT,
        VIDEOS.field("path").with_nullable(True),
        *(VERDICTS.field(name) for name in _SCORED),
        _SEQUENCE,
        _COMMITTED_AT,
    ]
)
PUBLISHED_RUNS = pa.schema(
    [
        _SEQUENCE,
        VERDICTS.field("run_id"),
        _NIGHT,
        _field("job", pa.string(), "The job: nightly, retry, reduce, decide ...", required=True),
        _COMMITTED_AT,
        _field("model_id", pa.string(), "The bundle that scored; null where none did."),
        _field("videos", pa.int64(), "Videos that the run judged, count.", required=True),
        _field("decisions", pa.int64(), "Decisions of people in it, count.", required=True),
    ]
)
PUBLISHED = {
    "verdicts": PUBLISHED_VERDICTS,
    "run_verdicts": PUBLISHED_RUN_VERDICTS,
    "runs": PUBLISHED_RUNS,
}
"""Columns of each table, the same in Delta Lake and PostgreSQL."""

PUBLISHED_KEYS = {
    "verdicts": ("video_id",),
    "run_verdicts": ("video_id", "run_id"),
    "runs": ("commit_sequence",),
}
"""Columns that identify a row."""

PUBLISHED_MEANING = {
    "verdicts": "One row per judged video that is in the archive: its latest verdict. Deleted and "
    "forgotten videos are not in it.",
    "run_verdicts": "One row per video and run that judged it, since the first run. Forgotten "
    "videos are not in it.",
    "runs": "One row per run that is published here.",
}
