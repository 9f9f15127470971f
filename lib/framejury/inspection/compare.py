"""Comparison of a fake with its original: was the picture changed, the sound or both? Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from framejury.inspection.align import Alignment, align, nearest_alike, overlapping
from framejury.inspection.difference import (
    CELL_PX,
    Images,
    PictureDifference,
    picture_difference,
)
from framejury.inspection.inspected import Facts, Stream
from framejury.inspection.sound_difference import SoundDifference, sound_difference
from framejury.media.sample import Indices, Times
from framejury.records import Size

COMPARED_PX = 320
"""Longer side of the compared pictures."""

SHAPE_SLACK = 0.06
"""Aspect ratios that differ by more than this share are not of the same picture."""

Modality = Literal["video", "audio", "both", "none", "unknown"]
"""What was changed; unknown: the picture or the sound cannot be compared."""


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
        why: one reason for the picture, one for the sound.
        alignment: in time.
        pairs, picture: None if the pictures cannot be compared.
        sound: of the first sound streams.
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
    """Determine what was changed from the original to the fake.

    Both are aligned in time by their motion; then up to `most_pairs` pairs of frames, spread over
    the shared time, and the sound are compared. Raises what `Stream.frames` raises.
    """
    found = align(fake.times_s, fake.thumbnails, original.times_s, original.thumbnails)
    pairs, picture = None, None
    reason = _why_not(found, fake.facts, original.facts)
    if reason is None:
        pairs = _pairs(fake, original, found.offset_s, most_pairs)
        if len(pairs.times_s):
            picture = picture_difference(pairs.fake, pairs.original)
        else:
            pairs, reason = None, "no pair of frames could be read"
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
    """Return what was changed.

    Args:
        picture: changed, unchanged, unknown.
        sound: changed, unchanged, unknown, absent (neither has sound, so none was changed).
    """
    if "unknown" in (picture, sound):
        return "unknown"
    if picture == "changed":
        return "both" if sound == "changed" else "video"
    return "audio" if sound == "changed" else "none"


def _why_not(found: Alignment, fake: Facts, original: Facts) -> str | None:
    """Return why the pictures cannot be compared; None if they can."""
    if found.by == "none":
        motion = "" if found.motion is None else f"motion correlation {found.motion:.2f}, "
        return f"they do not show the same scene ({motion}picture correlation {found.scene:.2f})"
    ratio = (fake.width_px * original.height_px) / (fake.height_px * original.width_px)
    if abs(ratio - 1) > SHAPE_SLACK:
        return (
            f"{fake.width_px} x {fake.height_px} and {original.width_px} x {original.height_px} "
            "pixels differ in aspect ratio"
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
    # A damaged file gives fewer or later frames than requested.
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
    """Return the size of the smaller video, its longer side at most `COMPARED_PX`."""
    smaller = min(fake, original, key=lambda one: one.width_px * one.height_px)
    factor = min(1.0, COMPARED_PX / max(smaller.width_px, smaller.height_px))
    least = 3 * CELL_PX
    return Size(
        max(round(smaller.height_px * factor), least), max(round(smaller.width_px * factor), least)
    )
