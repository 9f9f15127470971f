"""framejury's MTCNN finds what the `mtcnn` package finds, on the same reduced frames."""

import csv
import os
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data

from framejury.faces.detect import detection_scale
from framejury.faces.mtcnn import MtcnnDetector
from framejury.records import Box, Point, Size
from framejury.settings import DetectionSettings

CORPUS = Path(__file__).resolve().parents[3].parent / "shared" / "corpus"
FRAMES_A_VIDEO = 3
FRAME_STEP = 12
LEAST_FRAMES = 200
LANDMARK_PX = 4.0
MEDIAN_PX = 0.05
"""Most faces agree to 0.001 pixels. A few follow another of two near-equal proposals, because
both run-times round differently, and end some pixels apart."""


@dataclass
class Tally:
    """Faces of the package, those of them found again, those only framejury has."""

    expected: int = 0
    found: int = 0
    extra: int = 0
    off_px: list[float] = field(default_factory=list)

    def add(self, expected, actual):
        """Count one frame's faces; each face matches at most one, box and landmarks."""
        left = list(actual)
        for box, points in expected:
            match = next((face for face in left if _alike(face, box, points)), None)
            if match is not None:
                left.remove(match)
                self.found += 1
                self.off_px.append(_off_px(match, box, points))
        self.expected += len(expected)
        self.extra += len(left)

    def check(self):
        assert self.found >= 0.99 * self.expected, self
        assert self.extra <= 0.01 * self.expected, self
        assert np.median(self.off_px) <= MEDIAN_PX, self


def _alike(face, box, points):
    return face.box.iou(box) >= 0.9 and _landmarks_off_px(face, points) <= LANDMARK_PX


def _off_px(face, box, points):
    """Largest distance on an axis of a corner or a landmark."""
    mine, theirs = face.box, box
    return max(
        abs(mine.x - theirs.x),
        abs(mine.y - theirs.y),
        abs(mine.x + mine.width - theirs.x - theirs.width),
        abs(mine.y + mine.height - theirs.y - theirs.height),
        _landmarks_off_px(face, points),
    )


def _landmarks_off_px(face, points):
    return max(
        max(abs(point.x - other.x), abs(point.y - other.y))
        for point, other in zip(face.landmarks, points, strict=True)
    )


@pytest.fixture(scope="module")
def package():
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed (extra train)")
    mtcnn = pytest.importorskip("mtcnn", reason="mtcnn is not installed (extra train)")
    network = mtcnn.MTCNN()

    def detect(image):
        """The package's faces of one image, not rounded: (box, landmarks) each."""
        rows = network.detect_faces(image, output_type="numpy")
        return [
            (Box(*row[1:5]), [Point(*xy) for xy in zip(row[6:11], row[11:16], strict=True)])
            for row in rows
        ]

    return detect


@pytest.fixture(scope="module")
def detector():
    return MtcnnDetector(threads=2)


@pytest.mark.parametrize("scale", [0.25, 0.5, 0.73, 1.0, 1.9])
def test_astronaut_at_several_scales(package, detector, scale):
    image = skimage.data.astronaut()
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    image = cv2.resize(image, None, fx=scale, fy=0.9 * scale, interpolation=method)
    tally = Tally()
    tally.add(package(image), detector.detect([image])[0])
    assert tally.expected >= 1
    tally.check()


def test_many_faces_of_several_sizes(package, detector):
    astronaut = skimage.data.astronaut()[:260, 90:350]
    tally = Tally()
    for side in (40, 61, 97, 150):
        small = cv2.resize(astronaut, (side, side), interpolation=cv2.INTER_AREA)
        crowd = np.tile(np.hstack([small, small[:, ::-1]]), (2, 2, 1))
        tally.add(package(crowd), detector.detect([crowd])[0])
    assert tally.expected >= 20
    tally.check()


def test_picture_without_a_face(package, detector):
    image = skimage.data.coffee()
    assert package(image) == []
    assert detector.detect([image]) == [[]]


@pytest.mark.long
def test_corpus_frames(package, detector):
    if not (CORPUS / "CORPUS.csv").is_file():
        pytest.skip("no corpus beside the checkout (../shared/corpus)")
    with (CORPUS / "CORPUS.csv").open(encoding="utf-8") as lines:
        files = sorted(row["file"] for row in csv.DictReader(lines))
    tally, frames_total = Tally(), 0
    for name in files:
        frames = [_reduced(frame) for frame in _frames(CORPUS / name)]
        frames_total += len(frames)
        for image, faces in zip(frames, detector.detect(frames), strict=True):
            tally.add(package(image), faces)
    assert {name.split("/")[0] for name in files} == {"celebdf", "dfdc", "ffpp", "other"}
    assert frames_total >= LEAST_FRAMES
    assert tally.expected >= LEAST_FRAMES
    tally.check()


def _frames(path):
    """Some frames of a video, RGB; few and early, because decoding is most of the time."""
    av = pytest.importorskip("av")
    with av.open(str(path)) as container:
        for rank, frame in enumerate(container.decode(video=0)):
            if rank % FRAME_STEP == 0:
                yield frame.to_ndarray(format="rgb24")
            if rank >= FRAME_STEP * (FRAMES_A_VIDEO - 1):
                return


def _reduced(image):
    settings = DetectionSettings()
    scale = detection_scale(Size(*image.shape[:2]), settings)
    if scale == 1:
        return np.ascontiguousarray(image)
    side = round(image.shape[1] * scale), round(image.shape[0] * scale)
    return cv2.resize(image, side, interpolation=cv2.INTER_AREA)
