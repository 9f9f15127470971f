"""fastai's default changes, against plain formulas written pixel by pixel."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from framejury.augmentation.fastai_augment import (
    FastaiChange,
    apply_fastai,
    draw_fastai,
    source_points,
)
from framejury.records import Image

SIDE = 24
CHANGES = {
    "nothing": FastaiChange(),
    "flip": FastaiChange(flip=True),
    "turn": FastaiChange(turn_deg=7.0),
    "zoom": FastaiChange(zoom=1.08, zoom_at=(0.2, 0.9)),
    "warp": FastaiChange(warp=(0.15, -0.2)),
    "light": FastaiChange(light=0.58),
    "contrast": FastaiChange(contrast=0.8),
    "all": FastaiChange(
        flip=True, turn_deg=-9.0, zoom=1.1, zoom_at=(0.7, 0.1), warp=(-0.1, 0.12), light=0.42,
        contrast=1.25,
    ),
}  # fmt: skip


def picture() -> Image:
    smooth = np.random.default_rng(0).uniform(0, 255, (SIDE // 4, SIDE // 4, 3))
    return np.kron(smooth, np.ones((4, 4, 1))).astype(np.uint8)


def plain_place(x: float, y: float, change: FastaiChange) -> tuple[float, float]:
    """Where a pixel at x and y (-1 to 1) comes from: zoom, turn, mirror, then the warp."""
    scale = 1 / change.zoom
    x = scale * x + (1 - scale) * (2 * change.zoom_at[0] - 1)
    y = scale * y + (1 - scale) * (2 * change.zoom_at[1] - 1)
    turn = math.radians(change.turn_deg)
    x, y = math.cos(turn) * x + math.sin(turn) * y, -math.sin(turn) * x + math.cos(turn) * y
    if change.flip:
        x = -x
    # Eight equations: each moved corner falls on its own corner.
    to_side, up = change.warp
    corners = [(-1, -1), (-1, 1), (1, -1), (1, 1)]
    moved = [(-1 - up, -1 - to_side), (-1 + up, 1 + to_side)]
    moved += [(1 + up, -1 + to_side), (1 - up, 1 - to_side)]
    rows, values = [], []
    for (u, v), (a, b) in zip(corners, moved, strict=True):
        rows += [[a, b, 1, 0, 0, 0, -u * a, -u * b], [0, 0, 0, a, b, 1, -v * a, -v * b]]
        values += [u, v]
    c = np.linalg.solve(np.array(rows, float), np.array(values, float))
    below = c[6] * x + c[7] * y + 1
    return (c[0] * x + c[1] * y + c[2]) / below, (c[3] * x + c[4] * y + c[5]) / below


def plain(image: Image, change: FastaiChange) -> Image:
    side = len(image)
    result = np.zeros_like(image)
    for row in range(side):
        for column in range(side):
            x, y = plain_place(2 * column / (side - 1) - 1, 2 * row / (side - 1) - 1, change)
            at = [(one + 1) / 2 * (side - 1) for one in (x, y)]
            while not all(0 <= one <= side - 1 for one in at):  # mirrored at the outer pixels
                at = [-one if one < 0 else one for one in at]
                at = [2 * (side - 1) - one if one > side - 1 else one for one in at]
            left, top = (min(int(one), side - 2) for one in at)
            across, down = at[0] - left, at[1] - top
            value = (
                image[top, left] / 255 * (1 - across) * (1 - down)
                + image[top, left + 1] / 255 * across * (1 - down)
                + image[top + 1, left] / 255 * (1 - across) * down
                + image[top + 1, left + 1] / 255 * across * down
            )
            value = np.clip(value, 1e-7, 1 - 1e-7)
            logit = -np.log(1 / value - 1) + -math.log(1 / change.light - 1)
            result[row, column] = np.rint(255 / (1 + np.exp(-change.contrast * logit)))
    return result


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_what_the_formulas_say(name: str) -> None:
    image = picture()
    found = apply_fastai(image, CHANGES[name])
    assert found.dtype == np.uint8 and found.shape == image.shape
    assert np.abs(found.astype(int) - plain(image, CHANGES[name])).max() <= 1
    assert np.array_equal(found, image) == (name == "nothing")
    if name == "flip":
        assert np.array_equal(found, image[:, ::-1])


def test_light_rises_and_falls_with_its_sign() -> None:
    image = picture()
    brighter, darker = (apply_fastai(image, FastaiChange(light=one)) for one in (0.6, 0.4))
    inside = (image > 5) & (image < 250)
    assert (brighter[inside] > image[inside]).all() and (darker[inside] < image[inside]).all()


def test_what_is_drawn_has_the_published_odds_and_ranges() -> None:
    drawn = [draw_fastai(np.random.default_rng([5, n])) for n in range(4000)]
    assert np.mean([one.flip for one in drawn]) == pytest.approx(0.5, abs=0.03)
    parts = {
        "turn_deg": ([one.turn_deg for one in drawn], 0.0, -10.0, 10.0),
        "zoom": ([one.zoom for one in drawn], 1.0, 1.0, 1.1),
        "to the side": ([one.warp[0] for one in drawn], 0.0, -0.2, 0.2),
        "up": ([one.warp[1] for one in drawn], 0.0, -0.2, 0.2),
        "light": ([one.light for one in drawn], 0.5, 0.4, 0.6),
        "contrast": ([one.contrast for one in drawn], 1.0, 0.8, 1 / 0.8),
    }
    for name, (values, neutral, low, high) in parts.items():
        changed = np.array([value for value in values if value != neutral])
        assert len(changed) / len(values) == pytest.approx(0.75, abs=0.03), name
        assert low <= changed.min() < low + 0.02 * (high - low), name
        assert high - 0.02 * (high - low) < changed.max() <= high, name
    for place in ([one.place for one in drawn], [one.zoom_at for one in drawn]):
        low_x, low_y = np.min(place, axis=0)
        high_x, high_y = np.max(place, axis=0)
        assert 0 <= min(low_x, low_y) < 0.01 and 0.99 < max(high_x, high_y) <= 1
    logs = np.log([one.contrast for one in drawn if one.contrast != 1])
    assert logs.mean() == pytest.approx(0, abs=0.01)  # uniform on a logarithmic scale


def test_an_enlarged_part_lies_where_it_was_drawn() -> None:
    zoomed = FastaiChange(zoom=1.1, zoom_at=(0.0, 1.0))
    x, y = source_points(SIDE, zoomed)
    assert x.min() == pytest.approx(-1) and y.max() == pytest.approx(1)
    assert x.max() < 0.9 and y.min() > -0.9
    middle_x, middle_y = source_points(SIDE, replace(zoomed, zoom_at=(0.5, 0.5)))
    assert middle_x.sum() == pytest.approx(0, abs=1e-6) and middle_y.max() < 1
