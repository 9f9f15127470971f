"""Make clips of the suspicious parts of a video: a few seconds around the face, with its box.

They are made after the scores have left the child process, on a request of their own. So a video
whose clips take too long, or crash the decoder or the encoder, keeps its verdict.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import av
import cv2
import numpy as np
from av.video.stream import VideoStream

from framejury.examine.clip_plan import ClipPlan, plan_clips
from framejury.examine.faces import ExaminedFace
from framejury.examine.messages import MOST_CLIP_BYTES
from framejury.faces.crop import encode_crop
from framejury.media.container import VideoSource
from framejury.media.decode import VideoFile
from framejury.media.sample import Indices, Times
from framejury.model.runtime import Scorer
from framejury.records import Box, Image, Region, SampledFrame, Size
from framejury.schemas.statuses import PictureKind
from framejury.settings import Settings
from framejury.verdict.rule import Rule, rule_in_use

CLIPS_OF_A_SEGMENT = 1
"""Clips that a segment of a long video makes, at most, count: of those of all segments, only
`evidence.clips` are kept."""
_PICTURES_PER_S = 12
_SIDE_PX = 320
_MOST_DECODING_S = 4.0
"""A clip that needs more decoding, by estimate, is left out, seconds on one core."""
_BITS_PER_S = 300_000
_TICKS_PER_S = 1000  # WebM counts milliseconds
_FAST = {"deadline": "realtime", "cpu-used": "16"}
_WHOLE_RATIO = 0.98
"""A box of at least this share of the frame is the whole frame, and not drawn."""
_LIGHT, _DARK = (255, 255, 255), (16, 20, 24)


def clip_rows(
    video: VideoFile, plans: Sequence[ClipPlan], jpeg_quality: int
) -> list[dict[str, Any]]:
    """Decode, cut and encode clips.

    Args:
        video: just opened.
        plans: of one video.
        jpeg_quality: of the stills, 1 to 100.

    Returns:
        columns of `pictures` without ids, by time; without clips that would be too costly or too
        large, and those in which the size of the frames changes.

    Raises:
        MediaError: the video cannot be decoded.
    """
    clips = [clip for plan in plans if (clip := _cheapest(video, plan)) is not None]
    if not clips:
        return []
    for frame in video.frames(np.unique(np.concatenate([clip.ranks for clip in clips]))):
        for clip in clips:
            clip.add(frame)
    rows = [row for clip in clips if (row := clip.row(jpeg_quality)) is not None]
    return sorted(rows, key=lambda row: float(row["start_s"]))


class ClipMaker:
    """Makes the clips of the video that was examined last.

    Args:
        settings: `evidence`, `verdict`, `limits`, `sampling.stream`, `scoring.threads`.
        scorer: None: nothing is scored, so nothing is suspicious.
    """

    def __init__(self, settings: Settings, scorer: Scorer | None) -> None:
        self._settings = settings
        self._plans: list[ClipPlan] = []
        self._rule: Rule | None = None
        if scorer is not None and settings.evidence.faces and settings.evidence.clips:
            self._rule = rule_in_use(scorer.bundle.rule, settings.verdict)

    def warm_up(self) -> None:
        """Make libraries load what they load on first use."""
        if self._rule is not None:
            encoded([np.zeros((240, 320, 3), np.uint8)] * 2, [0.0, 0.1])

    def remember(self, faces: Sequence[ExaminedFace], *, is_whole: bool) -> None:
        """Choose the clips of a video or a segment of it; those of the video before are forgotten.

        Args:
            is_whole: whether the faces are those of a whole video.
        """
        most = self._settings.evidence.clips if is_whole else CLIPS_OF_A_SEGMENT
        self._plans = [] if self._rule is None else plan_clips(faces, self._rule, most)

    def rows(self, source: VideoSource) -> list[dict[str, Any]]:
        """Return the clips: columns of `pictures` without ids, by time.

        Raises:
            MediaError: the video cannot be decoded.
        """
        plans, self._plans = self._plans, []
        if not plans:
            return []
        settings = self._settings
        threads, stream = settings.scoring.threads, settings.sampling.stream
        with VideoFile(source, settings.limits, threads, stream) as video:
            return clip_rows(video, plans, settings.evidence.jpeg_quality)


def _cheapest(video: VideoFile, plan: ClipPlan) -> _Clip | None:
    """Return the clip, moved to begin at a key frame if it then needs less decoding.

    None if it has fewer than two frames, or needs too much decoding.
    """
    times_s = video.facts.times_s
    moved = plan.starting_at(times_s[video.key_frames].tolist())
    clips = [_Clip(one, _ranks(times_s, one)) for one in (plan, *moved)]
    costs_s = [(video.decoding_s(one.ranks), one) for one in clips if len(one.ranks) > 1]
    cost_s, clip = min(costs_s, key=lambda pair: pair[0], default=(math.inf, None))
    return clip if cost_s <= _MOST_DECODING_S else None


def _ranks(times_s: Times, plan: ClipPlan) -> Indices:
    """Return the frames of a clip, about `_PICTURES_PER_S`, increasing."""
    first, stop = np.searchsorted(times_s, [plan.start_s, plan.end_s + 1e-6])
    due = np.floor((times_s[first:stop] - plan.start_s) * _PICTURES_PER_S + 1e-6)
    return np.asarray(first + np.unique(due, return_index=True)[1], np.int64)


class _Clip:
    """Collects the pictures of one clip.

    Attributes:
        ranks: its frames, increasing.
    """

    def __init__(self, plan: ClipPlan, ranks: Indices) -> None:
        self.ranks = ranks
        self._plan = plan
        self._wanted = set(ranks.tolist())
        self._size: Size | None = None
        self._same_size = True
        self._pictures: list[Image] = []
        self._times_s: list[float] = []

    def add(self, frame: SampledFrame) -> None:
        """Take a frame, if it is one of the clip."""
        if frame.frame_index not in self._wanted or not self._same_size:
            return
        size = frame.picture.size
        self._size = self._size or size
        self._same_size = size == self._size
        if self._same_size:
            region, box = self._plan.region(size), self._plan.box_at(frame.pts_s)
            whole = box is not None and box.area >= _WHOLE_RATIO * size.width * size.height
            picture = cut_out(frame.picture.part(region), region, None if whole else box)
            self._pictures.append(picture)
            self._times_s.append(frame.pts_s)

    def row(self, jpeg_quality: int) -> dict[str, Any] | None:
        """Return columns of `pictures`; None if there is no such clip."""
        if not self._same_size or len(self._pictures) < 2:
            return None
        moving = encoded(self._pictures, self._times_s)
        if len(moving) > MOST_CLIP_BYTES:
            return None
        peak = self._plan.peak
        nearest = int(np.argmin(np.abs(np.asarray(self._times_s) - peak.pts_s)))
        return {
            "kind": PictureKind.CLIP.value,
            "frame_index": peak.frame_index,
            "pts_s": peak.pts_s,
            "face_index": peak.face_index,
            "score": self._plan.score,
            "picture": encode_crop(self._pictures[nearest], "jpeg", jpeg_quality),
            "clip": moving,
            "start_s": self._times_s[0],
            "end_s": self._times_s[-1],
        }


def cut_out(part: Image, region: Region, box: Box | None) -> Image:
    """Return a picture of a clip: reduced to even sides, with the box of its face.

    Args:
        part: what the frame shows in `region`, uint8 (height, width, 3) RGB.
        region: pixels of the frame.
        box: pixels of the frame; None: no box is drawn.
    """
    scale = min(_SIDE_PX / max(part.shape[:2]), 1.0)
    height, width = (max(round(side * scale / 2) * 2, 2) for side in part.shape[:2])
    small = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA)
    if box is not None:
        x, y = width / region.width, height / region.height
        corners = (
            (round((box.x - region.x) * x), round((box.y - region.y) * y)),
            (round((box.x + box.width - region.x) * x), round((box.y + box.height - region.y) * y)),
        )
        cv2.rectangle(small, *corners, _DARK, 3)
        cv2.rectangle(small, *corners, _LIGHT, 1)
    return np.asarray(small, np.uint8)


def encoded(pictures: Sequence[Image], times_s: Sequence[float]) -> bytes:
    """Encode a clip as a WebM file (VP8), which browsers play without a licence.

    Args:
        pictures: uint8 (height, width, 3) RGB, all of one size with even sides, at least one.
        times_s: of each, increasing, seconds.
    """
    height, width = pictures[0].shape[:2]
    file = io.BytesIO()
    with av.open(file, "w", format="webm", options={"fflags": "+bitexact"}) as output:
        stream = output.add_stream("libvpx", rate=_PICTURES_PER_S, options=_FAST)
        assert isinstance(stream, VideoStream)
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        stream.bit_rate = _BITS_PER_S
        stream.codec_context.thread_count = 1
        stream.codec_context.time_base = Fraction(1, _TICKS_PER_S)
        for picture, at_s in zip(pictures, times_s, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame = frame.reformat(format="yuv420p", threads=1)
            frame.pts = round((at_s - times_s[0]) * _TICKS_PER_S)
            frame.time_base = Fraction(1, _TICKS_PER_S)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return file.getvalue()
