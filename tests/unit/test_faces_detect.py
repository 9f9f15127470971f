"""Detectors on a real face, reduction and choice of faces."""

import subprocess
import sys

import av
import cv2
import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st

from framejury.errors import SetupError
from framejury.faces import detect, mtcnn
from framejury.faces.detect import detection_scale, find_faces, make_detector, select_faces
from framejury.faces.haar import HaarDetector
from framejury.faces.mtcnn import MtcnnDetector
from framejury.media.picture import Picture
from framejury.records import Box, DetectedFace, Point, Size
from framejury.schemas import LANDMARK_NAMES
from framejury.settings import DetectionSettings

ASTRONAUT_BOX = Box(181.6, 63.7, 83.0, 107.4)
DEFAULTS = DetectionSettings()


@pytest.fixture(scope="module")
def astronaut():
    return skimage.data.astronaut()


@pytest.fixture(scope="module")
def detector():
    return MtcnnDetector(threads=1)


def _face(x, y=0.0, width=100.0, height=100.0, confidence=0.99):
    return DetectedFace(Box(x, y, width, height), confidence, None)


# --- MTCNN ---


def test_mtcnn_finds_the_astronaut(detector, astronaut):
    (face,) = detector.detect([astronaut])[0]
    assert face.box.iou(ASTRONAUT_BOX) > 0.95
    assert 0.99 < face.confidence <= 1.0
    points = dict(zip(LANDMARK_NAMES, face.landmarks, strict=True))
    assert points["left_eye"].x < points["nose"].x < points["right_eye"].x
    assert points["left_eye"].y < points["nose"].y < points["mouth_left"].y
    assert points["mouth_left"].x < points["mouth_right"].x
    # not rounded
    assert face.box.x != round(face.box.x)


def test_mtcnn_reads_rgb(detector, astronaut):
    swapped = detector.detect([np.ascontiguousarray(astronaut[..., ::-1])])[0]
    right = detector.detect([astronaut])[0]
    assert [face.confidence for face in swapped] != [face.confidence for face in right]


def test_a_batch_gives_what_single_images_give(detector, astronaut):
    images = [np.zeros_like(astronaut), astronaut, astronaut[:, ::-1].copy()]
    together = detector.detect(images)
    assert [len(faces) for faces in together] == [0, 1, 1]
    for image, faces in zip(images, together, strict=True):
        for alone, face in zip(detector.detect([image])[0], faces, strict=True):
            assert alone.box.iou(face.box) > 0.999
    mirrored = Box(512 - ASTRONAUT_BOX.x - ASTRONAUT_BOX.width, 63.7, 83.0, 107.4)
    assert together[2][0].box.iou(mirrored) > 0.8


def test_boxes_end_at_the_border_of_the_picture(detector, astronaut):
    # Each cut goes through the face.
    (face,) = detector.detect([astronaut[:, 205:].copy()])[0]
    assert face.box.x == 0.0
    (face,) = detector.detect([astronaut[:150, :250].copy()])[0]
    assert face.box.y + face.box.height == pytest.approx(149)
    assert face.box.x + face.box.width == pytest.approx(249)


@pytest.mark.parametrize("side", [1, 11, 12, 13, 21, 40])
def test_tiny_pictures_hold_no_faces(detector, side):
    assert detector.detect([np.full((side, side, 3), 90, np.uint8)]) == [[]]


def test_no_images_give_no_lists(detector):
    assert detector.detect([]) == []


def test_mixed_sizes_and_other_arrays_are_refused(detector):
    with pytest.raises(ValueError, match="one size"):
        detector.detect([np.zeros((40, 50, 3), np.uint8), np.zeros((50, 40, 3), np.uint8)])
    for wrong in (np.zeros((40, 40), np.uint8), np.zeros((40, 40, 3), np.float32)):
        with pytest.raises(ValueError, match="uint8"):
            detector.detect([wrong])


