"""The reduced frames and the faces that detectors and networks are compared on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import av
import cv2
import numpy as np

from framejury.faces.crop import crop_region
from framejury.faces.detect import detection_scale, make_detector
from framejury.records import Box, Image, Size
from framejury.settings.loading import settings_from
from framejury.signals.rgb import network_input

INPUT_PX = 224


def make(setup: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Requests: `clip`, `times_s` (from the first frame), `output`: the file written.

    It holds `frames`, uint8 (n, height, width, 3) RGB, reduced as for detection, and `faces`,
    uint8 (m, 224, 224, 3) RGB, as the network gets them.
    """
    settings = settings_from({})
    detector = make_detector(settings.detection, threads=1)

    def run(request: Mapping[str, Any]) -> dict[str, Any]:
        images = frames_at(request["clip"], request["times_s"])
        size = Size(*images[0].shape[:2])
        scale = detection_scale(size, settings.detection)
        reduced = [_reduced(image, scale) for image in images]
        faces = [np.empty((0, INPUT_PX, INPUT_PX, 3), np.uint8)]
        for image, found in zip(images, detector.detect(reduced), strict=True):
            for face in found:
                small = (face.box.x, face.box.y, face.box.width, face.box.height)
                box = Box(*(value / scale for value in small))
                region = crop_region(box, size, settings.crops.margin_ratio)
                right, bottom = region.x + region.width, region.y + region.height
                crop = image[region.y : bottom, region.x : right]
                faces.append(network_input(crop, INPUT_PX)[None])
        np.savez(request["output"], frames=np.stack(reduced), faces=np.concatenate(faces))
        return {"frames": len(reduced), "faces": len(faces) - 1}

    return run


def frames_at(clip: str, times_s: list[float]) -> list[Image]:
    """The frames nearest to `times_s` (seconds from the first frame), uint8 RGB, unrotated."""
    wanted = list(times_s)
    images = []
    with av.open(clip) as container:
        first_s = None
        for frame in container.decode(video=0):
            first_s = frame.time if first_s is None else first_s
            if frame.time - first_s > wanted[0] - 1e-3:
                images.append(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8))
                wanted.pop(0)
                if not wanted:
                    break
    return images


def _reduced(image: Image, scale: float) -> Image:
    height, width = (round(side * scale) for side in image.shape[:2])
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
