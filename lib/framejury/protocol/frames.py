"""The frames per video that the protocol examines and judges by."""

from __future__ import annotations

from dataclasses import dataclass

from framejury.settings import SamplingSettings

FRAMES_PER_VIDEO = (1, 4, 11, 32)
"""Common in the literature: one frame, a few, framejury's default, and 32."""

USUAL_FRAMES = 11
"""Frames that are perturbed where no single number of frames is judged, count."""

PROTOCOL_FRAMES = 32
"""Frames to examine per video, at least, count."""


@dataclass(frozen=True, slots=True)
class ProtocolFrames:
    """The frames that the protocol examines and judges by.

    Attributes:
        sampling: how the frames to examine are sampled, in one round.
        headline: as many of them are perturbed, evenly spread, and judged where one number of
            frames is judged, count.
        by_frames: evenly spread frames per video to report, count; () where frames are not
            sampled evenly.
        rounds: frames per video after each round of the headline; () without several rounds.
    """

    sampling: SamplingSettings
    headline: int
    by_frames: tuple[int, ...]
    rounds: tuple[int, ...]

    @classmethod
    def of(cls, sampling: SamplingSettings) -> ProtocolFrames:
        """Return the frames for videos that are judged under these settings.

        In mode uniform, at least `PROTOCOL_FRAMES` are examined, and videos are judged by those
        that the settings ask for. In other modes, which frames there are does not follow from
        their number, so just the frames of the settings are examined, and all are judged.
        """
        counts = sampling.counts
        if sampling.mode != "uniform":
            return cls(sampling.in_one_round(), USUAL_FRAMES, (), ())
        examined = max(PROTOCOL_FRAMES, counts[-1])
        several = len(counts) > 1
        headline = USUAL_FRAMES if several else counts[0]
        return cls(
            sampling.in_one_round(examined),
            headline,
            frame_counts(examined, headline),
            counts if several else (),
        )

    @property
    def judged(self) -> int | None:
        """Frames per video of the headline where there is one round, count; None: all."""
        return self.headline if self.by_frames else None


def frame_counts(examined: int, headline: int) -> tuple[int, ...]:
    """Return the frames per video to report, increasing: usual ones, the headline's and all."""
    usual = {count for count in FRAMES_PER_VIDEO if count < examined}
    return tuple(sorted(usual | {headline, examined}))