def test_a_fault_in_a_network_is_not_no_faces(astronaut):
    class Broken:
        def run(self, outputs, feeds):
            raise RuntimeError("out of memory")

    detector = MtcnnDetector(threads=1)
    detector._onet = Broken()
    with pytest.raises(RuntimeError, match="out of memory"):
        detector.detect([astronaut])


def test_a_box_within_a_better_box_is_dropped_at_the_end(detector, monkeypatch):
    class Fixed:
        def run(self, outputs, feeds):
            face = np.array([0.9, 0.99, 0.8, 0.95], np.float32)
            return [np.zeros((4, 4), np.float32), np.zeros((4, 10), np.float32), face]

    monkeypatch.setattr(detector, "_onet", Fixed())
    inner, outer, weak, apart = [40, 40, 60, 60], [0, 0, 100, 100], [0, 0, 9, 9], [150, 0, 190, 50]
    boxes = np.array([[0, *box, 0.7] for box in (inner, outer, weak, apart)], np.float64)
    kept = detector._finish(np.zeros((1, 200, 200, 3), np.float32), boxes)
    assert kept[:, 1:5].tolist() == [outer, apart]


def test_missing_network_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(mtcnn, "_WEIGHTS_DIR", tmp_path)
    with pytest.raises(SetupError, match="reinstall framejury"):
        MtcnnDetector()


# --- Haar ---


@pytest.mark.parametrize(
    "cascade", ["haarcascade_frontalface_default", "haarcascade_frontalface_alt2"]
)
def test_haar_finds_the_astronaut(astronaut, cascade):
    haar = HaarDetector(DetectionSettings(detector="haar", haar_cascade=cascade))
    (faces,) = haar.detect([astronaut])
    best = max(faces, key=lambda face: face.box.iou(ASTRONAUT_BOX))
    assert best.box.iou(ASTRONAUT_BOX) > 0.5
    assert best.confidence == 1.0
    assert best.landmarks is None


def test_haar_uses_its_settings(astronaut):
    few = HaarDetector(DetectionSettings(haar_min_neighbors=100)).detect([astronaut])[0]
    many = HaarDetector(DetectionSettings(haar_min_neighbors=0)).detect([astronaut])[0]
    coarse = HaarDetector(DetectionSettings(haar_min_neighbors=0, haar_scale_factor=2.0))
    assert len(few) == 0 < len(coarse.detect([astronaut])[0]) < len(many)


def test_haar_runs_on_one_thread_and_leaves_opencv_as_it_was(monkeypatch):
    seen = []

    class Cascade:
        def detectMultiScale(self, grey, **options):  # noqa: N802 - as OpenCV
            seen.append((cv2.getNumThreads(), grey[0, 0]))
            raise cv2.error("broken")

    haar = HaarDetector(DEFAULTS)
    monkeypatch.setattr(haar, "_cascade", Cascade())
    red = np.zeros((30, 30, 3), np.uint8)
    red[..., 0] = 255
    before = cv2.getNumThreads()
    cv2.setNumThreads(2)
    try:
        with pytest.raises(cv2.error, match="broken"):  # and no error becomes "no faces"
            haar.detect([red])
        assert cv2.getNumThreads() == 2
    finally:
        cv2.setNumThreads(before)
    assert seen == [(1, 76)]  # 0.299 * 255: red, not blue


# --- making, reducing ---


def test_make_detector_follows_the_setting():
    assert make_detector(DetectionSettings(detector="haar"), threads=1).name == "haar"
    assert make_detector(DEFAULTS, threads=1).name == "mtcnn"


def test_a_low_threshold_reaches_onet(astronaut):
    small = cv2.resize(astronaut, (170, 170), interpolation=cv2.INTER_AREA)
    crowd = np.tile(cv2.GaussianBlur(small, None, 2.5), (2, 2, 1))
    confidences = {
        threshold: [
            face.confidence
            for face in make_detector(DetectionSettings(threshold=threshold), 1).detect([crowd])[0]
        ]
        for threshold in (0.0, 0.9)
    }
    assert min(confidences[0.0]) <= 0.8 < min(confidences[0.9])


