"""From a file to the windows of its sound, or to why there are none. Runs in the sandbox."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from framejury.audio import RATE_HZ
from framejury.audio.log_mel import BANDS, FRAMES, WINDOW, Floats, windows
from framejury.audio.sound_track import read_sound
from framejury.errors import MediaError
from framejury.media.container import VideoSource, open_container
from framejury.schemas.statuses import SoundOutcome
from framejury.settings import LimitSettings

MOST_DAMAGED_RATIO = 0.1
"""With a larger share of damaged packets the sound is not judged: gaps are no voice."""


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """The sound of one video.

    Attributes:
        outcome: `scored` if there is at least one window.
        heard_s: length of the sound that was decoded, seconds.
        windows: float32 (n, `log_mel.FRAMES`, `log_mel.BANDS`).
        starts_s: float64 (n,), where each begins, seconds after the first sample.
    """

    outcome: SoundOutcome
    heard_s: float
    windows: Floats
    starts_s: npt.NDArray[np.float64]


def hear(source: VideoSource, limits: LimitSettings, seconds: float) -> Heard:
    """Decode the first `seconds` of the first sound stream and return its windows.

    Memory is bounded by `seconds`: 32 KB per second of sound, and 50 KB for its features.
    """
    try:
        with open_container(source, limits) as container:
            has_sound = len(container.streams.audio) > 0
        track = read_sound(source, limits, seconds) if has_sound else None
    except MediaError:
        return nothing_heard(SoundOutcome.UNREADABLE)
    if not has_sound:
        return nothing_heard(SoundOutcome.NO_SOUND)
    if track is None or track.damaged_ratio > MOST_DAMAGED_RATIO:
        return nothing_heard(SoundOutcome.UNREADABLE)
    heard_s = len(track.samples) / RATE_HZ
    if len(track.samples) < WINDOW:
        return nothing_heard(SoundOutcome.TOO_SHORT, heard_s)
    found, starts_s = windows(track.samples)
    if not len(found):
        return nothing_heard(SoundOutcome.SILENT, heard_s)
    return Heard(SoundOutcome.SCORED, heard_s, found, starts_s)


def nothing_heard(outcome: SoundOutcome, heard_s: float = 0.0) -> Heard:
    """Return the record of a video without a window."""
    return Heard(outcome, heard_s, np.zeros((0, FRAMES, BANDS), np.float32), np.zeros(0))
