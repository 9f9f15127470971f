"""Settings of listing, sampling, face detection, and limits per video."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from framejury.settings.section import Section

VIDEO_EXTENSIONS = (
    *("3g2", "3gp", "amv", "asf", "avi", "divx", "dv", "f4v", "flv", "gif", "m1v", "m2t", "m2ts"),
    *("m2v", "m4v", "mj2", "mkv", "mov", "mp4", "mpe", "mpeg", "mpg", "mts", "mxf", "ogg", "ogm"),
    *("ogv", "qt", "rm", "rmvb", "ts", "vob", "webm", "wmv"),
)

FrameCount = Annotated[int, Field(ge=1, le=10_000)]

_USUAL_FRAMES = 11
"""Samples per video where neither `frames` nor `rounds` states a number."""


class IndexSettings(Section):
    """What counts as a video, and how labels are read."""

    layout: Literal["auto", "dfdc", "ffpp", "celebdf", "labels_csv", "plain"] = Field(
        "auto",
        description="How labels and sources are read from file names and side files; auto decides "
        "for each folder.",
    )
    extensions: tuple[str, ...] = Field(
        VIDEO_EXTENSIONS,
        min_length=1,
        description="File name endings that count as videos, without the dot, in any case.",
    )
    links: Literal["inside", "anywhere"] = Field(
        "inside",
        description="Which links in a local archive are followed. inside: only those that stay in "
        "the archive; anywhere: all, so that anyone who can add a link to the archive can make "
        "the job read any file on this machine.",
    )
    missing_ratio: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Largest share of the known videos that may be gone from the archive at once, "
        "0 to 1; if more are gone, the run stops, as the archive may not be mounted.",
    )


class SamplingSettings(Section):
    """Which frames of a video are sampled."""

    mode: Literal[
        "uniform", "random", "all", "keyframes", "every_s", "strided", "strided_retry"
    ] = Field(
        "uniform",
        description="How frames are chosen. uniform: evenly over the presentation time; random: "
        "drawn with `sampling.seed`, with a replacement for any frame that cannot be read (except "
        "in long videos that are examined in segments); all: every frame; keyframes: only frames "
        "that decode alone, for triage; every_s: one frame every `sampling.every_s` seconds; "
        "strided: from the first on, skipping `sampling.skip_frames` after each; strided_retry: "
        "likewise, but after a sample without a face nothing is skipped and only samples with a "
        "face count.",
    )
    frames: int | None = Field(
        None,
        ge=1,
        le=10_000,
        description="Exactly so many frames to sample per video (a pair or clip is one), count; "
        "ignored by all and every_s. null: `sampling.rounds` applies.",
    )
    rounds: tuple[FrameCount, ...] = Field(
        (11, 32, 96),
        max_length=10,
        description="Frames sampled per video after each round, increasing, count: a video gets "
        "the next round while its verdict is inconclusive, and keeps its earlier frames. For mode "
        "uniform where faces are scored; elsewhere the first number applies. []: 11, once.",
    )
    stream: Literal["auto"] | int = Field(
        "auto",
        description="Which video stream of a file is judged. auto: what a player shows, which "
        "is the default one, else the largest, and never a thumbnail or cover art; or the index "
        "of a stream, from 0.",
    )
    pairs: bool = Field(
        False,
        description="Sample each frame together with the next one, as the signals delta and "
        "flow_fusion need; no two pairs share a frame. A bundle with such a signal turns it on.",
    )
    clip_frames: int = Field(
        1,
        ge=1,
        le=64,
        description="Frames per sample, count: a network that looks at clips gets the same face in "
        "so many frames, from the sampled one on. No two clips share a frame, and those in which "
        "the scene changes are not judged. A bundle sets it.",
    )
    clip_stride: int = Field(
        1,
        ge=1,
        le=64,
        description="From one frame of a clip to the next, frames of the video. A bundle sets it.",
    )
    first_frame: int = Field(
        0,
        ge=0,
        description="Rank of the first frame that may be sampled, from 0; shorter videos are "
        "sampled as a whole.",
    )
    last_frame: int | None = Field(
        None,
        ge=0,
        description="Rank of the last frame that may be sampled; null: the last one of the video.",
    )
    skip_frames: int = Field(
        16,
        ge=0,
        le=1_000_000,
        description="Frames skipped after each sample in modes strided and strided_retry, count.",
    )
    skip_frames_short: int = Field(
        8, ge=0, le=1_000_000, description="The same for short videos, count."
    )
    short_frames: int = Field(
        200,
        ge=0,
        description="Most frames of a short video, count; modes strided and strided_retry.",
    )
    every_s: float = Field(
        1.0, ge=0.01, le=86_400, description="Time between sampled frames in mode every_s, seconds."
    )
    tolerance_s: float = Field(
        0.05,
        ge=0,
        le=60,
        description="How far a sample may move from its ideal time to a frame that is cheaper to "
        "decode, seconds; 0: never. The time used is stored. Ignored by all, keyframes, "
        "strided and strided_retry, and with pairs and clips.",
    )
    seed: int = Field(
        0, ge=0, description="Seed of mode random; each video is drawn independently."
    )

    @property
    def counts(self) -> tuple[int, ...]:
        """Samples per video after each round, increasing, at least one number."""
        if self.frames is not None:
            return (self.frames,)
        rounds = self.rounds or (_USUAL_FRAMES,)
        return rounds if self.mode == "uniform" else rounds[:1]

    @property
    def offsets(self) -> tuple[int, ...]:
        """The frames of a sample, as their distances from its first one: 0, then increasing."""
        if self.pairs:
            return (0, 1)
        return tuple(range(0, self.clip_frames * self.clip_stride, self.clip_stride))

    @property
    def span(self) -> int:
        """Frames of the video from the first to the last one of a sample, both included, count."""
        return self.offsets[-1] + 1

    def in_force(self) -> dict[str, object]:
        """Return `frames` and `rounds` in one form for all settings that sample the same frames."""
        if self.mode in ("all", "every_s"):  # neither applies
            return {"frames": self.frames or _USUAL_FRAMES, "rounds": []}
        if len(self.counts) == 1:
            return {"frames": self.counts[0], "rounds": []}
        return {"frames": None, "rounds": list(self.counts)}

    def in_one_round(self, frames: int | None = None) -> SamplingSettings:
        """Return the same settings without further rounds.

        Args:
            frames: samples per video, count; None: as many as in the first round.
        """
        return self.model_copy(update={"frames": frames or self.counts[0], "rounds": ()})

    @model_validator(mode="after")
    def _rounds_grow(self) -> SamplingSettings:
        if any(later <= earlier for earlier, later in pairwise(self.rounds)):
            raise ValueError(
                f"sampling.rounds is {list(self.rounds)}; each round must have more frames than "
                "the one before, such as [11, 32, 96]"
            )
        return self

    @model_validator(mode="after")
    def _pairs_or_clips(self) -> SamplingSettings:
        if self.pairs and self.clip_frames > 1:
            raise ValueError(
                f"sampling.pairs is true and sampling.clip_frames is {self.clip_frames}; a sample "
                "is a pair or a clip, so set one of them"
            )
        return self

    @model_validator(mode="after")
    def _range_is_one(self) -> SamplingSettings:
        if self.last_frame is not None and self.last_frame < self.first_frame:
            raise ValueError(
                f"sampling.last_frame is {self.last_frame}; it must be at least "
                f"sampling.first_frame ({self.first_frame})"
            )
        return self


class DetectionSettings(Section):
    """How faces are found."""

    detector: Literal["mtcnn", "haar", "frame"] = Field(
        "mtcnn",
        description="mtcnn: a network that finds faces with landmarks; haar: OpenCV's cascade; "
        "frame: no detection, each whole frame counts as one face, for recipes that judge frames.",
    )
    threshold: float = Field(
        0.95, ge=0.0, le=1.0, description="Least confidence of a face, 0 to 1; mtcnn only."
    )
    channel_order: Literal["rgb", "bgr"] = Field(
        "rgb",
        description="Order in which the detector gets the colour channels. bgr: as recipes that "
        "pass OpenCV's frames on without converting them, which moves the boxes; mtcnn only.",
    )
    min_face_px: int = Field(
        48,
        ge=20,
        le=4096,
        description="Smallest face kept, longer side of its box, pixels of the full frame; 20 "
        "searches every frame at full size, because that is MTCNN's smallest face.",
    )
    frame_side_px: int = Field(
        360,
        ge=64,
        le=4320,
        description="For detection, frames are scaled down until a face of min_face_px is 20 "
        "pixels, but their shorter side stays at least this long, pixels.",
    )
    follow_s: float = Field(
        0.0,
        ge=0,
        le=60,
        description="After a full search, frames up to this much later are searched only near the "
        "faces found, seconds; 0: search every frame in full. Small faces that come and go may be "
        "missed. mtcnn only.",
    )
    keep: Literal["all", "largest", "first", "last"] = Field(
        "all",
        description="Which faces of a frame are kept; first and last in the order of detection.",
    )
    max_faces: int = Field(
        32, ge=1, le=1000, description="Most faces kept per frame, count; the largest are kept."
    )
    haar_cascade: Literal["haarcascade_frontalface_default", "haarcascade_frontalface_alt2"] = (
        Field(
            "haarcascade_frontalface_default",
            description="Cascade file, of those that OpenCV ships.",
        )
    )
    haar_scale_factor: float = Field(
        1.2, gt=1.0, le=2.0, description="Scale step of Haar's image pyramid, ratio."
    )
    haar_min_neighbors: int = Field(
        3, ge=0, le=100, description="Neighbouring hits that Haar requires, count."
    )


class LimitSettings(Section):
    """What one video may cost; beyond, it gets a status instead of a verdict."""

    timeout_s: float = Field(
        300.0,
        gt=0,
        le=86_400,
        description="Wall-clock time per video, or per segment of one, including the fetch, "
        "seconds; beyond: `timeout`.",
    )
    cpu_s: float | None = Field(
        None,
        gt=0,
        le=86_400,
        description="CPU time of the decoding process per video, all threads together, seconds; "
        "beyond: `timeout`. null: timeout_s times scoring.threads.",
    )
    bytes: int = Field(
        64 * 2**30, ge=1, description="Largest file opened, bytes; beyond: `too_large`."
    )
    frame_px: int = Field(
        8192 * 4320,
        ge=1,
        description="Largest frame, width times height, pixels; beyond: `too_large`.",
    )
    duration_s: float = Field(
        6 * 3600.0, gt=0, description="Longest video, seconds; beyond: `too_large`."
    )
    frames: int = Field(
        4_000_000, ge=1, description="Most frames of a video, count; beyond: `too_large`."
    )
    streams: int = Field(
        128,
        ge=1,
        le=900,
        description="Most streams in a file (video, sound, subtitles), count; beyond: `too_large`.",
    )
    tries: int = Field(
        3,
        ge=1,
        le=100,
        description="Nightly runs that try a video which timed out, crashed, could not be read or "
        "was missing, count.",
    )
    memory_bytes: int = Field(
        4 * 2**30,
        ge=2**28,
        description="Address space that the decoding process may add, bytes; beyond: `crashed`.",
    )
    jail: Literal["require", "prefer"] = Field(
        "prefer",
        description="How strictly the decoding process is kept from files, network and other "
        "processes. require: fully, or the run ends; prefer: as far as this machine's kernel "
        "allows, and what is missing is logged (`framejury doctor` shows it).",
    )

    def most_cpu_s(self, threads: int) -> float:
        """Return the CPU time that one video may take, seconds.

        Args:
            threads: as in `scoring.threads`.
        """
        return self.cpu_s or self.timeout_s * threads
