"""(b) OpenCV seeks to each frame by number. Frame reading only: no faces, no scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np


def make(setup: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Requests: `clip`, `indices` of the frames to read."""
    del setup
    cv2.setNumThreads(1)

    def run(request: Mapping[str, Any]) -> dict[str, Any]:
        return {"frames": len(read_frames(request["clip"], request["indices"]))}

    return run


def read_frames(clip: str, indices: list[int]) -> list[np.ndarray]:
    """Those frames, uint8 (height, width, 3) RGB."""
    capture = cv2.VideoCapture(clip)
    frames = []
    for index in indices:
        capture.set(cv2.CAP_PROP_POS_FRAMES, index)
        read, frame = capture.read()
        if not read:
            raise RuntimeError(f"OpenCV cannot read frame {index} of {clip}")
        frames.append(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
    capture.release()
    return frames
