"""How the pictures of a fake differ from those of its original. Pure functions.

Differences that re-encoding explains are removed in four steps. The pictures are registered (a copy
may be cropped or scaled); colours are matched by one affine map for the whole video (lost colour
tags, another range); the difference is smoothed (codecs err in fine detail, manipulations shift
whole areas); and the rest is compared with a *noise floor*, the median difference of areas with
similar texture over the whole video. A cell differs if, averaged over time, it is `CHANGED_RATIO`
times that floor. The floor is measured on this very pair, on the unchanged part of the pictures,
which is most of them if only a face was changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

CELL_PX = 8
"""Side of a cell, pixels of the reduced pictures."""

CHANGED_RATIO = 2.4
"""Multiple of the noise floor for the strongest area of 3 x 3 cells, averaged over time."""
LEAST_LEVELS = 3.0
"""Grey levels of 255 above the floor that are also required: near 0, any ratio is large."""
MOST_FLOOR = 12.0
"""Highest floor, in grey levels, that compression explains; above it, nothing matches."""

_SMOOTH_PX = 2.0
_TEXTURE_STEPS = 8
_LEAST_FLOOR = 0.5
_FIT_ROUNDS = 4
_NEAR_LEVELS = 12.0
"""Colours this close, summed over three channels, are always used to fit the colour map."""
_BETTER = 0.97
_BLACK, _WHITE = 1.5, 251.5
_LEAST_CELLS = 0.1
"""Least share of cells that can be compared."""
_SEARCH_PX = 5
"""Side of the filter used for registration, pixels; odd."""
_LEAST_SEEN = 0.9
"""Least share of a cell's pixels with a known colour."""

Images = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class PictureDifference:
    """Pairs of pictures, compared.

    Attributes:
        outcome: changed, unchanged or unknown.
        why: the reason.
        ratio: of the strongest area to the noise floor, averaged over time.
        levels: of that area above the noise floor, grey levels of 255.
        floor_levels: the noise floor at median texture, grey levels.
        heat: float32 (rows, columns), multiple of the noise floor per cell, averaged over time.
        heats: float32 (k, rows, columns), the same for each pair.
        over_time: float32 (k,), multiple of the noise floor for each pair's strongest area.
        mean_levels: float32 (k,), mean absolute difference of each pair, grey levels, before
            all corrections.
        moved: whether the pictures had to be registered.
    """

    outcome: Literal["changed", "unchanged", "unknown"]
    why: str
    ratio: float
    levels: float
    floor_levels: float
    heat: Floats
    heats: Floats
    over_time: Floats
    mean_levels: Floats
    moved: bool


def picture_difference(fake: Images, original: Images) -> PictureDifference:
    """Compare pairs of pictures of one size that show the same moments.

    Args:
        fake, original: uint8 (k, height, width, 3) RGB, both sides at least 3 cells.
    """
    mean_levels = np.abs(fake.astype(np.float32) - original).mean(axis=(1, 2, 3))
    first, second = _colours(fake), _colours(original)
    first, inside, moved = _registered(first, second)
    clipped = _clipped(first) | _clipped(second)
    texture = _cells(_texture(second[..., 0]))
    first, second = _smoothed(first, _SMOOTH_PX), _smoothed(second, _SMOOTH_PX)
    apart = np.abs(_matched(first, second, inside & ~clipped) - second).sum(axis=3)
    seen = _cells((inside & ~clipped).astype(np.float32)) > _LEAST_SEEN
    levels = _cells(apart)
    floor = noise_floor(levels, texture, seen)
    ratios = np.where(seen, levels / np.maximum(floor, _LEAST_FLOOR), 0).astype(np.float32)
    above = np.where(seen, (levels - floor).clip(0), 0).astype(np.float32)
    heat = ratios.mean(axis=0)
    areas = _areas(heat)
    place = np.unravel_index(int(areas.argmax()), areas.shape)
    ratio, rise = float(areas[place]), float(_areas(above.mean(axis=0))[place])
    floor_levels = float(np.median(floor[seen])) if seen.any() else 0.0
    outcome, why = _judged(ratio, rise, floor_levels)
    if seen.mean() < _LEAST_CELLS:
        outcome, why = "unknown", "nearly all of the picture is too bright or too dark to compare"
    over_time = np.array([_areas(one).max() for one in ratios], np.float32)
    return PictureDifference(
        outcome,
        why,
        ratio,
        rise,
        floor_levels,
        heat,
        ratios,
        over_time,
        mean_levels.astype(np.float32),
        moved,
    )


def noise_floor(levels: Floats, texture: Floats, seen: npt.NDArray[np.bool_]) -> Floats:
    """Return what compression explains: codecs err more in areas with more texture.

    Cells are sorted into eighths by texture; the median difference of each is the floor there, and
    it never falls with texture.

    Args:
        levels, texture: float32 (k, rows, columns).
        seen: bool (k, rows, columns), cells that both pictures show.

    Returns:
        float32 (k, rows, columns), grey levels.
    """
    values, amounts = levels[seen], texture[seen]
    if not values.size:
        return np.zeros_like(levels)
    edges = np.unique(np.quantile(amounts, np.linspace(0, 1, _TEXTURE_STEPS + 1)))
    step = np.clip(np.searchsorted(edges, amounts, side="right") - 1, 0, max(len(edges) - 2, 0))
    known = np.unique(step)
    middles = [float(np.median(amounts[step == one])) for one in known]
    floors = np.maximum.accumulate([float(np.median(values[step == one])) for one in known])
    return np.interp(texture, middles, floors).astype(np.float32)


