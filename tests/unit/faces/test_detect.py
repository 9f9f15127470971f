"""Detectors on a real face, reduction and choice of faces."""

import subprocess
import sys

import cv2
import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st

from framejury.errors import SetupError
from framejury.faces import cascade, detect, mtcnn
from framejury.faces.detect import (
    choose_faces,
    detection_scale,
    make_detector,
    reduced_size,
    rescaled,
)
from framejury.faces.haar import HaarDetector
from framejury.faces.mtcnn import MtcnnDetector
from framejury.records import Box, DetectedFace, Point, Size
from framejury.schemas.statuses import LANDMARK_NAMES
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
            heads = np.zeros((4, 15), np.float32)
            heads[:, 14] = [cascade.logit(share) for share in (0.9, 0.99, 0.79, 0.95)]
            return [heads]

    monkeypatch.setattr(detector, "_onet", Fixed())
    inner, outer, weak, apart = [40, 40, 60, 60], [0, 0, 100, 100], [0, 0, 9, 9], [150, 0, 190, 50]
    boxes = np.array([[*box, 0.7] for box in (inner, outer, weak, apart)], np.float64)
    kept = detector._finish(np.zeros((200, 200), np.uint32), boxes)
    assert kept[:, :4].tolist() == [outer, apart]


# --- MTCNN near known faces ---


def _with_small_face(astronaut, left):
    """A picture whose only face is about 27 pixels high, at `left` + 22."""
    picture = np.full((360, 640, 3), 90, np.uint8)
    small = cv2.resize(astronaut[:260, 90:350], (64, 64), interpolation=cv2.INTER_AREA)
    picture[150:214, left : left + 64] = small
    return picture


def test_a_small_face_is_found_near_its_last_box_only(detector, astronaut):
    before, now = (_with_small_face(astronaut, left) for left in (300, 306))
    (last,) = detector.detect([before])[0]
    assert last.box.height < 40
    (expected,) = detector.detect([now])[0]
    (face,), none, elsewhere = detector.detect_near(
        [now, now, now], [[last.box], [], [Box(50.0, 50.0, 24.0, 30.0)]]
    )
    assert face.box.iou(expected.box) > 0.8
    assert face.box.iou(expected.box) > face.box.iou(last.box)  # where it is, not where it was
    assert none == elsewhere == []


def test_a_large_face_is_found_without_a_box(detector, astronaut):
    (expected,) = detector.detect([astronaut])[0]
    (face,) = detector.detect_near([astronaut], [[]])[0]
    assert face.box.iou(expected.box) > 0.9


def test_boxes_beyond_the_picture_are_no_fault(detector, astronaut):
    beyond = [Box(-500.0, 0.0, 30.0, 40.0), Box(511.0, 511.0, 30.0, 40.0), Box(9.0, 9.0, 0.0, 0.0)]
    assert len(detector.detect_near([astronaut], [beyond])[0]) == 1


def test_near_looks_at_fewer_pixels(astronaut, monkeypatch):
    detector = MtcnnDetector(threads=1)
    seen = []
    network = detector._pnet

    class Counting:
        def run(self, outputs, feeds):
            seen.append(feeds["input"].size)
            return network.run(outputs, feeds)

    monkeypatch.setattr(detector, "_pnet", Counting())
    picture = _with_small_face(astronaut, 300)
    faces = detector.detect([picture])[0]
    whole, seen[:] = sum(seen), []
    detector.detect_near([picture], [[face.box for face in faces]])
    assert sum(seen) < whole / 4


def test_near_wants_one_sequence_of_boxes_an_image(detector, astronaut):
    with pytest.raises(ValueError, match="shorter"):
        detector.detect_near([astronaut], [])
    with pytest.raises(ValueError, match="uint8"):
        detector.detect_near([np.zeros((40, 40), np.uint8)], [[]])


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
    assert make_detector(DetectionSettings(detector="frame"), threads=1).name == "frame"


def test_a_whole_frame_is_one_face():
    detector = make_detector(DetectionSettings(detector="frame"), threads=1)
    images = [np.zeros((20, 30, 3), np.uint8), np.zeros((5, 4, 3), np.uint8)]
    assert detector.detect(images) == [
        [DetectedFace(Box(0, 0, 30, 20), 1.0, None)],
        [DetectedFace(Box(0, 0, 4, 5), 1.0, None)],
    ]


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


def test_reduced_sizes_keep_a_pixel():
    assert reduced_size(Size(1080, 1920), DEFAULTS) == Size(450, 800)
    assert reduced_size(Size(1, 3), DEFAULTS) == Size(1, 3)
    assert reduced_size(Size(1000, 1002), DetectionSettings(min_face_px=100)) == Size(360, 361)


def test_faces_are_scaled_on_each_axis():
    face = DetectedFace(Box(36.1, 36.0, 180.5, 90.0), 1.0, (Point(361.0, 360.0),))
    scaled = rescaled(face, Size(360, 361), Size(1000, 1002))
    box = scaled.box
    assert [box.x, box.y, box.width, box.height] == pytest.approx([100.2, 100, 501, 250])
    assert [scaled.landmarks[0].x, scaled.landmarks[0].y] == pytest.approx([1002, 1000])
    assert scaled.confidence == 1.0


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


def select_faces(faces, choice):
    return list(choose_faces(faces, choice).faces)


def test_boxes_are_of_every_face_before_size_and_choice():
    small = _face(500, width=30, height=30)
    chosen = choose_faces([_face(0), _face(5), small, _face(900, confidence=0.5)], DEFAULTS)
    assert [face.box.x for face in chosen.faces] == [0]
    assert [box.x for box in chosen.boxes] == [0, 500]


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
def test_choosing_keeps_its_promises(faces, choice):
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
        "import sys, framejury.faces.detect, framejury.faces.crop, framejury.faces.tracks, "
        "framejury.signals.rgb; "
        "print([name for name in ('pyspark', 'tensorflow', 'keras', 'mtcnn', 'onnx', 'joblib') "
        "if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- pictures made to keep a detector busy ---


def test_mtcnn_does_a_bounded_amount_of_work(monkeypatch):
    """Every cell of the pyramid a candidate, some hundred thousand: few enough are looked at."""
    seen = []
    original = mtcnn._run

    def counting(network, pixels, boxes, side_px):
        seen.append(len(boxes))
        return original(network, pixels, boxes, side_px)

    monkeypatch.setattr(mtcnn, "_run", counting)
    monkeypatch.setattr(cascade, "MOST_CANDIDATES", 300)
    greedy = MtcnnDetector(1, pnet_threshold=0.0, rnet_threshold=0.0, onet_threshold=0.0)
    noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    (faces,) = greedy.detect([noise])
    assert len(seen) == 2 and max(seen) <= 300
    assert 0 < len(faces) <= 300


def test_ten_thousand_hits_are_compared_in_a_moment():
    """As many as Haar gives with no neighbours asked for; all as sure, so the largest stay."""
    hits = [
        _face(30.0 * x, 30.0 * y, 10.0 + (x + y) % 10, 20.0) for x in range(100) for y in range(100)
    ]
    found = choose_faces(hits, DetectionSettings(threshold=0, min_face_px=20, max_faces=32))
    assert len(found.boxes) == detect.MOST_FACES
    assert len(found.faces) == 32
    assert {box.width for box in found.boxes} == {19.0}
