"""(c) The `mtcnn` package on reduced frames, all frames of a video in one call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np


def make(setup: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """`setup`: `inputs`, files of `benchmarks.inputs`. Requests: `inputs`, one of them."""
    import tensorflow as tf
    from mtcnn import MTCNN

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    detector = MTCNN()
    frames_of = {path: list(np.load(path)["frames"]) for path in setup["inputs"]}

    def run(request: Mapping[str, Any]) -> dict[str, Any]:
        found = detector.detect_faces(frames_of[request["inputs"]])
        return {"faces": sum(map(len, found))}

    return run
