"""The faces that an evaluation shows of its mistakes."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from framejury.faces.crop import decode_crop
from framejury.labelled.scoring import score_faces
from framejury.labelled.worst_faces import worst_faces
from framejury.model.runtime import Scorer
from framejury.schemas.statuses import Side
from tests.builders.bundles import brightness_bundle
from tests.builders.faces import Video, face_rows, source_of, write_rows


def test_the_worst_first_and_nobody_else(tmp_path: Path) -> None:
    videos = [Video(name, 0, Side.TEST, faces=5) for name in ("a", "b", "c")]
    rows = [row for video in videos for row in face_rows(video)]
    source = source_of([write_rows(tmp_path / "faces.parquet", rows)], videos)
    scored = score_faces(Scorer(brightness_bundle(tmp_path / "bundle")), source)
    found = worst_faces(source, scored, pa.array(["c", "a", "x"]))
    assert sorted(found) == ["a", "c"]
    for name, faces in found.items():
        scores = [r["score"] for r in scored.to_pylist() if r["video_id"] == name]
        assert [face.score for face in faces] == sorted(scores, reverse=True)[:3]
        for face in faces:
            # The test bundle's score is the mean of red.
            red = decode_crop(face.picture)[..., 0].mean() / 255
            assert red == pytest.approx(face.score, abs=0.02)
            frame = [r for r in rows if (r["video_id"], r["crop"]) == (name, face.picture)]
            assert [r["pts_s"] for r in frame] == [face.pts_s]
    assert worst_faces(source, scored, pa.array([], pa.string())) == {}
