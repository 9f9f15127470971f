"""Names of requests, pictures and arrays for both sides of the decoding process."""

from __future__ import annotations

from typing import Literal, get_args

from framejury.records import Size

TRACE, SHOTS, INSPECT, SHEET = "trace", "shots", "inspect", "sheet"
"""Requests: `reading.trace`, `reading.shots`, `inspector.Inspector.inspect`, `album.sheet_of`."""

Pictures = Literal["all", "thumbnail", "none"]
"""all: every picture of a stretch of consecutive frames. thumbnail, none: frames are sampled over
the video as for a verdict, with one small picture or without pictures."""
PICTURES: tuple[Pictures, ...] = get_args(Pictures)

FRAME, BOXES, FACE = "frame.jpg", "frame_boxes.jpg", "face.jpg"
DETECTORS, CONTACT_SHEET = "detectors.jpg", "contact_sheet.jpg"
VIDEO_MOVES, FACE_MOVES = "video.webp", "face.webp"
THUMBNAIL = "thumbnail.jpg"
NAMES = (FRAME, BOXES, FACE, DETECTORS, CONTACT_SHEET, VIDEO_MOVES, FACE_MOVES, THUMBNAIL)
"""Files with pictures of an inspected video."""

THUMBNAILS, SOUND, PIXELS = "thumbnails", "sound", "pixels"
"""Arrays of `TRACE` (the first two) and of `SHOTS`."""

TRACE_SIZE = Size(36, 64)
"""Size of the grey thumbnails by which two videos are aligned."""
