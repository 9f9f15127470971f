"""What a decoder that was taken over may answer: its own video's rows, or nothing is believed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from framejury.examine.checks import DistrustError, checked, checked_clips, survey_of
from framejury.examine.clips import encoded
from framejury.examine.messages import (
    MOST_CLIP_BYTES,
    ROWS,
    TABLE_COLUMN,
    Segment,
    VideoJob,
    extraction_row,
    to_ipc,
)
from framejury.examine.segments import staged
from framejury.faces.crop import encode_crop
from framejury.media.origin import Origin
from framejury.settings import Settings

JOB = VideoJob("video-1", "a.mp4", 1000, datetime(2024, 5, 17, tzinfo=UTC))
GIVEN = extraction_row(JOB, "run-1", Settings()) | {"content_id": "c" * 64}
EXTRACTION = GIVEN | {"status": "extracted", "faces_kept": 1, "wall_s": 1.0}
SCORE = {
    TABLE_COLUMN: "face_scores",
    "video_id": "video-1",
    "run_id": "run-1",
    "frame_index": 3,
    "pts_s": 0.1,
    "face_index": 0,
    "person": 0,
    "score": 0.5,
}

Row = dict[str, Any]


def jpeg(height: int = 8, width: int = 8) -> bytes:
    return encode_crop(np.zeros((height, width, 3), np.uint8))


PICTURE = {name: SCORE[name] for name in SCORE if name != "person"} | {
    TABLE_COLUMN: "pictures",
    "model_id": "m",
    "kind": "face",
    "picture": jpeg(),
    "heat": [0.0, 0.5, 1.0, 0.25],
}


ORIGIN = asdict(Origin(muxer="Lavf60", location=True, c2pa="absent"))
CLIP = PICTURE | {
    "kind": "clip",
    "heat": None,
    "clip": encoded([np.zeros((16, 16, 3), np.uint8)] * 2, [0.0, 0.1]),
    "start_s": 1.0,
    "end_s": 1.1,
}


def packed(*rows: Row, schema: pa.Schema = ROWS) -> bytes:
    return to_ipc(pa.RecordBatch.from_pylist(list(rows), schema=schema))


def test_a_sound_answer_is_taken_as_it_is() -> None:
    batch = checked(packed(EXTRACTION, SCORE), GIVEN, JOB)
    assert batch.to_pylist()[1]["score"] == 0.5
    assert checked(packed(GIVEN | {"status": "no_face"}), GIVEN, JOB).num_rows == 1
    times = EXTRACTION | {"frames_sampled": 2, "sampled_s": [0.0, 0.1]}
    frame = PICTURE | {"kind": "frame", "face_index": None, "heat": None}
    batch = checked(packed(times, SCORE | {"ssim": -0.5}, frame, PICTURE), GIVEN, JOB)
    assert batch.num_rows == 4
    assert checked(packed(times, SCORE, *[PICTURE] * 101), GIVEN, JOB).num_rows == 103


def test_what_a_file_claims_is_taken_as_it_is() -> None:
    batch = checked(packed(EXTRACTION | {"origin": ORIGIN}, SCORE), GIVEN, JOB)
    assert batch.to_pylist()[0]["origin"] == ORIGIN


def test_clips_come_alone() -> None:
    assert checked_clips(packed(CLIP, CLIP), JOB, "run-1").num_rows == 2
    assert checked_clips(packed(), JOB, "run-1").num_rows == 0
    with pytest.raises(DistrustError, match="11 clips, more than 10"):
        checked_clips(packed(*[CLIP] * 11), JOB, "run-1")
    segment = Segment(0, 0, 5)
    job = VideoJob("video-1", "a.mp4", 1000, JOB.modified_at, segment)
    assert checked_clips(packed(staged(CLIP, segment)), job, "run-1").num_rows == 1
    with pytest.raises(DistrustError):
        checked_clips(packed(CLIP), job, "run-1")


@pytest.mark.parametrize(
    "lie",
    [
        {"clip": None},
        {"clip": b"<svg onload=alert(1)>"},
        {"clip": b"\x1a\x45\xdf\xa3" + b"x" * 100},
        {"clip": CLIP["clip"] + b"\0" * MOST_CLIP_BYTES},
        {"picture": b"GIF89a"},
        {"kind": "face"},
        {"kind": None},
        {TABLE_COLUMN: "face_scores"},
        {"video_id": "video-2"},
        {"run_id": "run-2"},
        {"score": 1.5},
        {"end_s": 1.0},
        {"end_s": float("inf")},
        {"start_s": float("nan")},
        {"start_s": None},
    ],
    ids=str,
)
def test_a_clip_that_is_none_is_not_believed(lie: Row) -> None:
    with pytest.raises(DistrustError):
        checked_clips(packed(CLIP, CLIP | lie), JOB, "run-1")


def test_rows_of_a_segment() -> None:
    segment = Segment(2, 10, 20)
    job = VideoJob("video-1", "a.mp4", 1000, JOB.modified_at, segment)
    rows = [staged(row, segment) for row in (EXTRACTION, SCORE)]
    assert checked(packed(*rows), GIVEN, job).num_rows == 2
    with pytest.raises(DistrustError):
        checked(packed(EXTRACTION, SCORE), GIVEN, job)
    with pytest.raises(DistrustError):
        checked(packed(*rows), GIVEN, JOB)
    with pytest.raises(DistrustError, match="to the tables themselves"):
        checked(packed(rows[0], rows[1] | {TABLE_COLUMN: "verdicts"}), GIVEN, job)


LIES: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "noise": lambda: b"\xff\xff\xff\xff\x00\x00\x00\x7f" + b"noise" * 100,
    "half": lambda: packed(EXTRACTION, SCORE)[:600],
    "no rows": packed,
    "another schema": lambda: packed({"a": 1}, schema=pa.schema([("a", pa.int64())])),
    "no extraction": lambda: packed(SCORE),
    "an extraction as a face": lambda: packed(EXTRACTION | {TABLE_COLUMN: "faces"}),
    "two extractions": lambda: packed(EXTRACTION, EXTRACTION),
    "faces first": lambda: packed(SCORE, EXTRACTION),
    "another table": lambda: packed(EXTRACTION, SCORE | {TABLE_COLUMN: "verdicts"}),
    "another video": lambda: packed(EXTRACTION, SCORE | {"video_id": "video-2"}),
    "no video": lambda: packed(EXTRACTION, SCORE | {"video_id": None}),
    "another run": lambda: packed(EXTRACTION, SCORE | {"run_id": "run-2"}),
    "another video's extraction": lambda: packed(EXTRACTION | {"video_id": "video-2"}),
    "another content": lambda: packed(EXTRACTION | {"content_id": "d" * 64}),
    "other settings": lambda: packed(EXTRACTION | {"settings_id": "0"}),
    "another size": lambda: packed(EXTRACTION | {"bytes": 1}),
    "another time": lambda: packed(EXTRACTION | {"modified_at": None}),
    "an unknown status": lambda: packed(EXTRACTION | {"status": "scored"}),
    "no status": lambda: packed(EXTRACTION | {"status": None}),
    "an error that moves the cursor": lambda: packed(EXTRACTION | {"error": "\x1b[2J"}),
    "an error of two lines": lambda: packed(EXTRACTION | {"error": "a\nb"}),
    "a novel": lambda: packed(EXTRACTION | {"error": "a" * 2001}),
    "a codec that is none": lambda: packed(EXTRACTION | {"codec": "\x00"}),
    "an origin that moves the cursor": lambda: packed(
        EXTRACTION | {"origin": ORIGIN | {"software": "\x1b[2J"}}
    ),
    "a scoring time that is none": lambda: packed(
        EXTRACTION | {"scoring": [{"model_id": "m", "seconds": float("nan")}]}
    ),
    "a network whose name moves the cursor": lambda: packed(
        EXTRACTION | {"scoring": [{"model_id": "\x1b[2J", "seconds": 1.0}]}
    ),
    "an origin without end": lambda: packed(
        EXTRACTION | {"origin": ORIGIN | {"device": "a" * 301}}
    ),
    "a manifest that was verified": lambda: packed(
        EXTRACTION | {"origin": ORIGIN | {"c2pa": "verified"}}
    ),
    "a clip that nobody asked for": lambda: packed(EXTRACTION, SCORE, CLIP),
    "an unknown kind of heat map": lambda: packed(EXTRACTION, SCORE, PICTURE | {"heat_by": "x"}),
    "a share of heat above one": lambda: packed(EXTRACTION, SCORE, PICTURE | {"heat_inside": 1.5}),
    "an unknown note": lambda: packed(EXTRACTION | {"notes": "trust_me"}),
    "a note twice": lambda: packed(EXTRACTION | {"notes": "damaged; damaged"}),
    "a note that moves the cursor": lambda: packed(EXTRACTION | {"notes": "damaged: \x1b[2J"}),
    "no count": lambda: packed(EXTRACTION | {"frames_decoded": None}),
    "faces of a failed video": lambda: packed(EXTRACTION | {"status": "unreadable"}, SCORE),
    "a score above one": lambda: packed(EXTRACTION, SCORE | {"score": 1.5}),
    "a time that is no number": lambda: packed(EXTRACTION, SCORE | {"pts_s": float("inf")}),
    "a box that is no number": lambda: packed(
        EXTRACTION,
        SCORE | {"box": {"x": 0.0, "y": float("nan"), "width": 1.0, "height": 1.0}},
    ),
    "a likeness that is no number": lambda: packed(EXTRACTION, SCORE | {"ssim": float("nan")}),
    "a confidence that is no number": lambda: packed(
        EXTRACTION, SCORE | {"confidence": float("inf")}
    ),
    "times of frames that were not looked at": lambda: packed(EXTRACTION | {"sampled_s": [0.0]}),
    "sampled times that are none": lambda: packed(
        EXTRACTION | {"frames_sampled": 1, "sampled_s": [float("nan")]}
    ),
    "pictures of a failed video": lambda: packed(EXTRACTION | {"status": "crashed"}, PICTURE),
    "a flood of pictures": lambda: packed(EXTRACTION, *[PICTURE] * 102),
    "a picture of nothing": lambda: packed(EXTRACTION, PICTURE | {"picture": None}),
    "a picture of another kind": lambda: packed(EXTRACTION, PICTURE | {"kind": "page"}),
    "a page for a picture": lambda: packed(EXTRACTION, PICTURE | {"picture": b"<script>"}),
    "a picture of another format": lambda: packed(
        EXTRACTION, PICTURE | {"picture": encode_crop(np.zeros((8, 8, 3), np.uint8), "png")}
    ),
    "a huge picture": lambda: packed(EXTRACTION, PICTURE | {"picture": jpeg(1, 4097)}),
    "a heat map that is no square": lambda: packed(EXTRACTION, PICTURE | {"heat": [0.0, 1.0]}),
    "a heat map of nothing": lambda: packed(EXTRACTION, PICTURE | {"heat": []}),
    "a heat map that is too hot": lambda: packed(EXTRACTION, PICTURE | {"heat": [1.5]}),
    "a heat map that is no number": lambda: packed(EXTRACTION, PICTURE | {"heat": [float("nan")]}),
    "a heat map without end": lambda: packed(EXTRACTION, PICTURE | {"heat": [0.0] * 65**2}),
    "a score that is no number": lambda: packed(EXTRACTION, SCORE | {"score": float("nan")}),
}


@pytest.mark.parametrize("name", LIES)
def test_a_lie_is_not_believed(name: str) -> None:
    with pytest.raises(DistrustError) as caught:
        checked(LIES[name](), GIVEN, JOB)
    assert str(caught.value) and "\n" not in str(caught.value)


def damaged_offsets() -> bytes:
    """An answer whose column of strings points far outside its bytes."""
    whole = bytearray(packed(EXTRACTION | {"error": "a" * 64}))
    offsets = (64).to_bytes(4, "little")
    at = whole.rindex(b"\x00" * 4 + offsets)
    whole[at + 4 : at + 8] = (2**31 - 1).to_bytes(4, "little")
    return bytes(whole)


def test_columns_that_point_outside_are_found() -> None:
    with pytest.raises(DistrustError):
        checked(damaged_offsets(), GIVEN, JOB)


def survey(*parts: tuple[object, object, object]) -> bytes:
    names = ("first", "stop", "cost_s")
    return json.dumps(
        {"segments": [dict(zip(names, part, strict=True)) for part in parts]}
    ).encode()


def test_a_survey() -> None:
    found = survey_of(survey((2, 12, 1.5), (12, 40, 2)), "c")
    assert found.segments == (Segment(0, 2, 12), Segment(1, 12, 40))
    assert found.costs_s == (1.5, 2.0) and found.content_id == "c"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"[]",
        b"{}",
        b'{"segments": 3}',
        survey(),
        survey((0, 5, "x")),
        survey((-3, 5, 1)),
        survey((5, 0, 1)),
        survey((0, 5, 1), (6, 9, 1)),
        survey((0, 5, 1), (4, 9, 1)),
        survey((0, 5, float("nan"))),
        survey((0, 5, -1)),
        survey((0, 5, float("inf"))),
    ],
)
def test_a_survey_that_is_none(answer: bytes) -> None:
    with pytest.raises(DistrustError):
        survey_of(answer, "c")


FACE = {name: SCORE[name] for name in SCORE if name != "score"} | {
    TABLE_COLUMN: "faces",
    "detector": "haar",
    "crop": jpeg(),
}


@pytest.mark.parametrize("of_segment", [False, True])
def test_a_face_has_the_crops_that_were_asked_for(of_segment: bool) -> None:
    def batch(*rows: Row, frames: int) -> pa.RecordBatch:
        segment = Segment(2, 10, 20) if of_segment else None
        job = VideoJob("video-1", "a.mp4", 1000, JOB.modified_at, segment)
        sent = [row if segment is None else staged(row, segment) for row in (EXTRACTION, *rows)]
        return checked(packed(*sent), GIVEN, job, frames)

    pair = FACE | {"next_crop": jpeg()}
    assert batch(FACE, FACE, SCORE, frames=1).num_rows == 4
    assert batch(pair, pair, SCORE, frames=2).num_rows == 4
    clip = FACE | {"clip_crops": [jpeg()] * 3}
    assert batch(clip, clip, SCORE, frames=4).num_rows == 4
    for rows, frames in (
        ((pair, FACE), 2),
        ((FACE,), 2),
        ((FACE, pair), 1),
        ((FACE | {"crop": None},), 1),
        ((FACE, clip), 1),
        ((clip, FACE), 4),
        ((clip,), 5),
        ((clip | {"next_crop": jpeg()},), 4),
        ((pair,), 4),
    ):
        with pytest.raises(DistrustError, match="without their crops"):
            batch(*rows, frames=frames)
