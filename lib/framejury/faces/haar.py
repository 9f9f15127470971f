"""OpenCV's Haar cascade (Viola and Jones, 2001), the detector of older recipes.

It provides neither confidence nor landmarks. Every face gets confidence 1.0 and landmarks None,
so `detection.threshold` has no effect; use `detection.haar_min_neighbors`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import cv2
import cv2.data

from framejury.errors import SetupError
from framejury.records import Box, DetectedFace, Image
from framejury.settings import DetectionSettings


class HaarDetector:
    """Finds faces with the cascade that `settings.haar_cascade` names.

    Args:
        settings: the `haar_*` settings are used.

    Raises:
        SetupError: this OpenCV lacks the cascade (5.x wheels contain no cascades).
    """

    name = "haar"

    def __init__(self, settings: DetectionSettings) -> None:
        path = Path(cv2.data.haarcascades) / f"{settings.haar_cascade}.xml"
        if not path.is_file():
            raise SetupError(
                f"OpenCV {cv2.__version__} lacks {path}; install opencv-python-headless 4.x"
            )
        self._cascade = cv2.CascadeClassifier(str(path))
        self._settings = settings

    def detect(self, images: Sequence[Image]) -> list[list[DetectedFace]]:
        """Return the faces of each image in OpenCV's order; boxes in whole pixels.

        Args:
            images: uint8 (height, width, 3) RGB, of any sizes.
        """
        with _one_thread():
            return [self._detect_one(image) for image in images]

    def _detect_one(self, image: Image) -> list[DetectedFace]:
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        hits = self._cascade.detectMultiScale(
            grey,
            scaleFactor=self._settings.haar_scale_factor,
            minNeighbors=self._settings.haar_min_neighbors,
        )
        return [
            DetectedFace(Box(float(x), float(y), float(width), float(height)), 1.0, None)
            for x, y, width, height in hits
        ]


@contextmanager
def _one_thread() -> Iterator[None]:
    """Limit OpenCV to one thread: with more the order of faces, and so `keep: first`, varies."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)
