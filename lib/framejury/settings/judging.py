"""Settings of scores, verdicts, evidence, inspection and reports."""

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
    "per_person",
    "confidence_weighted",
    "learned",
]
"""Aggregations of face scores; `framejury.verdict.judge.reduced` has the formulas."""


class ScoringSettings(Section):
    """How faces are scored."""

    batch_size: int | None = Field(
        None,
        ge=1,
        le=4096,
        description="Faces per call of the network, count; null: 4 on a CPU, where larger batches "
        "overflow its caches, 64 on a GPU.",
    )
    threads: int = Field(
        1, ge=1, le=256, description="Threads of the network and of the decoder in one task, count."
    )


NO_MODEL = "none"
"""`audio.model` without sound."""


class AudioSettings(Section):
    """How the sound of a video is judged, and how a sound model is trained."""

    model: str = Field(
        NO_MODEL,
        min_length=1,
        description="Folder of a sound model (`framejury train-audio`); none: sound is not judged. "
        "The surer fake of picture and sound then decides the verdict.",
    )
    seconds: float = Field(
        600.0,
        ge=2,
        le=21_600,
        description="How much of a video's sound is decoded, from its start, at most, seconds.",
    )
    epochs: int = Field(
        60, ge=1, le=10_000, description="Passes of a training over its windows, count."
    )
    seed: int = Field(0, ge=0, description="Seed of the network and of the order of its windows.")


class VerdictSettings(Section):
    """How the face scores of a video become one verdict."""

    reducer: ReducerName | None = Field(
        None,
        description="How face scores become one score per video; null: as the bundle's rule "
        "states, mean if it has none. mean: of all faces; median; trimmed_mean: without both "
        "tails; top_share: mean of the highest share; worst_person: mean of the highest-scoring "
        "face track; per_person: each face track is judged, those with few faces partly by all "
        "faces, and the highest decides, corrected for several people in the picture; "
        "confidence_weighted: mean weighted by |2 p - 1| + 0.1; learned: the bundle's weights for "
        "the sorted scores. Any aggregation other than the bundle's disables its calibration and "
        "threshold (0.5 then, unless verdict.threshold is set).",
    )
    trim_ratio: float = Field(
        0.1,
        ge=0,
        lt=0.5,
        description="Share of scores cut from each tail by trimmed_mean, 0 to 0.5.",
    )
    top_ratio: float = Field(
        0.25,
        gt=0,
        le=1,
        description="Share of the highest scores averaged by top_share, 0 to 1.",
    )
    calibrated: bool = Field(
        True,
        description="Whether the bundle's calibration is applied to the aggregated score to get "
        "p_fake. false: the score itself is p_fake, with threshold 0.5 unless verdict.threshold "
        "is set; training then fits no calibration.",
    )
    threshold: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Videos with this p_fake or more count as fake, 0 to 1; null: the bundle's "
        "threshold.",
    )
    min_faces: int = Field(
        3,
        ge=1,
        le=10_000,
        description="Least number of scored faces for a verdict; videos with fewer are "
        "inconclusive, count.",
    )
    confidence_level: float | None = Field(
        0.95,
        gt=0,
        lt=1,
        description="Confidence level of the interval around p_fake, 0 to 1; videos whose "
        "interval crosses the threshold are inconclusive. null: no interval, the score alone "
        "decides.",
    )
    interval: Literal["bootstrap", "student"] = Field(
        "bootstrap",
        description="How the interval is computed. bootstrap: by resampling the seconds of the "
        "video; student: Student's t over frames, from sums alone, for huge archives; it is of "
        "the mean of all faces, so use it with verdict.reducer=mean only.",
    )

    def threshold_or(self, default: float) -> float:
        """Return the threshold that was set, else `default`, the bundle's."""
        return default if self.threshold is None else self.threshold


class EvidenceSettings(Section):
    """Which pictures of a video are kept for the people who review its verdict."""

    faces: int = Field(
        3,
        ge=0,
        le=50,
        description="Faces kept as pictures with heat maps per video: this many of the most "
        "suspicious and as many of the least suspicious, count; 0 keeps no picture of anyone.",
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
    jpeg_quality: int = Field(
        85, ge=1, le=100, description="JPEG quality of the kept pictures, 1 to 100."
    )
    occlusion_s: float = Field(
        20.0,
        ge=0,
        le=3600,
        description="Time per video for heat maps of suspicious faces where the network gives "
        "none itself: parts of each face are covered and it is scored again, 37 times in all; "
        "seconds, 0 makes none.",
    )
    clips: int = Field(
        3,
        ge=0,
        le=10,
        description="Suspicious parts of a video kept as moving clips of up to 2 s, at most, "
        "count; needs evidence.faces above 0.",
    )


class InspectSettings(Section):
    """What `inspect` and `compare` examine and show."""

    from_s: float = Field(
        0.0,
        ge=0,
        le=86_400,
        description="Start of the section of the video that is examined frame by frame, seconds.",
    )
    seconds: float = Field(5.0, gt=0, le=3600, description="Length of that section, seconds.")
    every: int = Field(
        1, ge=1, le=10_000, description="Examine every n-th frame of that section, count; 1: each."
    )
    frames: int = Field(
        300, ge=2, le=3000, description="Frames examined in that section, at most, count."
    )
    sheet_every: int | None = Field(
        None,
        ge=1,
        le=1_000_000,
        description="Show every n-th frame on the contact sheet, count; null: spread its pictures "
        "evenly over the whole video.",
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
        10.0, gt=0, le=30, description="Frame rate of the animations, frames per second."
    )
    pairs: int = Field(
        48, ge=4, le=500, description="Pairs of frames that compare examines, at most, count."
    )
    compare_s: float = Field(
        60.0,
        gt=0,
        le=600,
        description="Length of the part of both videos that compare examines, seconds.",
    )


class ReportSettings(Section):
    """How much a report shows."""

    rows: int = Field(
        1000,
        ge=1,
        le=100_000,
        description="Videos per page of the verdict table, count; a longer table gets more pages.",
    )
    evidence_pages: int = Field(
        1000,
        ge=0,
        le=1_000_000,
        description="Evidence pages made at the end of a run, at most, count: those of wrong "
        "verdicts first, then by falling score. `framejury evidence` makes any other.",
    )
    nights: int = Field(
        14,
        ge=1,
        le=1000,
        description="Earlier nightly runs that the report compares with, at most, count.",
    )
    csv_mark: bool = Field(
        True,
        description="Begin CSV files with a byte-order mark: without it Excel garbles accents in "
        "file names. DuckDB, pandas, R and Spark skip it; Python's csv needs "
        "encoding='utf-8-sig'. CSV printed to the terminal has none.",
    )
    outputs: Literal["none", "face_frames"] = Field(
        "none",
        description="Further files below `outputs/` of the warehouse, under the names that a "
        "published recipe gives them. face_frames: cnn_preds_values.json, mapreduce_res.txt, "
        "Loss.png, Accuracy.png, Confusion.png, ConfusionVideo.png and the best weights. Scores in "
        "them are P(REAL), and they cover split test if the warehouse has one.",
    )
