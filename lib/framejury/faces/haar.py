"""OpenCV's Haar cascade (Viola and Jones, 2001): the second detector, as older recipes use it.

It has no confidence and no landmarks: every hit gets confidence 1.0 and landmarks None, so
`detection.threshold` does not filter it; `detection.haar_min_neighbors` does.
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
        SetupError: this OpenCV carries no such cascade (5.x wheels carry none).
    """

    name = "haar"

    def __init__(self, settings: DetectionSettings) -> None:
        path = Path(cv2.data.haarcascades) / f"{settings.haar_cascade}.xml"
        if not path.is_file():
            raise SetupError(
                f"OpenCV {cv2.__version__} ships no {path}; install opencv-python-headless 4.x"
            )
        self._cascade = cv2.CascadeClassifier(str(path))
        self._settings = settings

    def detect(self, images: Sequence[Image]) -> list[list[DetectedFace]]:
        """Faces of each image in the order OpenCV gives them; boxes in whole pixels.

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
    """With more, OpenCV orders its hits by chance, and `detection.keep: first` with them."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)
