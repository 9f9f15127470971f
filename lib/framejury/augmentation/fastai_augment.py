"""Random changes of training pictures as fastai makes them by default (`aug_transforms`).

J. Howard, S. Gugger: fastai: A Layered API for Deep Learning. Information 11 (2), 2020; formulas
as in its file vision/augment.py, in NumPy. Mirror, rotation and zoom form one matrix, the
perspective warp follows, and the picture is sampled once; light and contrast change on the scale of
logits. Every function is pure; randomness comes from the generator passed in.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from framejury.records import Image

_FLIP_ODDS = 0.5
_ODDS = 0.75
"""Of each other change (`p_affine`, `p_lighting`)."""
_MOST_DEGREES = 10.0
_MOST_ZOOM = 1.1
_MOST_WARP = 0.2
_LIGHTING = 0.2
_LEAST = 1e-7
"""Values are kept this far from 0 and 1, where a logit is infinite."""

Floats = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FastaiChange:
    """One drawn change; the default of each part leaves the picture as it is.

    Attributes:
        place: where the square is cut out of a picture that is not square, 0 to 1 to the right and
            down, before all else.
        flip: whether to mirror left to right.
        turn_deg: rotation, degrees.
        zoom: enlargement.
        zoom_at: middle of the enlarged part, 0 to 1 to the right and down.
        warp: perspective, to the side and up or down; shares of half the side.
        light: 0.5 leaves it; its logit is added to those of the pixels.
        contrast: factor of the logits.
    """

    place: tuple[float, float] = (0.5, 0.5)
    flip: bool = False
    turn_deg: float = 0.0
    zoom: float = 1.0
    zoom_at: tuple[float, float] = (0.5, 0.5)
    warp: tuple[float, float] = (0.0, 0.0)
    light: float = 0.5
    contrast: float = 1.0


def draw_fastai(rng: np.random.Generator) -> FastaiChange:
    """Draw one change with the library's default odds and ranges."""

    def drawn(low: float, high: float, neutral: float) -> float:
        value = float(rng.uniform(low, high))
        return value if rng.random() < _ODDS else neutral

    most = -float(np.log(1 - _LIGHTING))
    place_x, place_y, zoom_x, zoom_y = rng.random(4).tolist()
    return FastaiChange(
        place=(place_x, place_y),
        flip=bool(rng.random() < _FLIP_ODDS),
        turn_deg=drawn(-_MOST_DEGREES, _MOST_DEGREES, 0.0),
        zoom=drawn(1.0, _MOST_ZOOM, 1.0),
        zoom_at=(zoom_x, zoom_y),
        warp=(drawn(-_MOST_WARP, _MOST_WARP, 0.0), drawn(-_MOST_WARP, _MOST_WARP, 0.0)),
        light=drawn(0.5 * (1 - _LIGHTING), 0.5 * (1 + _LIGHTING), 0.5),
        contrast=float(np.exp(drawn(-most, most, 0.0))),
    )


def apply_fastai(square: Image, change: FastaiChange) -> Image:
    """Apply a change, except for its `place`.

    Args:
        square: uint8 (side, side, 3) RGB.
        change: the drawn change.

    Returns:
        uint8 (side, side, 3) RGB, rounded once.
    """
    pixels = square.astype(np.float32) / np.float32(255)
    x, y = source_points(square.shape[0], change)
    values = relit_logits(sampled(pixels, x, y), change.light, change.contrast)
    return np.asarray(np.rint(values * 255), np.uint8)


def source_points(side_px: int, change: FastaiChange) -> tuple[Floats, Floats]:
    """Return where each pixel of the changed picture comes from.

    Args:
        side_px: side of the square, pixels.
        change: mirror, rotation, zoom and warp are used.

    Returns:
        x and y, float64 (side_px, side_px), -1 to 1 from the middle of the first pixel to that of
        the last; may lie outside.
    """
    turn, scale = np.deg2rad(change.turn_deg), 1 / change.zoom
    mirror = np.diag([-1.0 if change.flip else 1.0, 1.0, 1.0])
    rotation = np.eye(3)
    rotation[:2, :2] = [[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]
    zoom = np.diag([scale, scale, 1.0])
    zoom[:2, 2] = [(1 - scale) * (2 * at - 1) for at in change.zoom_at]
    line = np.linspace(-1, 1, side_px)
    grid = np.stack([*np.meshgrid(line, line), np.ones((side_px, side_px))])
    x, y, w = np.tensordot(_warp(*change.warp) @ mirror @ rotation @ zoom, grid, 1)
    return x / w, y / w


def _warp(to_side: float, up: float) -> Floats:
    """Return the perspective that moves four points outside or inside the corners onto them."""
    corners = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]], np.float32)
    moved = corners + np.array(
        [[-up, -to_side], [up, to_side], [up, to_side], [-up, -to_side]], np.float32
    )
    return np.asarray(cv2.getPerspectiveTransform(moved, corners), np.float64)


def sampled(pixels: Pixels, x: Floats, y: Floats) -> Pixels:
    """Sample a picture bilinearly; beyond its outer pixels it is mirrored.

    Args:
        pixels: float32 (side, side, 3).
        x, y: float64 (n, m), as `source_points` returns them.

    Returns:
        float32 (n, m, 3).
    """
    last = len(pixels) - 1
    columns, rows = (_mirrored((at + 1) / 2 * last, last) for at in (x, y))
    left, top = (np.minimum(at.astype(np.intp), max(last - 1, 0)) for at in (columns, rows))
    right, bottom = np.minimum(left + 1, last), np.minimum(top + 1, last)
    across, down = (
        (at - first)[..., None].astype(np.float32) for at, first in ((columns, left), (rows, top))
    )
    upper = pixels[top, left] * (1 - across) + pixels[top, right] * across
    lower = pixels[bottom, left] * (1 - across) + pixels[bottom, right] * across
    return np.asarray(upper * (1 - down) + lower * down)


def _mirrored(at: Floats, last: int) -> Floats:
    """Fold positions into 0 to `last`."""
    if last == 0:
        return np.zeros_like(at)
    rest = np.abs(at) % (2 * last)
    return np.asarray(np.minimum(rest, 2 * last - rest))


def relit_logits(values: Pixels, light: float, contrast: float) -> Pixels:
    """Return sigmoid(contrast (logit(values) + logit(light))).

    Args:
        values: float32, 0 to 1.
        light: above 0 to below 1; 0.5 leaves the light.
        contrast: factor; 1 leaves the contrast.
    """
    inside = np.clip(values, _LEAST, 1 - _LEAST)
    # exp(-logit(v)) is 1 / v - 1: one power instead of logarithms and an exponential.
    odds = (1 / inside - 1) * np.float32(1 / light - 1)
    return np.asarray(1 / (1 + odds ** np.float32(contrast)), np.float32)
