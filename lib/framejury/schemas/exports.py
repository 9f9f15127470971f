"""Files below `current/` of a warehouse: what any program reads without knowing of commits."""

from __future__ import annotations

import pyarrow as pa

from framejury.schemas.tables import DECISIONS, FACE_SCORES, VERDICTS, VIDEOS

_DESCRIBED = ("path", "uri", "label", "method", "group")

DECISION_COLUMNS = tuple(
    DECISIONS.field(name).with_nullable(True) for name in ("decision", "reviewer", "decided_at")
)
"""Columns of a video's current decision beside its verdict; null without one."""

CURRENT: dict[str, pa.Schema] = {
    "videos": VIDEOS,
    "verdicts": pa.schema(
        [*VERDICTS, *(VIDEOS.field(name) for name in _DESCRIBED), *DECISION_COLUMNS]
    ),
    "faces": pa.schema(
        [
            *FACE_SCORES,
            *(VIDEOS.field(name) for name in ("path", "label")),
            VERDICTS.field("verdict"),
        ]
    ),
}
"""Columns of `current/<name>.parquet`."""

VERDICT_COLUMNS = ("uri", "label", *VERDICTS.names, *(field.name for field in DECISION_COLUMNS))
"""Columns of `framejury verdicts --output`."""

SORT_COLUMNS = ("path", *(name for name in VERDICT_COLUMNS if name not in ("notes", "stretches")))
"""Columns by which `framejury verdicts` sorts."""

CURRENT_FACES_LIMIT = 50_000_000
"""Most faces in `current/faces.parquet`; above, the file is left out."""

CURRENT_MEANING = {
    "videos": "One row per file of the archive, as the latest run listed it, deleted ones too "
    "(`missing_since`).",
    "verdicts": "One row per judged video that is in the archive: its latest verdict, with path, "
    "label, method and the current decision of a person. Deleted and forgotten videos are not "
    "in it.",
    "faces": "One row per scored face behind these verdicts.",
}
