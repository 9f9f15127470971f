"""Faces over the frames of a video: searched in full, or near where they were."""

from __future__ import annotations

from collections.abc import Sequence

import av
import cv2
import numpy as np
import pytest
import skimage.data

from framejury.faces.detect import make_detector, reduced_size
from framejury.faces.follow import FaceFinder
from framejury.faces.mtcnn import MtcnnDetector
from framejury.media.decoded_frame import DecodedFrame
from framejury.records import Box, DetectedFace, Image, SampledFrame, Size
from framejury.settings import DetectionSettings

FOLLOWING = DetectionSettings(follow_s=0.4)
FACE = Box(181.6, 63.7, 83.0, 107.4)
"""Of the astronaut, in the 512 x 512 photograph."""


@pytest.fixture(scope="module")
def mtcnn() -> MtcnnDetector:
    return MtcnnDetector()


class Counting:
    """The detector itself, with a note of how it was asked."""

    name = "mtcnn"

    def __init__(self, detector: MtcnnDetector) -> None:
        self._detector = detector
        self.asked = ""

    def detect(self, images: Sequence[Image]) -> list[list[DetectedFace]]:
        self.asked += "F" * len(images)
        return self._detector.detect(images)

    def detect_near(
        self, images: Sequence[Image], boxes: Sequence[Sequence[Box]]
    ) -> list[list[DetectedFace]]:
        self.asked += "n" * len(images)
        return self._detector.detect_near(images, boxes)


def scene(x: float, y: float, *, side_px: int = 400, width: int = 640, height: int = 480) -> Image:
    """The astronaut's photograph at (x, y) on grey."""
    photo = cv2.resize(skimage.data.astronaut(), (side_px, side_px), interpolation=cv2.INTER_AREA)
    matrix = np.array([[1.0, 0, x], [0, 1.0, y]])
    canvas = cv2.warpAffine(photo, matrix, (width, height), borderValue=(120, 120, 120))
    return np.asarray(canvas, np.uint8)


def frame(pts_s: float, image: Image, *, starts_group: bool = False) -> SampledFrame:
    picture = DecodedFrame(av.VideoFrame.from_ndarray(image, format="rgb24"))
    return SampledFrame(round(pts_s * 25), pts_s, picture, starts_group)


def test_boxes_are_in_pixels_of_the_full_frame(mtcnn: MtcnnDetector) -> None:
    photo = cv2.resize(skimage.data.astronaut(), (1501, 1450), interpolation=cv2.INTER_CUBIC)
    finder = FaceFinder(mtcnn, FOLLOWING)
    for at_s in (0.0, 0.1):  # in full, then near
        (face,) = finder.find(frame(at_s, np.asarray(photo, np.uint8))).faces
        x, y = 1501 / 512, 1450 / 512
        assert face.box.iou(Box(FACE.x * x, FACE.y * y, FACE.width * x, FACE.height * y)) > 0.9
        assert face.landmarks is not None
        assert abs(face.landmarks[2].x - 224.2 * x) < 8
        assert abs(face.landmarks[2].y - 126.4 * y) < 8


def test_close_frames_are_searched_near_the_faces(mtcnn: MtcnnDetector) -> None:
    counting = Counting(mtcnn)
    finder = FaceFinder(counting, FOLLOWING)
    exact = FaceFinder(mtcnn, DetectionSettings(follow_s=0))
    for number in range(21):
        shown = frame(number / 25, scene(4.0 * number, 2.0 * number))
        (face,) = finder.find(shown).faces
        (expected,) = exact.find(shown).faces
        assert face.box.iou(expected.box) > 0.8
    assert counting.asked == "F" + 9 * "n" + "F" + 9 * "n" + "F"


def test_unless_asked_for_every_frame_is_searched_in_full(mtcnn: MtcnnDetector) -> None:
    counting = Counting(mtcnn)
    finder = FaceFinder(counting, DetectionSettings())
    for number in range(3):
        finder.find(frame(number / 25, scene(0, 0)))
    assert counting.asked == "FFF"


