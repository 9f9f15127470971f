"""Aligned crops: the similarity, what it cuts out, and what becomes of points and boxes."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framejury.faces.alignment import (
    aligned,
    aligned_box,
    aligned_region,
    alignment_of,
    similarity_between,
)
from framejury.faces.crop import Cut, cut_of, landmarks_in_crop, limited
from framejury.records import Box, DetectedFace, Point, Region, Similarity, Size
from framejury.settings import TEMPLATES, CropSettings

ARCFACE = np.array(TEMPLATES["arcface"])
SQUARE = np.array([(0, 0), (10, 0), (5, 5), (0, 10), (10, 10)], np.float64)
FRAME = Size(480, 640)
COLOURS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (255, 0, 255))


def turned(points: np.ndarray, degrees: float, scale: float, shift: tuple[float, float]):
    angle = math.radians(degrees)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    return scale * points @ turn + shift


def landmarks(degrees: float, side: float, corner: tuple[float, float]) -> tuple[Point, ...]:
    """Where the template's points are in a frame if its square was laid there."""
    return tuple(Point(*point) for point in turned(ARCFACE, degrees, side, corner).tolist())


def face_at(degrees: float, side: float, corner: tuple[float, float]) -> DetectedFace:
    return DetectedFace(Box(*corner, side, side), 1.0, landmarks(degrees, side, corner))


def test_a_quarter_turn_at_twice_the_size_by_hand() -> None:
    """(x, y) comes to (-2y + 100, 2x + 7): to the left what was below."""
    targets = np.array([(100, 7), (100, 27), (90, 17), (80, 7), (80, 27)], np.float64)
    found = similarity_between(SQUARE, targets)
    assert found is not None
    assert (found.a, found.b, found.c, found.d) == pytest.approx((0, 2, 100, 7), abs=1e-12)
    assert found.scale == pytest.approx(2)
    assert np.allclose(found.applied(SQUARE), targets)
    assert np.allclose(found.undone(targets), SQUARE)


@given(
    degrees=st.floats(-180, 180),
    scale=st.floats(0.01, 50),
    shift=st.tuples(st.floats(-1000, 1000), st.floats(-1000, 1000)),
)
def test_exact_points_give_what_opencv_finds(
    degrees: float, scale: float, shift: tuple[float, float]
) -> None:
    targets = turned(SQUARE, degrees, scale, shift)
    found = similarity_between(SQUARE, targets)
    assert found is not None
    reference, _ = cv2.estimateAffinePartial2D(SQUARE, targets)
    matrix = [[found.a, -found.b, found.c], [found.b, found.a, found.d]]
    assert np.allclose(matrix, reference, atol=1e-3 * max(scale, 1))
    assert np.allclose(found.applied(SQUARE), targets, atol=1e-9 * max(scale, 1000))


