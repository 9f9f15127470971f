"""Post-processing: what grading and graphics do, how often a chain is lossy, and its cost."""

from __future__ import annotations

import time
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from framejury.augmentation import perturb
from framejury.augmentation.grading import Grade, draw_grade, graded
from framejury.augmentation.graphics import Graphic, Kind, draw_graphic, overlaid
from framejury.augmentation.post_processing import (
    Grain,
    PostProcessing,
    Upscaling,
    draw_post_processing,
    post_processed,
)
from framejury.augmentation.video_codecs import VideoCompression
from tests.builders.faces import real_face
from tests.builders.lossy_steps import lossy_steps

SCREEN = perturb.Screen(1.3, 0.2, 3.0, 5.0, 1.0)
STEPS: dict[str, Any] = {
    "smoothing": 0.8,
    "grade": Grade(gamma=1.2),
    "sharpening": 1.0,
    "graphic": Graphic("bars", 0.1, 0.5, 0.5, (0, 0, 0), 1.0, 1),
    "small_ratio": 0.4,
    "upscaling": Upscaling(0.5, "lanczos", 0.5),
    "screen": SCREEN,
    "blur_sigma_px": 1.0,
    "noise_sigma": 5.0,
    "grain": Grain(5.0, 1.0),
    "videos": (VideoCompression("h264", 38),),
    "jpeg_quality": 45,
}
LOSSLESS = ("grade", "sharpening", "graphic")


def drawn(ratio: float = 1.0, count: int = 1000) -> list[PostProcessing]:
    return [draw_post_processing(np.random.default_rng(seed), ratio) for seed in range(count)]


def difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(int) - other).mean())


def test_every_step_is_here() -> None:
    assert {*STEPS, "seed"} == {field.name for field in fields(PostProcessing)}


@pytest.mark.parametrize("step", STEPS)
def test_each_step_changes_the_picture_a_little_and_counts_as_what_it_is(step: str) -> None:
    face = real_face(0)
    before = face.copy()
    chain = replace(PostProcessing(), **{step: STEPS[step]})
    out = post_processed(face, chain)
    assert out.shape == face.shape and out.dtype == np.uint8
    assert 0.3 < difference(out, face) < 35
    assert np.array_equal(face, before)
    assert lossy_steps(chain) == (0 if step in LOSSLESS else 1)


def test_each_generation_of_video_loses_more() -> None:
    face = real_face(0)
    videos = tuple(VideoCompression("h264", 34, 5 * n, 3 * n) for n in range(3))
    losses = [
        difference(post_processed(face, PostProcessing(videos=videos[:count])), face)
        for count in range(4)
    ]
    assert losses == sorted(set(losses))
    assert lossy_steps(PostProcessing(videos=videos)) == 3


@pytest.mark.parametrize(("ratio", "least", "most"), [(0.0, 1.0, 1.0), (0.4, 0.74, 0.85)])
def test_fine_traces_are_left_more_often_at_lower_ratios(
    ratio: float, least: float, most: float
) -> None:
    untouched = np.mean([lossy_steps(chain) == 0 for chain in drawn(ratio)])
    assert least <= untouched <= most


def test_fine_traces_are_left_in_four_of_ten_draws_and_every_step_is_drawn() -> None:
    chains = drawn()
    assert 0.4 <= np.mean([lossy_steps(chain) == 0 for chain in chains]) <= 0.52
    for step in STEPS:
        assert 0.01 < np.mean([bool(getattr(chain, step)) for chain in chains]) < 0.45, step
    videos = [video for chain in chains for video in chain.videos]
    assert {video.codec for video in videos} == {"h264", "hevc", "vp9"}
    assert {len(chain.videos) for chain in chains} == {0, 1, 2, 3}
    assert all(18 <= video.rate_factor <= 56 for video in videos)


def test_editing_is_the_same_at_any_ratio() -> None:
    def edits(ratio: float) -> list[tuple[object, ...]]:
        return [tuple(getattr(chain, step) for step in LOSSLESS) for chain in drawn(ratio, 60)]

    assert edits(0.0) == edits(1.0)
    assert len(set(edits(1.0))) > 10


