"""Labels of single frames, set by hand: they override the label of the video for those frames.

A file of them is a CSV with the header `video,frame,label`. A video is its archive-relative
path as in `videos.path`, a frame its rank in presentation order from 0 (`frame_index`), a label
REAL or FAKE. Empty lines say nothing.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from framejury.errors import UsageError
from framejury.schemas import Label

_HEADER = ["video", "frame", "label"]
_LAST_FRAME = 2**31 - 1

Frame = tuple[str, int]
"""video_id and frame_index."""


def read_frame_labels(path: Path | str, video_ids: Mapping[str, str]) -> dict[Frame, Literal[0, 1]]:
    """The labels of a CSV file: (video_id, frame_index) -> 1 for FAKE, 0 for REAL.

    Args:
        path: of the file.
        video_ids: path below the archive, with `/`, -> video_id, of all videos there are.

    Raises:
        UsageError: it cannot be read, has another header, or a line is wrong; the message
            names file and line.
    """
    try:
        text = Path(path).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the frame labels in {path}: {error}") from error
    reader = csv.reader(text.splitlines(), strict=True)
    labels: dict[Frame, Literal[0, 1]] = {}
    lines: dict[Frame, int] = {}
    try:
        header = [name.strip() for name in next(reader, [])]
        if header != _HEADER:
            raise UsageError(
                f"{path} line 1: frame labels start with {','.join(_HEADER)}, "
                f"not with {','.join(header)!r}"
            )
        for row in reader:
            if not row:
                continue
            place = f"{path} line {reader.line_num}"
            frame, label = _labelled_frame(row, place, video_ids)
            if frame in lines:
                raise UsageError(
                    f"{place}: frame {frame[1]} of {row[0].strip()} has a label already, in line "
                    f"{lines[frame]}"
                )
            labels[frame], lines[frame] = label, reader.line_num
    except csv.Error as error:
        raise UsageError(f"{path} line {reader.line_num}: {error}") from error
    if not labels:
        raise UsageError(f"{path} labels no frame: it has no line after its header")
    return labels


def _labelled_frame(
    row: list[str], place: str, video_ids: Mapping[str, str]
) -> tuple[Frame, Literal[0, 1]]:
    if len(row) != len(_HEADER):
        raise UsageError(f"{place}: a line is {','.join(_HEADER)}; this has {len(row)} fields")
    video, frame, label = (text.strip() for text in row)
    if video not in video_ids:
        raise UsageError(
            f"{place}: no video of the archive is called {video!r}; name it by its path there, "
            "such as folder/name.mp4"
        )
    # int() takes far more for a number than people write.
    if not (frame.isascii() and frame.isdigit() and len(frame) <= 10 and int(frame) <= _LAST_FRAME):
        raise UsageError(
            f"{place}: a frame is its rank in the video, a whole number from 0, not {frame[:40]!r}"
        )
    if label not in Label.__members__:
        raise UsageError(f"{place}: unknown label {label!r}; there are {', '.join(Label)}")
    return (video_ids[video], int(frame)), 1 if label == Label.FAKE else 0
