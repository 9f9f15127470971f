"""(a) The way of the published notebooks: read all, detect on full frames, predict face by face.

OpenCV reads every frame, 11 evenly spaced ones are kept, the `mtcnn` package looks at each in full
size, and Keras is asked about one face at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np

FRAMES = 11
CONFIDENCE = 0.95
MARGIN_RATIO = 0.3
INPUT_PX = 224


def make(setup: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """`setup`: `keras`, the model's file. Requests: `clip`."""
    import efficientnet.tfkeras  # noqa: F401 - registers the network's layers
    import tensorflow as tf
    from mtcnn import MTCNN

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    detector = MTCNN()
    model = tf.keras.models.load_model(setup["keras"], compile=False)

    def run(request: Mapping[str, Any]) -> dict[str, Any]:
        frames = read_frames(request["clip"])
        scores = []
        for frame in frames:
            for face in detector.detect_faces(frame):
                if face["confidence"] < CONFIDENCE:
                    continue
                pixels = cropped(frame, face["box"]).astype(np.float32)
                scores.append(float(model.predict(pixels[None], verbose=0)[0, 0]))
        return {"frames": len(frames), "faces": len(scores)}

    return run


def read_frames(clip: str) -> list[np.ndarray]:
    """`FRAMES` evenly spaced frames, uint8 (height, width, 3) RGB; every frame is decoded."""
    capture = cv2.VideoCapture(clip)
    total = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    wanted = set(np.linspace(0, total - 1, FRAMES).astype(int).tolist())
    frames = []
    for index in range(total):
        read, frame = capture.read()
        if not read:
            break
        if index in wanted:
            frames.append(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
    capture.release()
    return frames


def cropped(frame: np.ndarray, box: list[int]) -> np.ndarray:
    """The face with its margin, resized to the network's input, uint8 (224, 224, 3) RGB."""
    x, y, width, height = box
    side_x, side_y = int(width * MARGIN_RATIO), int(height * MARGIN_RATIO)
    top, left = max(y - side_y, 0), max(x - side_x, 0)
    face = frame[top : y + height + side_y, left : x + width + side_x]
    return cv2.resize(face, (INPUT_PX, INPUT_PX))
