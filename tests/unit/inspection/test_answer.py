"""What the decoding process says is checked before it is believed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from framejury.errors import MediaError
from framejury.examine.checks import DistrustError
from framejury.inspection.answer import failed, packed, unpacked
from framejury.inspection.inspected import MOST_FACES, Facts, InspectedFrame, Shots, Sound, Trace
from framejury.schemas.statuses import Status

FACTS = {
    **{"container": "mp4", "codec": "h264", "pixel_format": "yuv420p"},
    **{"width_px": 64, "height_px": 36, "duration_s": 1.0, "frames": 25, "key_frames": 1},
    **{"bytes": 10, "sound": None, "damage": None},
}
TRACE: dict[str, Any] = {"facts": FACTS, "times_s": [0.0, 0.04], "sound_start_s": None}


def answer(record: Any, files: dict[str, Any] | None = None, tail: bytes = b"") -> bytes:
    return json.dumps({"record": record, "files": files or {}}).encode() + b"\n" + tail


def test_what_is_packed_comes_back() -> None:
    trace = Trace.model_validate(TRACE)
    sent = packed(trace, {"thumbnails": b"\n\x00abc", "sound": b""})
    record, files = unpacked(sent, Trace, ("thumbnails", "sound"))
    assert record == trace and files == {"thumbnails": b"\n\x00abc", "sound": b""}


def test_a_failure_comes_back_as_one() -> None:
    with pytest.raises(MediaError, match=r"two\\nlines") as caught:
        unpacked(failed("unreadable", "two\nlines"), Trace, ())
    assert caught.value.status is Status.UNREADABLE


@pytest.mark.parametrize(
    "change",
    [
        {"times_s": []},
        {"times_s": [float("nan")]},
        {"times_s": [float("inf")]},
        {"times_s": [-1.0]},
        {"times_s": [0.0] * 10_001},
        {"sound_start_s": float("nan")},
        {"more": 1},
        {"facts": None},
        {"facts": FACTS | {"codec": "h264\x1b[2J"}},
        {"facts": FACTS | {"codec": "x" * 101}},
        {"facts": FACTS | {"damage": "two\nlines"}},
        {"facts": FACTS | {"width_px": 0}},
        {"facts": FACTS | {"width_px": 2**40}},
        {"facts": FACTS | {"duration_s": -1.0}},
    ],
    ids=str,
)
def test_records_that_cannot_be_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(DistrustError):
        unpacked(answer(TRACE | change), Trace, ())


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\n",
        b"nonsense\n",
        b"[1]\n",
        b"[" * 100_000 + b"\n",
        answer(TRACE)[:-1],
        answer(TRACE, {"sound": 4}, b"abc"),
        answer(TRACE, {"sound": 4}, b"abcde"),
        answer(TRACE, {"sound": -1, "thumbnails": 1}),
        answer(TRACE, {"other": 1}, b"a"),
        answer(TRACE, {"frame.jpg": 4}, b"GIF8"),
        answer(TRACE, {"video.webp": 4}, b"GIF8"),
        json.dumps({"status": "scored", "error": "x"}).encode() + b"\n",
        json.dumps({"status": "extracted", "error": "x"}).encode() + b"\n",
        json.dumps({"status": "unreadable", "error": "x" * 9999}).encode() + b"\n",
    ],
    ids=lambda sent: sent[-24:].decode(errors="replace"),
)
def test_answers_that_are_none_are_refused(sent: bytes) -> None:
    with pytest.raises(DistrustError):
        unpacked(sent, Trace, ("sound", "thumbnails", "frame.jpg", "video.webp"))


def test_more_faces_than_are_looked_for_are_refused() -> None:
    face = {"x": 1, "y": 1, "width": 5, "height": 5, "confidence": 1}
    look = {"frame_index": 0, "pts_s": 0, "mtcnn": [face] * (MOST_FACES + 1), "haar": []}
    with pytest.raises(DistrustError, match="mtcnn"):
        unpacked(answer(look), InspectedFrame, ())


def test_shapes_are_bounded() -> None:
    Shots(frame_indices=(1,), height_px=1, width_px=1)
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        Shots(frame_indices=(1,), height_px=0, width_px=1)
    assert Facts(**{**FACTS, "duration_s": 0.0}).frames_per_s == 0
    assert Sound(codec="aac", rate_hz=0, channels=0, streams=1).streams == 1
