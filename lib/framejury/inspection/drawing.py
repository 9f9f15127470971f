"""Composed pictures: boxes on frames, detectors side by side, contact sheets, animations.

Pictures are uint8 (height, width, 3) RGB throughout.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import av
import cv2
import numpy as np
from av.video.stream import VideoStream

from framejury.records import Box, Image, Size

MTCNN_COLOR, HAAR_COLOR = (213, 94, 0), (0, 114, 178)
"""Distinguishable with colour blindness, as in `pages.style`."""

SHEET_WIDTH_PX = 1280
CAPTION_PX = 24
GAP_PX = 6
_PAPER, _INK = 255, (40, 40, 40)


def reduced_to(size: Size, longer_px: int) -> Size:
    """Return a size of the same shape whose longer side is at most `longer_px`."""
    factor = min(1.0, longer_px / max(size.height, size.width))
    return Size(max(round(size.height * factor), 1), max(round(size.width * factor), 1))


def with_boxes(
    picture: Image,
    full: Size,
    boxes: Sequence[Box],
    labels: Sequence[str],
    color: tuple[int, int, int],
) -> Image:
    """Return a copy with boxes, each with its label above.

    Args:
        picture: of the whole frame, at any size.
        full: size of the frame that the boxes refer to.
        boxes: pixels of the full frame; may reach beyond it.
        labels: one per box; ASCII.
        color: RGB.
    """
    drawn = picture.copy()
    size = Size(*picture.shape[:2])
    thick = max(2, round(max(picture.shape[:2]) / 400))
    scale = max(picture.shape[:2]) / 1600
    scale = min(max(scale, 0.45), 1.2)
    for box, label in zip(boxes, labels, strict=True):
        at = box.resized(full, size)
        left, top = round(at.x), round(at.y)
        corner = round(at.x + at.width), round(at.y + at.height)
        cv2.rectangle(drawn, (left, top), corner, color, thick, cv2.LINE_AA)
        (width, height), below = cv2.getTextSize(label, cv2.FONT_HERSHEY_SIMPLEX, scale, thick // 2)
        base = max(top - thick, height + below)
        cv2.rectangle(drawn, (left, base - height - below), (left + width + 6, base), color, -1)
        place = (left + 3, base - below // 2)
        _write(drawn, label, place, color=(255, 255, 255), scale=scale, thick=thick // 2)
    return drawn


def contact_sheet(
    pictures: Sequence[Image], captions: Sequence[str], columns: int | None = None
) -> Image:
    """Return pictures in rows, a caption under each, on white.

    Args:
        pictures: at least one; smaller ones are centred.
        captions: one each; ASCII.
        columns: pictures per row; None: as many as fit `SHEET_WIDTH_PX`.
    """
    height = max(picture.shape[0] for picture in pictures)
    width = max(picture.shape[1] for picture in pictures)
    columns = columns or max((SHEET_WIDTH_PX - GAP_PX) // (width + GAP_PX), 1)
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    step_y, step_x = height + CAPTION_PX + GAP_PX, width + GAP_PX
    sheet = np.full((rows * step_y + GAP_PX, columns * step_x + GAP_PX, 3), _PAPER, np.uint8)
    for number, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        row, column = divmod(number, columns)
        top = GAP_PX + row * step_y + (height - picture.shape[0]) // 2
        left = GAP_PX + column * step_x + (width - picture.shape[1]) // 2
        sheet[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
        place = (GAP_PX + column * step_x + 2, GAP_PX + row * step_y + height + CAPTION_PX - 7)
        _write(sheet, caption, place, color=_INK)
    return sheet


def clock(seconds: float) -> str:
    """Return a time in a video, such as `0:07.4` or `1:02:07.4`."""
    tenths = round(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    text = f"{minutes}:{rest // 10:02d}.{rest % 10}"
    return f"{hours}:{minutes:02d}{text[len(str(minutes)) :]}" if hours else text


def _write(
    picture: Image,
    text: str,
    place: tuple[int, int],
    *,
    color: tuple[int, int, int],
    scale: float = 0.45,
    thick: int = 1,
) -> None:
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(picture, text, place, font, scale, color, max(thick, 1), cv2.LINE_AA)


_WEBP_QUALITY = 70


def animated(pictures: Sequence[Image], pictures_per_s: float) -> bytes:
    """Encode an animation that repeats forever.

    Args:
        pictures: uint8 (height, width, 3) RGB, at least one; all are stretched to the size
            of the first.
        pictures_per_s: its frame rate.

    Returns:
        a WebP file.
    """
    height, width = (side + side % 2 for side in pictures[0].shape[:2])  # chroma is halved
    rate = Fraction(pictures_per_s).limit_denominator(1000)
    file = io.BytesIO()
    with av.open(file, "w", format="webp", options={"loop": "0"}) as output:
        stream = output.add_stream("libwebp_anim", rate=rate)
        assert isinstance(stream, VideoStream)
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        context: Any = stream.codec_context
        context.thread_count = 1
        context.options = {"quality": str(_WEBP_QUALITY), "compression_level": "4"}
        for number, picture in enumerate(pictures):
            if picture.shape[:2] != (height, width):
                resized = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
                picture = np.asarray(resized, np.uint8)  # noqa: PLW2901
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = number
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return file.getvalue()