@pytest.mark.parametrize(
    ("height", "width", "changes", "expected"),
    [
        (1080, 1920, {}, 20 / 48),
        (1920, 1080, {}, 20 / 48),
        (480, 640, {}, 360 / 480),
        (300, 400, {}, 1.0),
        (1080, 1920, {"min_face_px": 400}, 360 / 1080),
        (1080, 1920, {"min_face_px": 20}, 1.0),
    ],
)
def test_detection_scale(height, width, changes, expected):
    settings_ = DetectionSettings(**changes)
    assert detection_scale(Size(height, width), settings_) == pytest.approx(expected)


def pictures(*images):
    return [Picture(av.VideoFrame.from_ndarray(image, format="rgb24")) for image in images]


def test_find_faces_gives_full_frame_pixels_for_frames_of_several_sizes(detector, astronaut):
    wide = cv2.resize(astronaut, (1501, 1450), interpolation=cv2.INTER_CUBIC)
    blank = np.zeros((200, 300, 3), np.uint8)
    results = find_faces(pictures(wide, blank, astronaut, wide), detector, DEFAULTS)
    assert [len(result.faces) for result in results] == [1, 0, 1, 1]
    x, y = 1501 / 512, 1450 / 512
    expected = Box(
        ASTRONAUT_BOX.x * x, ASTRONAUT_BOX.y * y, ASTRONAUT_BOX.width * x, ASTRONAUT_BOX.height * y
    )
    for result in (results[0], results[3]):
        (face,) = result.faces
        assert face.box.iou(expected) > 0.9
        nose = face.landmarks[2]
        assert abs(nose.x - 224.2 * x) < 8
        assert abs(nose.y - 126.4 * y) < 8
    assert results[2].faces[0].box.iou(ASTRONAUT_BOX) > 0.8  # found at 360 pixels


def test_boxes_and_landmarks_are_scaled_on_each_axis():
    class Fixed:
        name = "fixed"

        def detect(self, images):
            assert images[0].shape == (360, 361, 3)
            box = Box(36.1, 36.0, 180.5, 90.0)
            return [[DetectedFace(box, 1.0, (Point(361.0, 360.0),))]]

    frame = np.zeros((1000, 1002, 3), np.uint8)
    choice = DetectionSettings(min_face_px=100)
    (result,) = find_faces(pictures(frame), Fixed(), choice)
    (face,) = result.faces
    box = face.box
    assert [box.x, box.y, box.width, box.height] == pytest.approx([100.2, 100, 501, 250])
    assert [face.landmarks[0].x, face.landmarks[0].y] == pytest.approx([1002, 1000])


def test_detection_sees_reduced_batches_of_one_size_and_bounded_memory():
    class Recorder:
        name = "recorder"

        def __init__(self):
            self.calls = []

        def detect(self, images):
            self.calls.append([image.shape[:2] for image in images])
            return [[] for _ in images]

    large, small = np.zeros((1080, 1920, 3), np.uint8), np.zeros((100, 120, 3), np.uint8)
    recorder = Recorder()
    find_faces(pictures(*[large] * 13, *[small] * 3, large), recorder, DEFAULTS)
    assert [len(call) for call in recorder.calls] == [5, 5, 3, 3, 1]
    assert set(recorder.calls[0]) == {(450, 800)}
    assert set(recorder.calls[3]) == {(100, 120)}
    assert max(len(call) * call[0][0] * call[0][1] for call in recorder.calls) <= detect._BATCH_PX


def test_found_counts_before_size_and_choice(detector, astronaut):
    only_large = DetectionSettings(min_face_px=200)
    (result,) = find_faces(pictures(astronaut), detector, only_large)
    assert (result.faces, result.found) == ((), 1)


# --- choosing ---


def test_threshold_and_minimum_size_are_inclusive():
    faces = [
        _face(0, confidence=0.95),
        _face(200, confidence=0.9499),
        _face(400, width=30, height=48),
        _face(600, width=47.9, height=40),
    ]
    assert [face.box.x for face in select_faces(faces, DEFAULTS)] == [0, 400]