def test_the_same_chain_gives_the_same_picture() -> None:
    face = real_face(1)
    for chain in drawn(count=60):
        assert np.array_equal(post_processed(face, chain), post_processed(face.copy(), chain))


def test_a_chain_takes_few_milliseconds() -> None:
    face = real_face(0, side_px=128)
    chains = drawn(count=150)
    began_s = time.process_time()
    for chain in chains:
        post_processed(face, chain)
    assert (time.process_time() - began_s) / len(chains) < 0.008


# Grading


def test_curves_white_balance_and_saturation() -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[np.newaxis, :, np.newaxis], 3, axis=2)
    assert np.array_equal(graded(ramp, Grade()), ramp)
    assert graded(ramp, Grade(gamma=1.3))[0, 128, 0] < 115
    steep = graded(ramp, Grade(contrast=0.4))[0, :, 0].astype(int)
    assert steep[64] < 64 and steep[192] > 192 and steep[[0, 255]].tolist() == [0, 255]
    warm = graded(ramp, Grade(gains=(1.1, 1.0, 0.9)))[0, 100]
    assert warm.tolist() == [110, 100, 90]
    tinted = graded(ramp, Grade(lifts=(0.0, 0.0, 12.0)))[0]
    assert tinted[0].tolist() == [0, 0, 12]
    cooled = graded(ramp, Grade(lifts=(-12.0, 0.0, 0.0)))[0]
    assert cooled[255].tolist() == [255, 255, 255]  # a tint of the shadows fades
    assert cooled[64, 0] < 60
    red = np.full((2, 2, 3), (200, 60, 60), np.uint8)
    assert np.ptp(graded(red, Grade(saturation=0.0))[0, 0]) == 0
    assert np.ptp(graded(red, Grade(saturation=1.3))[0, 0]) > 140


def test_a_vignette_darkens_the_corners_only() -> None:
    flat = np.full((41, 61, 3), 200, np.uint8)
    out = graded(flat, Grade(vignette=0.4))
    assert out[20, 30, 0] == 200
    assert out[0, 0, 0] == 120


@pytest.mark.parametrize("seed", range(20))
def test_no_drawn_grade_wraps(seed: int) -> None:
    grade = draw_grade(np.random.default_rng(seed))
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[np.newaxis, :, np.newaxis], 3, axis=2)
    steps = np.diff(graded(ramp, replace(grade, vignette=0.0))[0].astype(int), axis=0)
    assert steps.min() >= -4


# Graphics


@pytest.mark.parametrize("kind", ["bars", "caption", "logo", "progress", "emoji"])
@pytest.mark.parametrize("shape", [(128, 96), (33, 47), (3, 3)])
def test_a_graphic_covers_a_part(kind: Kind, shape: tuple[int, int]) -> None:
    face = np.full((*shape, 3), 90, np.uint8)
    seen = []
    for seed in range(8):
        out = overlaid(face, Graphic(kind, 0.1, 0.2 + seed / 20, 0.7, (250, 250, 250), 1.0, seed))
        assert out.shape == face.shape and out.dtype == np.uint8
        seen.append((out != face).any(axis=2).mean())
    assert (face == 90).all()
    assert max(seen) > 0
    if min(shape) > 90:
        assert 0.004 < min(seen) <= max(seen) < 0.45


def test_bars_are_at_opposite_edges() -> None:
    face = np.full((100, 100, 3), 90, np.uint8)
    for seed in range(10):
        out = overlaid(face, Graphic("bars", 0.1, 0.5, 0.5, (1, 2, 3), 1.0, seed))
        changed = (out != face).any(axis=2)
        assert changed.sum() == 2000
        assert not changed[10:90, 10:90].any()


def test_a_logo_lets_the_picture_through() -> None:
    face = np.zeros((100, 100, 3), np.uint8)
    out = overlaid(face, Graphic("logo", 0.2, 0.9, 0.1, (200, 200, 200), 0.5, 3))
    assert 90 <= out.max() <= 100
    assert not out[:, :50].any()


def test_drawn_graphics_are_of_every_kind() -> None:
    kinds = {draw_graphic(np.random.default_rng(seed)).kind for seed in range(100)}
    assert kinds == {"bars", "caption", "logo", "progress", "emoji"}
