"""What both sides of the decoding process call requests, pictures, arrays. Nothing heavy."""

from __future__ import annotations

from typing import Literal, get_args

from framejury.records import Size

TRACE, SHOTS, INSPECT, SHEET = "trace", "shots", "inspect", "sheet"
"""Requests: `reading.trace`, `reading.shots`, `looking.Inspector.inspect`, `album.sheet_of`."""

Pictures = Literal["all", "thumbnail", "none"]
"""all: the close look at one stretch, with every picture. Else frames spread over the video as
`sampling` says, as for a verdict, with one small picture or none."""
PICTURES: tuple[Pictures, ...] = get_args(Pictures)

FRAME, BOXES, FACE = "frame.jpg", "frame_boxes.jpg", "face.jpg"
DETECTORS, CONTACT_SHEET = "detectors.jpg", "contact_sheet.jpg"
VIDEO_MOVES, FACE_MOVES = "video.webp", "face.webp"
THUMBNAIL = "thumbnail.jpg"
NAMES = (FRAME, BOXES, FACE, DETECTORS, CONTACT_SHEET, VIDEO_MOVES, FACE_MOVES, THUMBNAIL)
"""Pictures of an inspected video."""

THUMBNAILS, SOUND, PIXELS = "thumbnails", "sound", "pixels"
"""Arrays: the first two of a trace, the third of shots."""

TRACE_SIZE = Size(36, 64)
"""Of the small grey frames that two videos are aligned by."""