def test_one_face_in_several_boxes_counts_once():
    overlapping = [_face(0, confidence=0.96), _face(30, confidence=0.99)]
    assert [face.box.x for face in select_faces(overlapping, DEFAULTS)] == [30]
    half = [_face(0, confidence=0.99), _face(45, confidence=0.96)]  # IoU 0.38, containment 0.55
    assert [face.box.x for face in select_faces(half, DEFAULTS)] == [0]
    nested = [_face(0, width=300, height=300), _face(40, y=40, width=60, height=60, confidence=1)]
    assert [face.box.x for face in select_faces(nested, DEFAULTS)] == [40]
    equal = [_face(10, width=90, height=90), _face(0)]
    assert [face.box.x for face in select_faces(equal, DEFAULTS)] == [0]


def test_neighbours_who_touch_are_two():
    assert len(select_faces([_face(0), _face(70)], DEFAULTS)) == 2


def test_keep_and_order():
    faces = [
        _face(500, width=90, height=90, confidence=0.99),
        _face(0, width=150, height=150, confidence=0.98),
        _face(900, width=120, height=120, confidence=0.97),
    ]

    def kept(**changes):
        return [face.box.x for face in select_faces(faces, DetectionSettings(**changes))]

    assert kept() == [0, 500, 900]
    assert kept(keep="largest") == [0]
    assert kept(keep="first") == [500]
    assert kept(keep="last") == [900]
    assert kept(max_faces=2) == [0, 900]


coordinates = st.floats(-50, 2000, allow_nan=False)
sides = st.floats(0, 400, allow_nan=False)
any_face = st.builds(
    DetectedFace,
    box=st.builds(Box, x=coordinates, y=coordinates, width=sides, height=sides),
    confidence=st.floats(0, 1, allow_nan=False),
    landmarks=st.none(),
)
any_settings = st.builds(
    DetectionSettings,
    threshold=st.floats(0, 1),
    min_face_px=st.integers(20, 200),
    keep=st.sampled_from(["all", "largest", "first", "last"]),
    max_faces=st.integers(1, 6),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(any_face, max_size=12), any_settings)
def test_select_faces_keeps_its_promises(faces, choice):
    kept = select_faces(faces, choice)
    assert len(kept) <= (choice.max_faces if choice.keep == "all" else 1)
    for index, face in enumerate(kept):
        assert face in faces
        assert face.confidence >= choice.threshold
        assert max(face.box.width, face.box.height) >= choice.min_face_px
        for other in kept[index + 1 :]:
            assert face.box.iou(other.box) < detect.SAME_FACE_IOU
            smaller = min(face.box.area, other.box.area)
            if smaller > 0:
                share = face.box.intersection(other.box) / smaller
                assert share < detect.SAME_FACE_CONTAINMENT
    centers = [face.box.center[0] for face in kept]
    assert centers == sorted(centers)
    assert select_faces(kept, choice) == kept


@settings(max_examples=100, deadline=None)
@given(st.lists(any_face, max_size=12))
def test_every_large_confident_face_is_kept_or_has_a_double(faces):
    choice = DetectionSettings(threshold=0.5, min_face_px=20, max_faces=1000)
    kept = select_faces(faces, choice)
    confident = [face for face in faces if face.confidence >= 0.5]
    for face in confident:
        if face in kept or max(face.box.width, face.box.height) < 20:
            continue
        assert any(
            detect._same_face(face.box, other.box)
            and (other.confidence, other.box.area) >= (face.confidence, face.box.area)
            for other in confident
            if other is not face
        )


def test_faces_load_neither_spark_nor_tensorflow():
    code = (
        "import sys, framejury.faces.detect, framejury.faces.crop, framejury.faces.person, "
        "framejury.signals.rgb; "
        "print([name for name in ('pyspark', 'tensorflow', 'keras', 'mtcnn', 'onnx', 'joblib') "
        "if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
