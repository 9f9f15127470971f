"""Fakes made from one real face, by one of several ways that are drawn by odds.

A new way is a function of `Maker`'s form in `_MAKERS`, and a name in `settings.learning.MadeFake`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from framejury.model.selfblend import Points, draw_blend, self_blended
from framejury.records import CroppedFace, Image
from framejury.settings import MadeFake

Maker = Callable[[Image, Points, np.random.Generator], Image]
"""From a real face, uint8 (height, width, 3) RGB, and its landmarks, float32 (5, 2), x and y in its
pixels, to a fake of the same shape and type. Pure: all randomness comes from the generator."""


def _self_blend(face: Image, landmarks: Points, rng: np.random.Generator) -> Image:
    return self_blended(face, landmarks, draw_blend(rng))


_MAKERS: dict[MadeFake, Maker] = {"self_blend": _self_blend}


def made_fake(
    face: CroppedFace, rng: np.random.Generator, odds: Mapping[MadeFake, float]
) -> CroppedFace:
    """Return a fake made from a real face; the face itself if it has no landmarks.

    Args:
        face: a real face.
        rng: source of all randomness.
        odds: of each way, at least 0, not all 0, as `training.made_fakes`.
    """
    if face.landmarks is None:
        return face
    ways = [way for way, odd in odds.items() if odd > 0]
    if len(ways) > 1:
        shares = np.array([odds[way] for way in ways])
        ways = [ways[int(rng.choice(len(ways), p=shares / shares.sum()))]]
    return replace(face, crop=_MAKERS[ways[0]](face.crop, face.landmarks, rng))
