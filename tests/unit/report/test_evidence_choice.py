"""Which videos get their evidence page first, and rows of tables as records."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from framejury.records import Box
from framejury.report.evidence.video_evidence import evidence_of
from framejury.report.predictions import evidence_order, whose_faces
from framejury.schemas.statuses import PictureKind
from tests.builders.rows import verdict_row, verdict_table


def table(*rows: dict[str, Any]) -> pa.Table:
    return verdict_table([verdict_row(number, **row) for number, row in enumerate(rows)])


def names(ordered: pa.Table) -> list[str]:
    return [str(path) for path in ordered["path"].to_pylist()]


def test_wrong_accusations_come_first() -> None:
    rows = table(
        {"path": "right fake", "label": "FAKE", "verdict": "fake", "p_fake": 0.99},
        {"path": "missed fake", "label": "FAKE", "verdict": "real", "p_fake": 0.2},
        {"path": "accused", "label": "REAL", "verdict": "fake", "p_fake": 0.9},
        {"path": "unknown", "label": None, "verdict": "fake", "p_fake": 0.95},
        {"path": "open", "label": "REAL", "verdict": "inconclusive", "p_fake": 0.5},
        {
            "path": "broken",
            "label": None,
            "verdict": "inconclusive",
            "p_fake": None,
            "status": "unreadable",
        },
    )
    wanted = ["accused", "missed fake", "right fake", "unknown", "open", "broken"]
    assert names(evidence_order(rows, None)) == wanted
    ordered = evidence_order(rows, None)
    assert ordered.schema == rows.schema and ordered.num_rows == rows.num_rows


def test_what_was_judged_now_comes_before_what_was_known() -> None:
    rows = table(
        {"path": "old", "label": None, "verdict": "fake", "p_fake": 0.99},
        {"path": "new", "label": None, "verdict": "real", "p_fake": 0.01},
        {"path": "old mistake", "label": "REAL", "verdict": "fake", "p_fake": 0.8},
    )
    now = {row["video_id"] for row in rows.to_pylist() if row["path"] == "new"}
    assert names(evidence_order(rows, now)) == ["old mistake", "new", "old"]


def test_no_video_no_page() -> None:
    assert evidence_order(table(), {"x"}).num_rows == 0
    assert len(whose_faces(table(), 5)) == 0


def test_whose_faces_are_shown() -> None:
    rows = table(
        {"path": "a", "label": None, "verdict": "fake", "p_fake": 0.99},
        {"path": "b", "label": "FAKE", "verdict": "fake", "p_fake": 0.98},
        {"path": "c", "label": None, "verdict": "fake", "p_fake": 0.97},
        {"path": "missed", "label": "FAKE", "verdict": "real", "p_fake": 0.2},
        {"path": "missed too", "label": "FAKE", "verdict": "real", "p_fake": 0.1},
    )
    paths = dict(zip(rows["video_id"].to_pylist(), rows["path"].to_pylist(), strict=True))

    def shown(count: int) -> list[str]:
        return [paths[one] for one in whose_faces(rows, count).to_pylist()]

    assert shown(1) == ["a", "missed"]
    assert shown(2) == ["a", "b", "missed", "missed too"]
    assert sorted(shown(99)) == sorted(paths.values())


SCORE = {"frame_index": 5, "pts_s": 0.2, "face_index": 0, "person": 0, "score": 0.5}
PICTURE = {
    "kind": "face",
    "frame_index": 5,
    "pts_s": 0.2,
    "face_index": 0,
    "score": 0.5,
    "picture": b"jpeg",
    "heat": [0.0, 0.25, 0.5, 1.0],
}


def test_rows_become_records_in_order_of_time() -> None:
    box = {"x": 1.0, "y": 2.0, "width": 3.0, "height": 4.0}
    later = SCORE | {"frame_index": 9, "box": box, "confidence": 0.99, "ssim": 0.7}
    frame = PICTURE | {"kind": "frame", "face_index": None, "heat": None}
    found = evidence_of({}, {"sampled_s": [0.0, 0.2]}, [later, SCORE], [PICTURE, frame])
    assert [face.frame_index for face in found.faces] == [5, 9]
    assert found.faces[0].box is None and found.faces[0].ssim is None
    assert found.faces[1].box == Box(1, 2, 3, 4) and found.faces[1].confidence == 0.99
    assert [picture.kind for picture in found.pictures] == [PictureKind.FRAME, PictureKind.FACE]
    heat = found.pictures[1].heat
    assert heat is not None
    np.testing.assert_array_equal(heat, [[0, 0.25], [0.5, 1]])
    assert found.sampled_s == (0.0, 0.2)


@pytest.mark.parametrize("extraction", [None, {"sampled_s": None}])
def test_times_that_were_not_kept(extraction: dict[str, Any] | None) -> None:
    assert evidence_of({}, extraction, [], []).sampled_s is None
