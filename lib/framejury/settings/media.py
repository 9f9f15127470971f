"""Settings of what is listed, looked at, found, cut out, and how much a video may cost."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from framejury.settings.section import Section

VIDEO_EXTENSIONS = (
    *("3gp", "asf", "avi", "flv", "gif", "m2ts", "m4v", "mkv", "mov", "mp4"),
    *("mpeg", "mpg", "mts", "mxf", "ogv", "ts", "vob", "webm", "wmv"),
)


class IndexSettings(Section):
    """What counts as a video, and how names are read."""

    layout: Literal["auto", "dfdc", "ffpp", "celebdf", "labels_csv", "plain"] = Field(
        "auto",
        description="How labels and sources are read from names and side files; "
        "auto decides for each folder.",
    )
    extensions: tuple[str, ...] = Field(
        VIDEO_EXTENSIONS,
        min_length=1,
        description="File name endings that count as videos, without the dot, any case.",
    )
    links: Literal["inside", "anywhere"] = Field(
        "inside",
        description="Which links of a local archive are followed: those that stay in it, or all. "
        "Who may put links into an archive could otherwise have any file of this machine read.",
    )
    missing_ratio: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Share of the known videos that may be gone from the archive at once; beyond, "
        "the run refuses, for the archive may not be mounted.",
    )


class SamplingSettings(Section):
    """Which frames of a video are looked at."""

    mode: Literal["uniform", "random", "all", "keyframes", "every_s", "strided"] = Field(
        "uniform",
        description="uniform: spread evenly over the presentation time; random: drawn under "
        "`sampling.seed`, and drawn again for a frame that cannot be read (but in a long video "
        "that is worked on in segments); all: every frame; "
        "keyframes: only frames that decode alone, for triage; every_s: one frame every "
        "`sampling.every_s` seconds; strided: from the first on, `sampling.skip_frames` left out "
        "after each.",
    )
    frames: int = Field(
        11,
        ge=1,
        le=10_000,
        description="Frames a video, with pairs the pairs, count; ignored by all and every_s.",
    )
    pairs: bool = Field(
        False,
        description="Each frame is looked at together with the one after it, as the signals delta "
        "and flow_fusion need it; no two pairs share a frame. A bundle of such a signal turns it "
        "on.",
    )
    first_frame: int = Field(
        0,
        ge=0,
        description="Frames before this one are not looked at, rank from 0; a shorter video is "
        "looked at as a whole.",
    )
    last_frame: int | None = Field(
        None, ge=0, description="Frames after this one are not looked at, rank; null: all are."
    )
    skip_frames: int = Field(
        16, ge=0, le=1_000_000, description="Frames left out after each look of strided, count."
    )
    skip_frames_short: int = Field(
        8, ge=0, le=1_000_000, description="The same in a short video, count."
    )
    short_frames: int = Field(
        200, ge=0, description="A video of at most so many frames is short, count; strided only."
    )
    every_s: float = Field(
        1.0, ge=0.01, le=86_400, description="Time between frames of mode every_s, seconds."
    )
    tolerance_s: float = Field(
        0.05,
        ge=0,
        le=60,
        description="How far a sample may move from its ideal time to a frame that is cheaper "
        "to decode, seconds; 0: never. The time really used is stored. Ignored by all, keyframes "
        "and strided, and with pairs.",
    )
    seed: int = Field(0, ge=0, description="Seed of mode random; each video draws its own.")

    @model_validator(mode="after")
    def _range_is_one(self) -> SamplingSettings:
        if self.last_frame is not None and self.last_frame < self.first_frame:
            raise ValueError(
                f"sampling.last_frame is {self.last_frame}, must be at least "
                f"sampling.first_frame ({self.first_frame})"
            )
        return self


class DetectionSettings(Section):
    """How faces are found."""

    detector: Literal["mtcnn", "haar", "frame"] = Field(
        "mtcnn",
        description="mtcnn finds faces with landmarks; haar is OpenCV's cascade; frame looks for "
        "none and takes each whole frame as one face, for recipes that judge frames.",
    )
    threshold: float = Field(
        0.95, ge=0.0, le=1.0, description="Least confidence of a face, 0 to 1; mtcnn only."
    )
    min_face_px: int = Field(
        48,
        ge=20,
        le=4096,
        description="Smallest face kept, longer side of the box in pixels of the full frame.",
    )
    frame_side_px: int = Field(
        360,
        ge=64,
        le=4320,
        description="Frames are reduced for detection until a face of min_face_px is 20 pixels, "
        "but the shorter side not below this, pixels.",
    )
    follow_s: float = Field(
        0.0,
        ge=0,
        le=60,
        description="Frames this close after a full search are searched near its faces only, "
        "seconds; 0: every frame in full. Small faces that come and go may be missed. mtcnn only.",
    )
    keep: Literal["all", "largest", "first", "last"] = Field(
        "all", description="Which faces of a frame are kept; first and last as detected."
    )
    max_faces: int = Field(
        32, ge=1, le=1000, description="Most faces kept in one frame, count; the largest stay."
    )
    haar_cascade: Literal["haarcascade_frontalface_default", "haarcascade_frontalface_alt2"] = (
        Field("haarcascade_frontalface_default", description="Cascade file that OpenCV ships.")
    )
    haar_scale_factor: float = Field(
        1.2, gt=1.0, le=2.0, description="Step of Haar's image pyramid, ratio."
    )
    haar_min_neighbors: int = Field(
        3, ge=0, le=100, description="Neighbouring hits Haar asks for, count."
    )


class CropSettings(Section):
    """What is cut out around a face and how it is stored."""

    margin_ratio: float = Field(
        0.3,
        ge=-0.25,
        le=3.0,
        description="Margin on each side, as a share of the box; below 0 cuts into it.",
    )
    margin_px: int | None = Field(
        None,
        ge=0,
        le=4096,
        description="Margin on each side in pixels of the full frame, in place of margin_ratio; "
        "what leaves the frame is cut off. null: margin_ratio counts.",
    )
    shift_ratio: float = Field(
        0.0,
        ge=-0.5,
        le=0.5,
        description="How far down the crop's centre lies below the box's, as a share of the box.",
    )
    shape: Literal["square", "box"] = Field(
        "square",
        description="square: the box is first made square around its centre; box: as detected.",
    )
    pair: Literal["own", "same"] = Field(
        "own",
        description="Where a face is cut out of the second frame of a pair: own: where it is "
        "found there; same: at the same place, so that only what moved differs.",
    )
    format: Literal["jpeg", "png"] = Field(
        "jpeg", description="How crops are stored; jpeg is always 4:4:4."
    )
    jpeg_quality: int = Field(
        98, ge=95, le=100, description="JPEG quality; below 95 recompression erases evidence."
    )
    max_side_px: int = Field(
        512, ge=32, le=8192, description="Larger crops are reduced to this longer side, pixels."
    )


class LimitSettings(Section):
    """What one video may cost before it gets a status instead of a verdict."""

    timeout_s: float = Field(
        300.0,
        gt=0,
        le=86_400,
        description="Wall-clock seconds for one video, or one segment of it, fetching included; "
        "then `timeout`.",
    )
    cpu_s: float | None = Field(
        None,
        gt=0,
        le=86_400,
        description="CPU seconds of the decoding process for one video, all its threads together; "
        "then `timeout`. null: timeout_s for each of scoring.threads.",
    )
    bytes: int = Field(
        64 * 2**30, ge=1, description="Largest file opened, bytes; beyond: `too_large`."
    )
    frame_px: int = Field(
        8192 * 4320, ge=1, description="Largest frame, width times height in pixels."
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
        description="Most streams in a file: pictures, sound, subtitles, count; beyond: "
        "`too_large`.",
    )
    tries: int = Field(
        3,
        ge=1,
        le=100,
        description="Nightly runs that try a video which timed out, crashed, could not be read "
        "or was missing, count.",
    )
    memory_bytes: int = Field(
        4 * 2**30,
        ge=2**28,
        description="Address space the decoding process may add, bytes; beyond: `crashed`.",
    )
    jail: Literal["require", "prefer"] = Field(
        "prefer",
        description="How the decoding process is kept from files, network and other processes: "
        "require: in full, or the run ends; prefer: as far as this machine's kernel can, and what "
        "is lacking is told (`framejury doctor`).",
    )
