"""Labels of single frames, set by hand; they override the label of the video.

The file is a CSV with the header `video,frame,label`: the video's archive-relative path as in
`videos.path`, the frame's rank in presentation order from 0 (`frame_index`), REAL or FAKE. Empty
lines are ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from framejury.archive.csv_file import Line, csv_lines
from framejury.errors import UsageError
from framejury.schemas.statuses import Label

_HEADER = ["video", "frame", "label"]
_LAST_FRAME = 2**31 - 1

Frame = tuple[str, int]
"""video_id and frame_index."""


def read_frame_labels(path: Path | str, video_ids: Mapping[str, str]) -> dict[Frame, Literal[0, 1]]:
    """Read the labels of a CSV file: (video_id, frame_index) -> 1 for FAKE, 0 for REAL.

    Args:
        path: the file.
        video_ids: video_id by archive-relative path, with `/`, of every video.

    Raises:
        UsageError: it cannot be read, has another header, or a line is invalid; the message
            names file and line.
    """
    labels: dict[Frame, Literal[0, 1]] = {}
    lines: dict[Frame, int] = {}
    for line in csv_lines(path, _HEADER, "frame labels", UsageError):
        frame, label = _labelled_frame(line, video_ids)
        if frame in lines:
            raise UsageError(
                f"{line.place}: frame {frame[1]} of {line.fields[0]} is already labelled in line "
                f"{lines[frame]}"
            )
        labels[frame], lines[frame] = label, line.number
    return labels


def _labelled_frame(line: Line, video_ids: Mapping[str, str]) -> tuple[Frame, Literal[0, 1]]:
    video, frame, label = line.fields
    if video not in video_ids:
        raise UsageError(
            f"{line.place}: the archive has no video {video!r}; give its path in the archive, such "
            "as folder/name.mp4"
        )
    # int() accepts far more than people write.
    if not (frame.isascii() and frame.isdigit() and len(frame) <= 10 and int(frame) <= _LAST_FRAME):
        raise UsageError(
            f"{line.place}: the frame must be its rank in the video, a whole number from 0, not "
            f"{frame[:40]!r}"
        )
    if label not in Label.__members__:
        raise UsageError(f"{line.place}: unknown label {label!r}; allowed: {', '.join(Label)}")
    return (video_ids[video], int(frame)), 1 if label == Label.FAKE else 0