def test_far_frames_are_searched_in_full(mtcnn: MtcnnDetector) -> None:
    counting = Counting(mtcnn)
    finder = FaceFinder(counting, FOLLOWING)
    for number in range(3):
        finder.find(frame(number * 0.9, scene(0, 0)))
    assert counting.asked == "FFF"


def test_a_face_that_is_gone_is_searched_for_everywhere(mtcnn: MtcnnDetector) -> None:
    """As after a cut: it is somewhere else, and small."""
    counting = Counting(mtcnn)
    finder = FaceFinder(counting, FOLLOWING)
    finder.find(frame(0.0, scene(0, 0, width=1600, height=1000)))
    small = scene(1200, 700, side_px=260, width=1600, height=1000)
    (face,) = finder.find(frame(0.04, small)).faces
    assert face.box.x > 1200
    assert counting.asked == "FnF"
    finder.find(frame(0.08, scene(0, 0, width=1602)))  # another size is another picture
    assert counting.asked[-1] == "F"


def test_where_a_segment_may_begin_nothing_is_known(mtcnn: MtcnnDetector) -> None:
    counting = Counting(mtcnn)
    finder = FaceFinder(counting, FOLLOWING)
    finder.find(frame(0.0, scene(0, 0)))
    finder.find(frame(0.04, scene(0, 0), starts_group=True))
    assert counting.asked == "FF"


def test_a_picture_without_faces_stays_cheap_and_large_ones_are_noticed(
    mtcnn: MtcnnDetector,
) -> None:
    counting = Counting(mtcnn)
    finder = FaceFinder(counting, FOLLOWING)
    blank = np.full((480, 640, 3), 120, np.uint8)
    assert finder.find(frame(0.0, blank)).faces == ()
    assert finder.find(frame(0.04, blank)).faces == ()
    assert len(finder.find(frame(0.08, scene(0, 0, side_px=480))).faces) == 1
    assert counting.asked == "Fnn"


def test_haar_searches_every_frame_in_full() -> None:
    settings = DetectionSettings(detector="haar", follow_s=0.4)
    finder = FaceFinder(make_detector(settings, 1), settings)
    for at_s in (0.0, 0.04):
        (face,) = finder.find(frame(at_s, scene(0, 0))).faces
        assert face.landmarks is None


def test_a_crowd_is_searched_in_full(mtcnn: MtcnnDetector) -> None:
    """To search around each of many faces costs more than the picture."""
    counting = Counting(mtcnn)
    finder = FaceFinder(counting, DetectionSettings(follow_s=0.4, max_faces=1))
    finder.find(frame(0.0, scene(20.0, 20.0)))
    finder._known = finder._known * 2
    finder.find(frame(0.04, scene(20.0, 20.0)))
    finder.find(frame(0.08, scene(20.0, 20.0)))
    assert counting.asked == "FFn"


def test_whole_frames_are_not_searched() -> None:
    """One face a frame whatever the settings say, and a reduced picture only when it is asked."""
    settings = DetectionSettings(
        detector="frame", min_face_px=4096, threshold=1.0, frame_side_px=64
    )
    finder = FaceFinder(make_detector(settings, 1), settings)
    with pytest.raises(ValueError, match="no frame"):
        _ = finder.searched_image
    for pts_s, shown in ((0.0, scene(0, 0)), (0.04, scene(50, 0, width=320))):
        found = finder.find(frame(pts_s, shown))
        height, width = shown.shape[:2]
        assert found.boxes == (Box(0, 0, width, height),)
        assert [(face.confidence, face.landmarks) for face in found.faces] == [(1.0, None)]
        small, size = finder.searched_image, reduced_size(Size(height, width), settings)
        assert small.shape[:2] == (size.height, size.width)
        assert abs(float(small.mean()) - float(shown.mean())) < 2