def _judged(
    ratio: float, rise: float, floor: float
) -> tuple[Literal["changed", "unchanged", "unknown"], str]:
    if floor > MOST_FLOOR:
        return "unknown", f"a noise floor of {floor:.1f} grey levels is too high for compression"
    changed = ratio >= CHANGED_RATIO and rise >= LEAST_LEVELS
    return ("changed" if changed else "unchanged"), (
        f"the strongest difference is {ratio:.1f} times the noise floor of {floor:.1f} grey levels "
        f"({CHANGED_RATIO:g} and above count as changed)"
    )


def _colours(pictures: Images) -> Floats:
    """Return luma and both colour differences, float32, 0 to 255."""
    scaled = pictures.astype(np.float32) / 255
    turned = [cv2.cvtColor(one, cv2.COLOR_RGB2YCrCb) for one in scaled]
    return np.stack(turned).astype(np.float32) * np.float32(255)


def _clipped(pictures: Floats) -> npt.NDArray[np.bool_]:
    """Find pixels with a clipped channel, whose value is unknown.

    Args:
        pictures: of `_colours`, possibly registered.
    """
    shown = np.stack([cv2.cvtColor(one / np.float32(255), cv2.COLOR_YCrCb2RGB) for one in pictures])
    return np.asarray((shown.max(axis=3) >= _WHITE / 255) | (shown.min(axis=3) <= _BLACK / 255))


def _registered(first: Floats, second: Floats) -> tuple[Floats, npt.NDArray[np.bool_], bool]:
    """Register `first` to `second`; return it, the pixels both show, and whether it was moved.

    The affine map comes from the enhanced correlation coefficient of the middle pair (Evangelidis,
    Psarakis, 2008); it is used only if all pairs then differ less.
    """
    height, width = first.shape[1:3]
    everything = np.ones((height, width), np.bool_)
    middle = len(first) // 2
    matrix: Any = np.eye(2, 3, dtype=np.float32)
    rule = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 60, 1e-4)
    try:
        _, matrix = cv2.findTransformECC(
            second[middle, ..., 0],
            first[middle, ..., 0],
            matrix,
            cv2.MOTION_AFFINE,
            rule,
            everything.astype(np.uint8),
            _SEARCH_PX,
        )
    except cv2.error:  # no convergence, as on uniform pictures
        return first, everything, False
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP

    def warped(one: Any, border: int = cv2.BORDER_REPLICATE) -> Any:
        return cv2.warpAffine(one, matrix, (width, height), flags=flags, borderMode=border)

    inside = warped(np.ones((height, width), np.float32), cv2.BORDER_CONSTANT) > 0.999
    if inside.mean() < 0.5:
        return first, everything, False
    moved = np.stack([warped(one) for one in first])
    before = np.abs(first - second)[:, inside].mean()
    after = np.abs(moved - second)[:, inside].mean()
    if after > _BETTER * before:
        return first, everything, False
    return moved.astype(np.float32), inside, True


def _matched(first: Floats, second: Floats, usable: npt.NDArray[np.bool_]) -> Floats:
    """Map `first` to the colours of `second` by an affine map, fitted without outliers.

    Args:
        first, second: float32 (k, height, width, 3).
        usable: bool (k, height, width), pixels whose colours are known.
    """
    step = max(1, int(np.sqrt(usable[0].size / 2000)))
    chosen = np.zeros_like(usable)
    chosen[:, ::step, ::step] = usable[:, ::step, ::step]
    if not chosen.any():
        return first
    source, target = first[chosen].astype(np.float64), second[chosen].astype(np.float64)
    kept = np.ones(len(source), np.bool_)
    # A small ridge towards no change, for pictures with few colours.
    ridge = 10.0 * np.eye(3)
    matrix: Any = np.eye(3)
    shift: Any = np.zeros(3)
    for _ in range(_FIT_ROUNDS):
        middle, wanted = source[kept].mean(axis=0), target[kept].mean(axis=0)
        here, there = source[kept] - middle, target[kept] - wanted
        matrix = np.linalg.solve(here.T @ here + ridge, here.T @ there + ridge)
        shift = wanted - middle @ matrix
        wrong = np.abs(source @ matrix + shift - target).sum(axis=1)
        kept = wrong <= max(float(np.quantile(wrong, 0.8)), _NEAR_LEVELS)
    return np.asarray(first @ matrix.astype(np.float32) + shift.astype(np.float32), np.float32)


def _smoothed(pictures: Floats, sigma: float) -> Floats:
    return np.stack([cv2.GaussianBlur(one, (0, 0), sigma) for one in pictures]).astype(np.float32)


def _texture(luma: Floats) -> Floats:
    """Return how much each picture changes from pixel to pixel."""
    smooth = _smoothed(luma, 1.0)
    across = np.abs(np.diff(smooth, axis=2, prepend=smooth[:, :, :1]))
    down = np.abs(np.diff(smooth, axis=1, prepend=smooth[:, :1]))
    return across + down


def _cells(pictures: Floats) -> Floats:
    """Return means over squares of `CELL_PX`, without the remainder at the right and bottom."""
    count, height, width = pictures.shape
    rows, columns = height // CELL_PX, width // CELL_PX
    squares = pictures[:, : rows * CELL_PX, : columns * CELL_PX]
    shape = (count, rows, CELL_PX, columns, CELL_PX)
    return np.asarray(squares.reshape(shape).mean(axis=(2, 4)), np.float32)


def _areas(heat: Floats) -> Floats:
    """Return means of 3 x 3 cells."""
    return np.asarray(cv2.blur(heat, (3, 3), borderType=cv2.BORDER_REFLECT), np.float32)
