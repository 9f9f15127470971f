"""Faces with the highest scores of labelled videos, for the mistakes that a report shows."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from framejury.report.inputs import ReportFace
from framejury.training.source import FaceSource, iter_faces

EACH = 3
"""Most faces per video."""


def worst_faces(
    source: FaceSource, scored: pa.Table, video_ids: pa.Array
) -> dict[str, tuple[ReportFace, ...]]:
    """Return faces of some videos by falling score; ties keep the earlier frame.

    Args:
        source: of the faces; read again for `video_ids` only.
        scored: from `labelled.scoring.score_faces`.
        video_ids: of the wanted videos.

    Raises:
        WarehouseError: faces cannot be read.
    """
    rows = scored.filter(pc.is_in(scored["video_id"], video_ids))
    keys = [("score", "descending"), ("frame_index", "ascending"), ("face_index", "ascending")]
    wanted: dict[str, dict[tuple[int, int], float]] = defaultdict(dict)
    for row in rows.take(pc.sort_indices(rows, sort_keys=keys)).to_pylist():
        mine = wanted[row["video_id"]]
        if len(mine) < EACH:
            mine[row["frame_index"], row["face_index"]] = row["score"]
    some = {name: truth for name, truth in source.videos.items() if name in wanted}
    found: dict[str, dict[tuple[int, int], ReportFace]] = defaultdict(dict)
    for face in iter_faces(replace(source, videos=some)) if some else ():
        place = face.frame_index, face.face_index
        if place in wanted[face.video_id]:
            score = wanted[face.video_id][place]
            found[face.video_id][place] = ReportFace(face.crop, score, face.pts_s)
    return {
        video_id: tuple(found[video_id][place] for place in places if place in found[video_id])
        for video_id, places in wanted.items()
    }
