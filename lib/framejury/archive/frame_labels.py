"""Labels of single frames, set by hand: they override the label of the video for those frames.

A file of them is a CSV with the header `video,frame,label`. A video is its archive-relative
path as in `videos.path`, a frame its rank in presentation order from 0 (`frame_index`), a label
REAL or FAKE. Empty lines say nothing.
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
    """The labels of a CSV file: (video_id, frame_index) -> 1 for FAKE, 0 for REAL.

    Args:
        path: of the file.
        video_ids: path below the archive, with `/`, -> video_id, of all videos there are.

    Raises:
        UsageError: it cannot be read, has another header, or a line is wrong; the message
            names file and line.
    """
    labels: dict[Frame, Literal[0, 1]] = {}
    lines: dict[Frame, int] = {}
    for line in csv_lines(path, _HEADER, "frame labels", UsageError):
        frame, label = _labelled_frame(line, video_ids)
        if frame in lines:
            raise UsageError(
                f"{line.place}: frame {frame[1]} of {line.fields[0]} has a label already, in line "
                f"{lines[frame]}"
            )
        labels[frame], lines[frame] = label, line.number
    return labels


def _labelled_frame(line: Line, video_ids: Mapping[str, str]) -> tuple[Frame, Literal[0, 1]]:
    video, frame, label = line.fields
    if video not in video_ids:
        raise UsageError(
            f"{line.place}: no video of the archive is called {video!r}; name it by its path "
            "there, such as folder/name.mp4"
        )
    # int() takes far more for a number than people write.
    if not (frame.isascii() and frame.isdigit() and len(frame) <= 10 and int(frame) <= _LAST_FRAME):
        raise UsageError(
            f"{line.place}: a frame is its rank in the video, a whole number from 0, not "
            f"{frame[:40]!r}"
        )
    if label not in Label.__members__:
        raise UsageError(f"{line.place}: unknown label {label!r}; there are {', '.join(Label)}")
    return (video_ids[video], int(frame)), 1 if label == Label.FAKE else 0
