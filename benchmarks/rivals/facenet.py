"""(d) MTCNN of facenet-pytorch on reduced frames, all frames of a video in one call.

Runs in an environment of its own (`facenet.sh`): its pins are older than ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np


def make(setup: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """`setup`: `inputs`, files of `benchmarks.inputs`. Requests: `inputs`, one of them."""
    import torch
    from facenet_pytorch import MTCNN

    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    # The thresholds of the `mtcnn` package; its own are 0.6, 0.7, 0.7.
    detector = MTCNN(keep_all=True, device="cpu", thresholds=[0.6, 0.7, 0.8])
    frames_of = {path: list(np.load(path)["frames"]) for path in setup["inputs"]}

    def run(request: Mapping[str, Any]) -> dict[str, Any]:
        boxes, _ = detector.detect(frames_of[request["inputs"]])
        return {"faces": sum(0 if found is None else len(found) for found in boxes)}

    return run
