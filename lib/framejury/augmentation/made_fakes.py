"""Fakes made from one real face, by one of several ways that are drawn by odds.

A new way is a function of `Maker`'s form in `_MAKERS`, and a name in `settings.learning.MadeFake`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from framejury.augmentation.elastic import displaced
from framejury.augmentation.selfblend import Points, draw_blend, self_blended
from framejury.records import CroppedFace, Image
from framejury.settings import MadeFake

_WHOLE = 0.5
"""Odds that all of the picture is the changed one; otherwise it is blended in."""


class Resynthesis(Protocol):
    """Draws a picture anew (`training.resynthesis`)."""

    def drawn_anew(self, face: Image, rng: np.random.Generator) -> Image:
        """Return the picture as a network draws it; same shape and type."""
        ...


@dataclass(frozen=True, slots=True)
class Materials:
    """What a fake is made from.

    Attributes:
        face: a real face, uint8 (height, width, 3) RGB.
        landmarks: float32 (5, 2), x and y in its pixels, in the order of `LANDMARK_NAMES`.
        rng: source of all randomness.
        resynthesis: None where no way with odds needs it.
    """

    face: Image
    landmarks: Points
    rng: np.random.Generator
    resynthesis: Resynthesis | None = None


Maker = Callable[[Materials], Image]
"""To a fake of the same shape and type as the real face. Pure."""


def _self_blend(given: Materials) -> Image:
    return self_blended(given.face, given.landmarks, draw_blend(given.rng))


def _animation(given: Materials) -> Image:
    moved = displaced(given.face, given.landmarks, given.rng)
    return _placed(moved, given)


def _resynthesis(given: Materials) -> Image:
    if given.resynthesis is None:
        raise ValueError("resynthesis needs its networks")
    rng = given.rng
    anew = given.resynthesis.drawn_anew(given.face, rng)
    # Mixed with the real picture, its traces are weaker.
    share = float(rng.choice((0.6, 0.8, 1.0, 1.0)))
    mixed = given.face + (anew.astype(np.float32) - given.face) * share
    fake: Image = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        fake = displaced(fake, given.landmarks, rng)
    return _placed(fake, given)


def _placed(changed: Image, given: Materials) -> Image:
    """Return all of the changed picture, or a part of it blended into the real face."""
    if given.rng.random() < _WHOLE:
        return changed
    blend = draw_blend(given.rng)
    if given.rng.random() < 0.7:
        blend = replace(blend, gains=(1.0, 1.0, 1.0), brightness=0.0, contrast=1.0, sharpness=0.0)
    return self_blended(given.face, given.landmarks, blend, inner=changed)


_MAKERS: dict[MadeFake, Maker] = {
    "self_blend": _self_blend,
    "animation": _animation,
    "resynthesis": _resynthesis,
}


def made_fake(
    face: CroppedFace,
    rng: np.random.Generator,
    odds: Mapping[MadeFake, float],
    resynthesis: Resynthesis | None = None,
) -> CroppedFace:
    """Return a fake made from a real face; the face itself if it has no landmarks.

    Args:
        face: a real face.
        rng: source of all randomness.
        odds: of each way, at least 0, not all 0, as `training.made_fakes`.
        resynthesis: needed if `resynthesis` has odds.
    """
    if face.landmarks is None:
        return face
    ways = [way for way, odd in odds.items() if odd > 0]
    if len(ways) > 1:
        shares = np.array([odds[way] for way in ways])
        ways = [ways[int(rng.choice(len(ways), p=shares / shares.sum()))]]
    given = Materials(face.crop, face.landmarks, rng, resynthesis)
    return replace(face, crop=_MAKERS[ways[0]](given))
