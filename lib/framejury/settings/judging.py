"""Settings of scores, verdicts, what is kept of them, and what people look at."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from framejury.settings.section import Section

ReducerName = Literal[
    "mean",
    "median",
    "trimmed_mean",
    "top_share",
    "worst_person",
    "confidence_weighted",
    "learned",
]
"""How the face scores of a video become one; `framejury.verdict.judge.reduced` has the formulas."""


class ScoringSettings(Section):
    """How faces are scored."""

    batch_size: int | None = Field(
        None,
        ge=1,
        le=4096,
        description="Faces a call of the network, count; null: 4 on a CPU, where more at once "
        "only leave its caches, 64 on a GPU.",
    )
    threads: int = Field(
        1, ge=1, le=256, description="Threads of the network and decoder in one task, count."
    )


class VerdictSettings(Section):
    """How the faces of a video become one verdict."""

    reducer: ReducerName | None = Field(
        None,
        description="How faces become one score; null: as the bundle's rule says (mean when it "
        "has none). mean of all faces; median; mean without both tails; mean of the highest "
        "share; mean of the person with the highest mean; mean weighted by |2 p - 1| + 0.1; "
        "learned: the bundle's weights of the sorted scores. Another one than the bundle's "
        "leaves its calibration and threshold out: 0.5, unless verdict.threshold is set.",
    )
    trim_ratio: float = Field(
        0.1,
        ge=0,
        lt=0.5,
        description="Share cut from each tail when reducer is set to trimmed_mean, 0 to 0.5.",
    )
    top_ratio: float = Field(
        0.25,
        gt=0,
        le=1,
        description="Share of highest scores averaged when reducer is set to top_share, 0 to 1.",
    )
    calibrated: bool = Field(
        True,
        description="Whether the bundle's calibration makes p_fake of the reduced score; false: "
        "the score is p_fake as it is (and training fits none), with threshold 0.5 unless "
        "verdict.threshold is set.",
    )
    threshold: float | None = Field(
        None,
        ge=0,
        le=1,
        description="p_fake from here on means fake, 0 to 1, calibrated where the bundle is; null "
        "takes the bundle's.",
    )
    min_faces: int = Field(
        3, ge=1, le=10_000, description="Fewer faces than this are inconclusive, count."
    )
    confidence_level: float | None = Field(
        0.95,
        gt=0,
        lt=1,
        description="Level of the interval around p_fake; a verdict whose interval crosses the "
        "threshold is inconclusive. null: no interval, every score decides.",
    )
    interval: Literal["bootstrap", "student"] = Field(
        "bootstrap",
        description="bootstrap: seconds of the video are drawn again and again; student: "
        "Student's t over frames, from sums alone, for huge archives.",
    )

    def threshold_or(self, default: float) -> float:
        """The threshold that was set, else `default`: the bundle's."""
        return default if self.threshold is None else self.threshold


class EvidenceSettings(Section):
    """What is kept of a video for people to look at."""

    faces: int = Field(
        3,
        ge=0,
        le=50,
        description="Of each video so many of the most and as many of the least suspicious faces "
        "are kept as pictures, with their heat maps, count; 0 keeps no picture of anyone.",
    )
    face_px: int = Field(
        160, ge=32, le=1024, description="Longer side of a kept face, at most, pixels."
    )
    frame_px: int = Field(
        640,
        ge=0,
        le=4096,
        description="Longer side of the kept frame, at most, pixels; 0 keeps no frame.",
    )
    jpeg_quality: int = Field(85, ge=1, le=100, description="Quality of these pictures.")


class InspectSettings(Section):
    """What `inspect` and `compare` look at, and how much of it they show."""

    from_s: float = Field(
        0.0,
        ge=0,
        le=86_400,
        description="Where the stretch of a video that is looked at closely begins, seconds.",
    )
    seconds: float = Field(5.0, gt=0, le=3600, description="How long that stretch is, seconds.")
    every: int = Field(
        1, ge=1, le=10_000, description="Of that stretch every so many frames, count; 1: each."
    )
    frames: int = Field(300, ge=2, le=3000, description="Frames looked at closely, at most, count.")
    sheet_every: int | None = Field(
        None,
        ge=1,
        le=1_000_000,
        description="The contact sheet shows every so many frames, count; null: its pictures are "
        "spread evenly over the whole video.",
    )
    sheet_pictures: int = Field(
        30, ge=1, le=200, description="Pictures on a contact sheet, at most, count."
    )
    sheet_px: int = Field(
        240, ge=64, le=640, description="Longer side of a picture on a contact sheet, pixels."
    )
    frame_px: int = Field(
        1280, ge=64, le=4096, description="Longer side of the frames shown, at most, pixels."
    )
    animation_s: float = Field(
        4.0, ge=0, le=30, description="Length of the animations, at most, seconds; 0: none."
    )
    animation_px: int = Field(
        320, ge=64, le=640, description="Longer side of the animations, at most, pixels."
    )
    animation_fps: float = Field(
        10.0, gt=0, le=30, description="Pictures a second of the animations, count."
    )
    pairs: int = Field(
        48, ge=4, le=500, description="Pairs of frames that compare looks at, at most, count."
    )
    compare_s: float = Field(
        60.0, gt=0, le=600, description="How much of both videos compare looks at, seconds."
    )


class ReportSettings(Section):
    """How much a report shows."""

    rows: int = Field(
        1000,
        ge=1,
        le=100_000,
        description="Videos on one page of the verdict table, count; more make further pages.",
    )
    evidence_pages: int = Field(
        1000,
        ge=0,
        le=1_000_000,
        description="Evidence pages made at the end of a run, at most, count: first those of "
        "wrong verdicts, then by score falling. framejury evidence makes any other.",
    )
    nights: int = Field(
        14, ge=1, le=1000, description="Earlier nights that the report compares with, at most."
    )
    outputs: Literal["none", "face_frames"] = Field(
        "none",
        description="Further files below `outputs/` of the warehouse, under the names that a "
        "published recipe gives them. face_frames: cnn_preds_values.json, mapreduce_res.txt, "
        "Loss.png, Accuracy.png, Confusion.png, ConfusionVideo.png and the best weights.",
    )
