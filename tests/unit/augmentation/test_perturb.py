"""Degradations: each takes away what it is meant to, keeps size and type, and repeats itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framejury.augmentation import perturb
from framejury.augmentation.video_codecs import Codec, VideoCompression, recoded
from framejury.records import Image
from tests.builders import clips
from tests.builders.faces import real_face

SCREEN = perturb.Screen(ratio=1.4, depth=0.2, period_px=3.0, turn_deg=8.0, gamma=1.1)
ALL: dict[str, Callable[[Image], Image]] = {
    "jpeg": lambda image: perturb.jpeg(image, 50),
    "h264": lambda image: perturb.h264([image], 30)[0],
    "rescaled": lambda image: perturb.rescaled(image, 0.5),
    "blurred": lambda image: perturb.blurred(image, 1.5),
    "noisy": lambda image: perturb.noisy(image, 6.0, np.random.default_rng(4)),
    "grey": perturb.grey,
    "sharpened": lambda image: perturb.sharpened(image, 1.0),
    "smoothed": lambda image: perturb.smoothed_skin(image, 0.8),
    "upscaled": lambda image: perturb.upscaled(image, 0.5, "lanczos", 0.6),
    "screen": lambda image: perturb.filmed_screen(image, SCREEN),
    "grain": lambda image: perturb.grainy(image, 6.0, 1.0, np.random.default_rng(4)),
    "hevc": lambda image: recoded([image], VideoCompression("hevc", 32, 3, 5))[0],
    "vp9": lambda image: recoded([image], VideoCompression("vp9", 45, 7, 1))[0],
}


def face() -> Image:
    """A face with its fine detail, 128 x 160."""
    return clips.face_frames(1)[0][20:148, 80:240].copy()


def loss(image: Image, other: Image) -> float:
    """Mean absolute difference, 0 to 255."""
    return float(np.abs(image.astype(int) - other.astype(int)).mean())


def detail(image: Image) -> float:
    """Energy of the finest detail: differences of neighbouring pixels, squared."""
    return float((np.diff(image.astype(float), axis=1) ** 2).mean())


@pytest.mark.parametrize("name", ALL)
def test_size_type_and_source_stay_and_the_picture_changes_a_little(name: str) -> None:
    source = face()
    before = source.copy()
    out = ALL[name](source)
    assert (out.shape, out.dtype) == (source.shape, np.uint8)
    assert np.array_equal(source, before)
    assert not np.shares_memory(out, source)
    assert 0.5 < loss(out, source) < 40


@pytest.mark.parametrize("name", ALL)
@settings(max_examples=15, deadline=None)
@given(height=st.integers(1, 70), width=st.integers(1, 70), seed=st.integers(0, 99))
def test_any_size_comes_back_the_same_every_time(
    name: str, height: int, width: int, seed: int
) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    out = ALL[name](image)
    assert (out.shape, out.dtype) == (image.shape, np.uint8)
    assert np.array_equal(out, ALL[name](image.copy()))


@pytest.mark.parametrize(
    ("weaken", "mild_to_strong"),
    [
        (perturb.jpeg, [90, 70, 50, 30]),
        (lambda image, crf: perturb.h264([image], crf)[0], [18, 23, 30, 40]),
        (perturb.rescaled, [1.0, 0.75, 0.5, 0.25]),
        (perturb.blurred, [1, 2, 3]),
        (
            lambda image, sigma: perturb.noisy(image, sigma, np.random.default_rng(0)),
            [0, 3, 9, 20],
        ),
        (lambda image, crf: recoded([image], VideoCompression("hevc", crf))[0], [18, 26, 34, 42]),
        (lambda image, crf: recoded([image], VideoCompression("vp9", crf))[0], [10, 30, 45, 60]),
        (perturb.sharpened, [0, 0.3, 0.8, 1.5]),
        (perturb.smoothed_skin, [0.1, 0.3, 0.6, 0.9]),
        (lambda image, ratio: perturb.upscaled(image, ratio, "cubic", 0.0), [1.0, 0.7, 0.4, 0.2]),
        (
            lambda image, sigma: perturb.grainy(image, sigma, 1.0, np.random.default_rng(0)),
            [0, 3, 9, 20],
        ),
    ],
    ids=["jpeg", "h264", "scale", "blur", "noise", "hevc", "vp9", "sharp", "skin", "up", "grain"],
)
def test_stronger_loses_more(
    weaken: Callable[[Image, float], Image], mild_to_strong: list[float]
) -> None:
    losses = [loss(weaken(face(), strength), face()) for strength in mild_to_strong]
    assert losses == sorted(set(losses))


def test_blur_and_scale_take_the_detail_and_noise_brings_some() -> None:
    whole = detail(face())
    assert detail(perturb.blurred(face(), 2)) < 0.4 * whole
    assert detail(perturb.rescaled(face(), 0.25)) < 0.4 * whole
    assert detail(perturb.noisy(face(), 10.0, np.random.default_rng(1))) > whole + 100


def test_a_smaller_picture_has_the_mean_of_what_it_covers() -> None:
    checks = np.indices((32, 32)).sum(axis=0) % 2 * 200
    board = np.repeat(checks[..., None], 3, axis=2).astype(np.uint8)
    assert (perturb.rescaled(board, 0.5) == 100).all()


def test_blur_is_gaussian_of_that_width() -> None:
    dot = np.zeros((41, 41, 3), np.uint8)
    dot[20, 20] = 255
    spread = perturb.blurred(dot, 1.0)[20, :, 0].astype(float)
    # Neighbours of the peak fall as exp(-1/2) does.
    assert spread[21] / spread[20] == pytest.approx(np.exp(-0.5), abs=0.03)
    assert spread[19] == spread[21]


def test_noise_has_the_spread_asked_for_and_does_not_wrap() -> None:
    flat = np.full((200, 200, 3), 128, np.uint8)
    noise = perturb.noisy(flat, 8.0, np.random.default_rng(3)).astype(float) - 128
    assert noise.std() == pytest.approx(8.0, abs=0.1)
    assert noise.mean() == pytest.approx(0.0, abs=0.1)
    white = np.full((50, 50, 3), 255, np.uint8)
    assert perturb.noisy(white, 8.0, np.random.default_rng(3)).min() > 200


def test_grey_is_luma_in_all_channels() -> None:
    colours = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [90, 90, 90]]], np.uint8)
    assert perturb.grey(colours)[0].tolist() == [[76] * 3, [150] * 3, [29] * 3, [90] * 3]


def test_a_flat_colour_survives_compression() -> None:
    red = np.zeros((32, 32, 3), np.uint8)
    red[..., 0] = 220
    for out in (perturb.jpeg(red, 90), *perturb.h264([red, red], 18)):
        assert np.abs(out.astype(int) - red).max() < 12


def test_a_clip_keeps_its_order_and_predicts_from_its_first_picture() -> None:
    frames = clips.face_frames(6)
    out = perturb.h264(frames, 23)
    numbers = [clips.read_frame_number(image) for image in out]
    assert numbers == [0, 1, 2, 3, 4, 5]
    # A repeated picture is predicted: it keeps what the first one lost and gains little.
    twice = perturb.h264([face(), face()], 35)
    assert loss(twice[0], twice[1]) < 0.5 * loss(twice[0], face())
    assert not np.array_equal(perturb.h264(frames, 35)[3], perturb.h264([frames[3]], 35)[0])


def test_wrong_arguments_are_named() -> None:
    small, large = real_face(0), face()
    for call, words in (
        (lambda: perturb.jpeg(large, 0), "1 to 100, got 0"),
        (lambda: perturb.h264([], 23), "the same size"),
        (lambda: perturb.h264([small, large], 23), "the same size"),
        (lambda: perturb.h264([large], 52), "0 to 51, got 52"),
        (lambda: recoded([large], VideoCompression("vp9", 64)), "0 to 63, got 64"),
        (lambda: perturb.rescaled(large, 0.0), "got 0.0"),
        (lambda: perturb.rescaled(large, 1.5), "got 1.5"),
        (lambda: perturb.upscaled(large, 1.5, "cubic", 0.5), "got 1.5"),
        (lambda: perturb.blurred(large, 0), "above 0, got 0"),
    ):
        with pytest.raises(ValueError, match=words):
            call()


@pytest.mark.parametrize("codec", ["h264", "hevc", "vp9"])
def test_an_offset_moves_the_grid_of_blocks(codec: Codec) -> None:
    """As if the picture had three columns more on its left and five rows more above."""
    image = face()
    larger = np.pad(image, ((5, 0), (3, 0), (0, 0)), mode="edge")
    (expected,) = recoded([larger], VideoCompression(codec, 34))
    (moved,) = recoded([image], VideoCompression(codec, 34, offset_x=3, offset_y=5))
    (straight,) = recoded([image], VideoCompression(codec, 34))
    assert np.array_equal(moved, expected[5:, 3:])
    assert not np.array_equal(moved, straight)


def test_sharpening_raises_edges_and_leaves_flat_areas() -> None:
    step = np.full((20, 20, 3), 80, np.uint8)
    step[:, 10:] = 160
    out = perturb.sharpened(step, 1.0)
    assert out[:, 9].max() < 80
    assert out[:, 10].min() > 160
    assert (out[:, :4] == 80).all()


def test_a_beauty_filter_takes_pores_and_keeps_edges() -> None:
    skin = np.full((40, 40, 3), 120, np.uint8)
    skin[:, 20:] = 220
    pores = perturb.noisy(skin, 5.0, np.random.default_rng(0))
    out = perturb.smoothed_skin(pores, 1.0).astype(int)
    assert out[:, :15].std() < 0.6 * pores[:, :15].std()
    assert out[:, 22:].mean() - out[:, :18].mean() > 95


def test_a_filmed_screen_has_stripes_of_colour_and_its_light() -> None:
    grey_card = np.full((60, 60, 3), 128, np.uint8)
    out = perturb.filmed_screen(grey_card, replace(SCREEN, gamma=1.0)).astype(float)
    assert out.mean() == pytest.approx(128, abs=4)
    assert out.std(axis=1).mean() > 3
    assert np.abs(out[..., 0] - out[..., 2]).mean() > 3
    plain = perturb.filmed_screen(grey_card, replace(SCREEN, depth=0.0, gamma=1.0))
    assert np.abs(plain.astype(int) - 128).max() <= 1
    assert perturb.filmed_screen(grey_card, replace(SCREEN, depth=0.0)).mean() < 125


def test_grain_is_the_same_in_all_channels_and_coarser_than_noise() -> None:
    flat = np.full((100, 100, 3), 128, np.uint8)
    out = perturb.grainy(flat, 6.0, 1.0, np.random.default_rng(2)).astype(float)
    assert np.array_equal(out[..., 0], out[..., 2])
    assert out.std() == pytest.approx(6.0, abs=0.2)
    values = out[..., 0] - 128
    assert (values[:, 1:] * values[:, :-1]).mean() > 0.5 * values.var()