def umeyama(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Equations 38 to 43 of the paper, by the singular value decomposition."""
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    centred, target_centred = source - source_mean, target - target_mean
    u, d, vt = np.linalg.svd(target_centred.T @ centred / len(source))
    signs = np.array([1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    rotation = u @ np.diag(signs) @ vt
    scale = (d * signs).sum() / (centred**2).sum(axis=1).mean()
    return np.column_stack([scale * rotation, target_mean - scale * rotation @ source_mean])


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_noisy_points_give_the_least_squares_without_reflection(seed: int, mirrored: bool) -> None:
    rng = np.random.default_rng(seed)
    source, target = rng.normal(size=(2, 5, 2))
    if mirrored:  # the best affine map would mirror them
        target = source * (-1, 1) + rng.normal(0, 0.1, (5, 2))
    found = similarity_between(source, target)
    assert found is not None
    matrix = [[found.a, -found.b, found.c], [found.b, found.a, found.d]]
    assert np.allclose(matrix, umeyama(source, target))


def test_the_margin_widens_the_square_on_each_side() -> None:
    """A square of 100 at (50, 30), a quarter of it more on each side: 150 at (25, 5)."""
    found = alignment_of(landmarks(0, 100, (50, 30)), TEMPLATES["arcface"], 0.25)
    assert found is not None and found.scale == pytest.approx(1 / 150)
    assert np.allclose(found.applied(np.array([(25.0, 5.0), (175.0, 155.0)])), [(0, 0), (1, 1)])
    assert aligned_region(found, FRAME) == Region(25, 5, 150, 150)
    assert aligned_region(found, Size(100, 100)) == Region(25, 5, 75, 95)


@pytest.mark.parametrize("degrees", [0, 17, -40, 90, 180])
@pytest.mark.parametrize("limit", [512, 112, 60])
def test_landmarks_lie_where_the_template_has_them(degrees: float, limit: int) -> None:
    """Dots drawn at the landmarks of a turned face, found by their colours in its crop."""
    face = face_at(degrees, 200, (320, 240))
    frame = np.full((FRAME.height, FRAME.width, 3), 128, np.uint8)
    for point, colour in zip(face.landmarks or (), COLOURS, strict=True):
        cv2.circle(frame, (round(point.x - 0.5), round(point.y - 0.5)), 7, colour, -1)
    cut = cut_of(face, FRAME, CropSettings(template=TEMPLATES["arcface"], margin_ratio=0.1))
    assert cut is not None
    crop = limited(cut.turned(part_of(frame, cut.region)), limit)
    side = min(240, limit)
    assert crop.shape == (side, side, 3)
    wanted = (ARCFACE + 0.1) / 1.2 * side
    for colour, point in zip(COLOURS, wanted, strict=True):
        rows, columns = np.nonzero((np.abs(crop.astype(int) - colour) < 90).all(axis=2))
        assert np.allclose((columns.mean() + 0.5, rows.mean() + 0.5), point, atol=1.0)
    found = landmarks_in_crop(face.landmarks or (), cut, Size(side, side))
    assert np.allclose(found, wanted, atol=1e-3)
    middle = aligned_box(Box(0, 0, 0, 0), cut.alignment or Similarity(1, 0, 0, 0), side)
    assert (middle.width, middle.height) == (0, 0)


def part_of(frame: np.ndarray, region: Region) -> np.ndarray:
    rows = slice(region.y, region.y + region.height)
    return np.ascontiguousarray(frame[rows, region.x : region.x + region.width])


@given(
    degrees=st.floats(-180, 180),
    side=st.floats(20, 400),
    corner=st.tuples(st.floats(-50, 600), st.floats(-50, 440)),
)
def test_the_region_holds_all_that_the_crop_shows(
    degrees: float, side: float, corner: tuple[float, float]
) -> None:
    """Cut from it, a crop is what it is cut from the whole frame."""
    cut = cut_of(face_at(degrees, side, corner), FRAME, CropSettings(template=ARCFACE.tolist()))
    if cut is None or cut.alignment is None:
        return
    region = cut.region
    assert 0 <= region.x < region.x + region.width <= FRAME.width
    assert 0 <= region.y < region.y + region.height <= FRAME.height
    frame = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    frame = cv2.GaussianBlur(frame, (0, 0), 3)
    whole = aligned(frame, Region(0, 0, 640, 480), cut.alignment).astype(int)
    part = cut.turned(part_of(frame, region)).astype(int)
    assert part.shape == whole.shape
    assert np.abs(part - whole).max() <= 2  # OpenCV rounds places to 1/32 pixel


def test_beyond_the_frame_a_crop_is_black() -> None:
    cut = cut_of(face_at(0, 100, (-50, 0)), FRAME, CropSettings(template="arcface", margin_ratio=0))
    assert cut is not None and cut.region == Region(0, 0, 50, 100)
    crop = cut.turned(np.full((100, 50, 3), 200, np.uint8))
    assert crop.shape == (100, 100, 3)
    assert (crop[:, :49] == 0).all() and (crop[:, 51:] == 200).all()


def test_a_large_face_is_averaged_and_does_not_alias() -> None:
    """Stripes of one pixel are grey once the face is reduced to an eighth."""
    frame = np.zeros((1000, 1000, 3), np.uint8)
    frame[:, ::2] = 255
    cut = cut_of(face_at(20, 800, (400, 50)), Size(1000, 1000), CropSettings(template="arcface"))
    assert cut is not None
    small = limited(cut.turned(part_of(frame, cut.region)), 100)
    middle = small[40:60, 40:60].astype(float)
    assert np.abs(middle - 127.5).max() < 12


def test_landmarks_that_do_not_say_how_a_face_lies_cut_nothing() -> None:
    crops = CropSettings(template="arcface")
    one = DetectedFace(Box(10, 10, 50, 50), 1.0, (Point(30, 30),) * 5)
    assert cut_of(one, FRAME, crops) is None
    assert cut_of(face_at(0, 1e-3, (30, 30)), FRAME, crops) is None  # less than a pixel
    assert cut_of(face_at(0, 5000, (30, 30)), FRAME, crops) is None  # many times the frame
    assert cut_of(face_at(0, 100, (5000, 30)), FRAME, crops) is None  # elsewhere
    with pytest.raises(ValueError, match=r"detection\.detector=mtcnn"):
        cut_of(DetectedFace(Box(10, 10, 50, 50), 1.0, None), FRAME, crops)


def test_a_box_turns_with_its_face() -> None:
    """The middle of the box comes to where its pixel is, and its sides are scaled alike."""
    face = face_at(30, 200, (300, 100))
    cut = cut_of(face, FRAME, CropSettings(template="arcface", margin_ratio=0.5))
    assert cut is not None and cut.alignment is not None
    box = Box(250, 150, 100, 140)
    found = aligned_box(box, cut.alignment, 100)
    assert found.center == pytest.approx(
        (cut.alignment.applied(np.array([box.center]))[0] * 100).tolist()
    )
    assert (found.width, found.height) == pytest.approx((25, 35))


def test_without_a_template_the_cut_is_the_region() -> None:
    cut = cut_of(face_at(0, 100, (50, 30)), FRAME, CropSettings(margin_ratio=0.1))
    assert cut == Cut(Region(40, 20, 120, 120))
