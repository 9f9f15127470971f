"""Small Keras networks, weights by torchvision's names, and a training that is killed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from framejury.settings import TrainingSettings

if TYPE_CHECKING:
    import keras

CHANNELS = (64, 128, 256, 512)
Arrays = dict[str, np.ndarray]


def torchvision_arrays(seed: int = 0) -> Arrays:
    """Return random arrays named and shaped as torchvision's `resnet18().state_dict()`."""
    rng = np.random.default_rng(seed)
    made: Arrays = {}

    def conv(name: str, out: int, channels: int, side: int) -> None:
        deviation = np.sqrt(2 / (channels * side * side))
        made[f"{name}.weight"] = rng.normal(0, deviation, (out, channels, side, side))

    def norm(name: str, channels: int) -> None:
        made[f"{name}.weight"] = rng.uniform(0.5, 1.0, channels)
        made[f"{name}.bias"] = rng.normal(0, 0.2, channels)
        made[f"{name}.running_mean"] = rng.normal(0, 0.2, channels)
        made[f"{name}.running_var"] = rng.uniform(0.5, 1.5, channels)

    conv("conv1", 64, 3, 7)
    norm("bn1", 64)
    for stage, channels in enumerate(CHANNELS, start=1):
        for block in (0, 1):
            entered = CHANNELS[max(stage - 2, 0)] if block == 0 else channels
            for number, inside in ((1, entered), (2, channels)):
                conv(f"layer{stage}.{block}.conv{number}", channels, inside, 3)
                norm(f"layer{stage}.{block}.bn{number}", channels)
            if stage > 1 and block == 0:
                conv(f"layer{stage}.0.downsample.0", channels, entered, 1)
                norm(f"layer{stage}.0.downsample.1", channels)
    made["fc.weight"], made["fc.bias"] = rng.normal(size=(1000, 512)), rng.normal(size=1000)
    return {name: array.astype(np.float32) for name, array in made.items()}


class Killed(BaseException):
    """Simulated kill; no handler in lib catches it."""


def silent(_: str) -> None:
    """Discard a line of progress."""


def tiny_network(
    settings: TrainingSettings, precision: str = "float32", *, pretrained: bool = True
) -> keras.Model:
    """Build a far smaller network of the real shape: nested backbone, batch norm, dropouts."""
    import keras  # not at the top: tests are skipped where TensorFlow is not installed

    from framejury.training import network

    with network._dtype_policy(precision):
        inner = keras.Input((settings.input_px, settings.input_px, 3))
        x = keras.layers.Conv2D(8, 3, strides=2, activation="relu")(inner)
        x = keras.layers.BatchNormalization(momentum=0.8)(x)
        x = keras.layers.Dropout(0.2)(x)
        x = keras.layers.GlobalAveragePooling2D()(x)
        backbone = keras.Model(inner, x, name=network.BACKBONE_LAYERS["efficientnet_b0"])
        return network._with_head(backbone, settings)


def killed_at(line_start: str) -> Callable[[str], None]:
    """Return a progress function that raises `Killed` at the first line with this start."""

    def progress(line: str) -> None:
        if line.startswith(line_start):
            raise Killed

    return progress
