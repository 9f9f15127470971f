"""Graphics laid over pictures: bars, captions, logos, progress bars and emoji-like shapes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import cv2
import numpy as np

from framejury.records import Image

Kind = Literal["bars", "caption", "logo", "progress", "emoji"]
_KINDS: tuple[Kind, ...] = get_args(Kind)
_KIND_ODDS = (0.25, 0.3, 0.2, 0.1, 0.15)
_LETTERS = "ABCDEFGHIJKLMNOPRSTUVWabcdefghijklmnoprstuvw 0123456789 "
_FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
)
_YELLOW, _DARK = (255, 204, 50), (40, 30, 20)


@dataclass(frozen=True, slots=True)
class Graphic:
    """One drawn graphic.

    Attributes:
        kind: bars: letterbox at two opposite edges; caption: a line of text; logo: a
            half-transparent shape in a corner; progress: the bar of a player; emoji: a round face.
        size_ratio: of its shorter side, as a share of the picture's shorter side.
        x, y: of its centre, shares of width and height; bars, captions and progress bars keep to
            the edges.
        colour: RGB, 0..255.
        opacity: above 0 to 1.
        seed: of text and shape.
    """

    kind: Kind
    size_ratio: float
    x: float
    y: float
    colour: tuple[int, int, int]
    opacity: float
    seed: int


def draw_graphic(rng: np.random.Generator) -> Graphic:
    """Draw a graphic: 4 to 22% of the shorter side."""
    kind = _KINDS[int(rng.choice(len(_KINDS), p=_KIND_ODDS))]
    low, high = {"logo": (0.08, 0.2), "emoji": (0.1, 0.22)}.get(kind, (0.04, 0.12))
    red, green, blue = rng.integers(0, 256, 3).tolist()
    x, y = rng.random(2).tolist()
    return Graphic(
        kind=kind,
        size_ratio=float(rng.uniform(low, high)),
        x=x,
        y=y,
        colour=(red, green, blue) if rng.random() < 0.5 else (255, 255, 255),
        opacity=float(rng.uniform(0.35, 0.8)) if kind == "logo" else 1.0,
        seed=int(rng.integers(2**31)),
    )


def overlaid(image: Image, graphic: Graphic) -> Image:
    """Return the picture with a graphic over it.

    Args:
        image: uint8 (height, width, 3) RGB.
        graphic: the drawn graphic.

    Returns:
        uint8 of the same shape, RGB; a new array.
    """
    layer = image.copy()
    side_px = max(2, round(graphic.size_ratio * min(image.shape[:2])))
    _DRAWERS[graphic.kind](layer, graphic, side_px, np.random.default_rng(graphic.seed))
    if graphic.opacity == 1.0:
        return layer
    return np.asarray(
        cv2.addWeighted(layer, graphic.opacity, image, 1 - graphic.opacity, 0), np.uint8
    )


def _bars(layer: Image, graphic: Graphic, side_px: int, rng: np.random.Generator) -> None:
    # Often black, seldom coloured, as in letterboxed and pillarboxed uploads.
    colour = graphic.colour if rng.random() < 0.2 else (0, 0, 0)
    if rng.random() < 0.6:
        layer[:side_px] = layer[-side_px:] = colour
    else:
        layer[:, :side_px] = layer[:, -side_px:] = colour


def _caption(layer: Image, graphic: Graphic, side_px: int, rng: np.random.Generator) -> None:
    height, width = layer.shape[:2]
    text = "".join(rng.choice(list(_LETTERS), size=int(rng.integers(4, 24))))
    font = _FONTS[int(rng.integers(len(_FONTS)))]
    scale, thick = side_px / 24, max(1, side_px // 10)
    (long_px, _), _ = cv2.getTextSize(text, font, scale, thick)
    bottom = height - side_px // 2 if graphic.y > 0.3 else side_px + side_px // 2
    left = round(graphic.x * (width - long_px))
    dark = sum(graphic.colour) < 380
    if rng.random() < 0.4:
        corners = ((left - 2, bottom - side_px), (left + long_px + 2, bottom + side_px // 3))
        cv2.rectangle(layer, *corners, (255, 255, 255) if dark else (0, 0, 0), cv2.FILLED)
    else:
        outline = (255, 255, 255) if dark else (0, 0, 0)
        cv2.putText(layer, text, (left, bottom), font, scale, outline, thick + 2, cv2.LINE_AA)
    cv2.putText(layer, text, (left, bottom), font, scale, graphic.colour, thick, cv2.LINE_AA)


def _logo(layer: Image, graphic: Graphic, side_px: int, rng: np.random.Generator) -> None:
    height, width = layer.shape[:2]
    margin = side_px // 2 + 2
    x = margin if graphic.x < 0.5 else width - margin
    y = margin if graphic.y < 0.5 else height - margin
    half = side_px // 2
    if rng.random() < 0.5:
        cv2.circle(layer, (x, y), half, graphic.colour, cv2.FILLED, cv2.LINE_AA)
    else:
        corners = ((x - half, y - half // 2), (x + half, y + half // 2))
        cv2.rectangle(layer, *corners, graphic.colour, cv2.FILLED)
    letter, scale = str(rng.choice(list(_LETTERS.replace(" ", "")))), side_px / 40
    place = (x - half // 2, y + half // 2)
    cv2.putText(layer, letter, place, _FONTS[0], scale, _DARK, max(1, side_px // 14), cv2.LINE_AA)


def _progress(layer: Image, graphic: Graphic, side_px: int, rng: np.random.Generator) -> None:
    height, width = layer.shape[:2]
    thick, y = max(1, side_px // 3), height - max(2, side_px // 2)
    done = round(graphic.x * width)
    cv2.line(layer, (0, y), (width, y), (150, 150, 150), thick)
    cv2.line(layer, (0, y), (done, y), (230, 40, 40) if rng.random() < 0.5 else _YELLOW, thick)
    cv2.circle(layer, (done, y), thick, (255, 255, 255), cv2.FILLED, cv2.LINE_AA)


def _emoji(layer: Image, graphic: Graphic, side_px: int, rng: np.random.Generator) -> None:
    height, width = layer.shape[:2]
    x, y, half = round(graphic.x * width), round(graphic.y * height), max(2, side_px // 2)
    colour = _YELLOW if rng.random() < 0.7 else graphic.colour
    cv2.circle(layer, (x, y), half, colour, cv2.FILLED, cv2.LINE_AA)
    for eye in (x - half // 3, x + half // 3):
        cv2.circle(layer, (eye, y - half // 4), max(1, half // 7), _DARK, cv2.FILLED, cv2.LINE_AA)
    mouth = (max(1, half // 2), max(1, half // 3))
    cv2.ellipse(layer, (x, y + half // 5), mouth, 0, 0, 180, _DARK, max(1, half // 8), cv2.LINE_AA)


_DRAWERS: dict[Kind, Callable[[Image, Graphic, int, np.random.Generator], None]] = {
    "bars": _bars,
    "caption": _caption,
    "logo": _logo,
    "progress": _progress,
    "emoji": _emoji,
}
