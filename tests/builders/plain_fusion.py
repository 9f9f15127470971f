"""Recipe flow_fusion written out plainly: OpenCV, one loop over a video, BGR.

It shares nothing with framejury, so that the two can be compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import cv2.data
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
CASCADE = cv2.data.haarcascades + "haarcascade_frontalface_alt2.xml"


class PlainPair(NamedTuple):
    """A pair of frames with a face each.

    Attributes:
        first: rank of the first frame, from 0.
        boxes: (x, y, width, height) of the last detection in each frame.
        faces: what is cut out around them, uint8 (height, width, 3) BGR.
    """

    first: int
    boxes: tuple[tuple[int, ...], tuple[int, ...]]
    faces: tuple[Array, Array]


def plain_pairs(video: Path, pairs: int, skip: int, skip_short: int) -> Iterator[PlainPair]:
    """Walk through a video: two frames, and after both showed a face the skip.

    Args:
        video: of more than 200 frames: `skip` counts, else `skip_short`.
        pairs: how many to find.
    """
    cv2.setNumThreads(1)  # with more, the order of detections varies
    cascade = cv2.CascadeClassifier(CASCADE)
    capture = cv2.VideoCapture(str(video))
    if capture.get(cv2.CAP_PROP_FRAME_COUNT) <= 200:
        skip = skip_short
    rank, found = 0, 0
    while found < pairs:
        read1, frame1 = capture.read()
        read2, frame2 = capture.read()
        if not (read1 and read2):
            break
        place, rank = rank, rank + 2
        boxes = [_last_detection(cascade, frame) for frame in (frame1, frame2)]
        if boxes[0] is None or boxes[1] is None:
            continue
        faces = _around(frame1, boxes[0]), _around(frame2, boxes[1])
        yield PlainPair(place, (boxes[0], boxes[1]), faces)
        found += 1
        for _ in range(skip):
            capture.read()
            rank += 1
    capture.release()


def plain_fusion(face1: Array, face2: Array) -> Array:
    """Fuse two faces (BGR) and the flow between them: uint8 (224, 224, 3) BGR."""
    f1 = cv2.resize(face1, (224, 224), interpolation=cv2.INTER_AREA)
    f2 = cv2.resize(face2, (224, 224), interpolation=cv2.INTER_AREA)
    prev = cv2.cvtColor(f1, cv2.COLOR_BGR2GRAY)
    nxt = cv2.cvtColor(f2, cv2.COLOR_BGR2GRAY)
    nothing: Any = None
    flow = cv2.calcOpticalFlowFarneback(prev, nxt, nothing, 0.5, 3, 15, 3, 5, 1.2, 0)
    hsv = np.zeros_like(f1)
    hsv[..., 1] = 255
    mag, ang = cv2.cartToPolar(flow[..., 0], flow[..., 1])
    hsv[..., 0] = ang * 180 / np.pi / 2
    hsv[..., 2] = cv2.normalize(mag, nothing, 0, 255, cv2.NORM_MINMAX)
    flow_bgr = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)
    both = cv2.addWeighted(f1, 0.5, f2, 0.5, 0)
    return np.asarray(cv2.addWeighted(both, 0.7, flow_bgr, 0.3, 0))


def _last_detection(cascade: cv2.CascadeClassifier, frame: Array) -> tuple[int, ...] | None:
    grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
    faces = cascade.detectMultiScale(grey, scaleFactor=1.2, minNeighbors=5)
    return tuple(int(side) for side in faces[-1]) if len(faces) else None


def _around(frame: Array, box: tuple[int, ...], margin: int = 40) -> Array:
    """Cut out the box with its margin; what leaves the frame is cut off."""
    x, y, w, h = box
    top, left = max(y - margin, 0), max(x - margin, 0)
    return frame[top : y + h + margin, left : x + w + margin]
