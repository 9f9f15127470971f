"""A fake beside its original: what was changed, the picture, the sound or both. Pure.

`compare_streams` is the whole comparison, of anything that can give thumbnails, sound and chosen
frames; who reads them is the caller's business.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from framejury.inspection.align import Alignment, Grey, align, nearest_alike, overlapping
from framejury.inspection.difference import (
    CELL_PX,
    Images,
    PictureDifference,
    picture_difference,
)
from framejury.inspection.inspected import Facts
from framejury.inspection.sound import Samples
from framejury.inspection.sound_difference import SoundDifference, sound_difference
from framejury.media.sample import Indices, Times
from framejury.records import Size

COMPARED_PX = 320
"""Longer side of the pictures that are compared."""

SHAPE_SLACK = 0.06
"""Sides whose ratios differ by more than this share: not the same picture, cut or scaled."""

Modality = Literal["video", "audio", "both", "none", "unknown"]
"""What was changed; unknown: the picture or the sound cannot be compared."""


class Stream(Protocol):
    """A video as it is compared."""

    @property
    def facts(self) -> Facts:
        """Of its headers."""

    @property
    def times_s(self) -> Times:
        """Of its frames from the first one, as far as was looked."""

    @property
    def thumbnails(self) -> Grey:
        """Of each of them, uint8 (n, 36, 64), grey."""

    @property
    def sound(self) -> Samples:
        """int16 (m,) at `sound.RATE_HZ`; empty without sound."""

    @property
    def sound_start_s(self) -> float:
        """When the sound begins, from the first frame."""

    def frames(self, ranks: Indices, size: Size) -> tuple[Indices, Images]:
        """Frames of these ranks, reduced to one size: those that could be read, and pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Frames of both videos that show the same moments.

    Attributes:
        fake_ranks, original_ranks: int64 (k,).
        times_s: float64 (k,), on the fake's clock.
        fake, original: uint8 (k, height, width, 3) RGB, of one size.
    """

    fake_ranks: Indices
    original_ranks: Indices
    times_s: Times
    fake: Images
    original: Images


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Two videos, compared.

    Attributes:
        modality: what was changed.
        why: the reasons for each, in words.
        alignment: how they lie over each other in time.
        pairs, picture: None where they cannot be laid over each other.
        sound: the tracks.
    """

    modality: Modality
    why: tuple[str, ...]
    fake: Facts
    original: Facts
    alignment: Alignment
    pairs: Pairs | None
    picture: PictureDifference | None
    sound: SoundDifference


def compare_streams(fake: Stream, original: Stream, most_pairs: int) -> Comparison:
    """What was changed from the original to the fake.

    Both are aligned in time by what moves in them, up to `most_pairs` pairs of frames spread
    over what they share are compared, and the sound is.

    Raises:
        what `Stream.frames` raises.
    """
    found = align(fake.times_s, fake.thumbnails, original.times_s, original.thumbnails)
    pairs, picture = None, None
    reason = _why_not(found, fake.facts, original.facts)
    if reason is None:
        pairs = _pairs(fake, original, found.offset_s, most_pairs)
        if len(pairs.times_s):
            picture = picture_difference(pairs.fake, pairs.original)
        else:
            pairs, reason = None, "no pair of frames of both could be read"
    sound = sound_difference(
        fake.sound,
        fake.sound_start_s,
        original.sound,
        original.sound_start_s,
        found.offset_s if found.by != "none" else 0.0,
    )
    return Comparison(
        modality_of("unknown" if picture is None else picture.outcome, sound.outcome),
        (
            f"picture: {reason if picture is None else picture.why}",
            f"sound: {sound.why}",
        ),
        fake.facts,
        original.facts,
        found,
        pairs,
        picture,
        sound,
    )


def modality_of(picture: str, sound: str) -> Modality:
    """What was changed.

    Args:
        picture: changed, unchanged, unknown.
        sound: changed, unchanged, unknown, or absent: where neither has any, none was changed.
    """
    if "unknown" in (picture, sound):
        return "unknown"
    if picture == "changed":
        return "both" if sound == "changed" else "video"
    return "audio" if sound == "changed" else "none"


def _why_not(found: Alignment, fake: Facts, original: Facts) -> str | None:
    """Why the pictures cannot be compared; None where they can."""
    if found.by == "none":
        motion = (
            "" if found.motion is None else f"what moves in them correlates {found.motion:.2f}, "
        )
        return f"they do not show the same ({motion}their pictures {found.scene:.2f})"
    ratio = (fake.width_px * original.height_px) / (fake.height_px * original.width_px)
    if abs(ratio - 1) > SHAPE_SLACK:
        return (
            f"{fake.width_px} x {fake.height_px} and {original.width_px} x {original.height_px} "
            "pixels are of another shape"
        )
    if min(fake.width_px, fake.height_px, original.width_px, original.height_px) < 3 * CELL_PX:
        return "the pictures are too small"
    return None


def _pairs(fake: Stream, original: Stream, offset_s: float, most: int) -> Pairs:
    here, there = overlapping(fake.times_s, original.times_s, offset_s)
    some = np.unique(np.linspace(0, len(here) - 1, min(most, len(here))).round().astype(int))
    here, there = here[some], there[some]
    there = nearest_alike(fake.thumbnails, original.thumbnails, here, there)
    size = _common_size(fake.facts, original.facts)
    ours, pictures = fake.frames(here, size)
    theirs, others = original.frames(np.unique(there), size)
    # A damaged file gives fewer frames, or later ones, than were asked for.
    mine = {rank: at for at, rank in enumerate(ours.tolist())}
    yours = {rank: at for at, rank in enumerate(theirs.tolist())}
    both: npt.NDArray[np.bool_] = np.array(
        [a in mine and b in yours for a, b in zip(here.tolist(), there.tolist(), strict=True)],
        np.bool_,
    )
    here, there = here[both], there[both]
    return Pairs(
        here,
        there,
        fake.times_s[here],
        pictures[[mine[rank] for rank in here.tolist()]],
        others[[yours[rank] for rank in there.tolist()]],
    )


def _common_size(fake: Facts, original: Facts) -> Size:
    """Of the smaller video, at most `COMPARED_PX` on its longer side."""
    smaller = min(fake, original, key=lambda one: one.width_px * one.height_px)
    factor = min(1.0, COMPARED_PX / max(smaller.width_px, smaller.height_px))
    least = 3 * CELL_PX
    return Size(
        max(round(smaller.height_px * factor), least), max(round(smaller.width_px * factor), least)
    )
