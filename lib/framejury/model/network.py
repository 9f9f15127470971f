"""The network, built in one place: a backbone, dense layers, one sigmoid.

Backbones: EfficientNet-B0 (Tan and Le, "EfficientNet", ICML 2019) as the `efficientnet` package
builds it, and EfficientNet-Lite0 (`lite0`). Importing that package registers its custom layers
with Keras, without which a saved B0 does not load; so a bundle's `model.keras` needs
`import efficientnet.tfkeras`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import efficientnet.tfkeras as efficientnet
import keras

from framejury.model import lite0
from framejury.model.manifest import OUTPUT_NAME
from framejury.model.weights import downloaded_weights, lite0_arrays, load_backbone_weights
from framejury.settings import TrainingSettings

BACKBONE_LAYERS = {"efficientnet_b0": "efficientnet-b0", "efficientnet_lite0": lite0.NAME}
INPUT_NAME = "pixels"
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
# Random weights learn in few steps or not at all: their moving averages must keep up with them.
_FRESH_MOMENTUM = 0.9

Precision = Literal["float32", "mixed_float16"]


def build_network(
    settings: TrainingSettings, precision: Precision = "float32", *, pretrained: bool = True
) -> keras.Model:
    """The network before training.

    Input: float32 (n, input_px, input_px, 3) RGB, 0 to 255; (x / 255 - mean) / std with
    the constants of the backbone's ImageNet training is the first layer. Output: float32
    (n, 1), `p_fake` 0 to 1.

    Args:
        settings: `backbone`, `input_px`, `weights`, `head_units` and `dropout` count.
        precision: of the arithmetic between input and output; weights are float32 always.
        pretrained: False leaves `weights` unread, for a network that is filled afterwards.

    Raises:
        SetupError: pretrained weights cannot be downloaded.
        ConfigError: `weights` is no file, or a file of another network.
    """
    with _dtype_policy(precision):
        backbone = _bare_backbone(settings)
        if settings.weights == "none":
            _quicken_averages(backbone)
        elif pretrained:
            _load_start(backbone, settings.weights)
        return _with_head(backbone, settings)


def backbone_of(model: keras.Model) -> keras.Model:
    """The backbone inside a network of `build_network`."""
    names = {layer.name for layer in model.layers}
    return model.get_layer(next(name for name in BACKBONE_LAYERS.values() if name in names))


def _bare_backbone(settings: TrainingSettings) -> keras.Model:
    if settings.backbone == "efficientnet_lite0":
        return lite0.build_lite0(settings.input_px)
    return efficientnet.EfficientNetB0(
        include_top=False,
        weights=None,
        pooling="avg",
        input_shape=(settings.input_px, settings.input_px, 3),
    )


def _quicken_averages(backbone: keras.Model) -> None:
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = _FRESH_MOMENTUM


def _load_start(backbone: keras.Model, weights: str) -> None:
    if weights == "lite0":
        lite0.fill(backbone, lite0_arrays())
    elif weights in ("noisy-student", "imagenet"):
        backbone.load_weights(downloaded_weights(weights))
    else:
        load_backbone_weights(backbone, weights)


def _with_head(backbone: keras.Model, settings: TrainingSettings) -> keras.Model:
    side = settings.input_px
    pixels = keras.Input((side, side, 3), dtype="float32", name=INPUT_NAME)
    mean, std = _normalisation(settings)
    normalised = keras.layers.Rescaling(
        scale=[1 / (255 * deviation) for deviation in std],
        offset=[-centre / deviation for centre, deviation in zip(mean, std, strict=True)],
        dtype="float32",
        name="imagenet_normalisation",
    )(pixels)
    x = backbone(normalised)
    for number, units in enumerate(settings.head_units, start=1):
        x = keras.layers.Dropout(settings.dropout, name=f"head_dropout_{number}")(x)
        x = keras.layers.Dense(units, activation="relu", name=f"head_dense_{number}")(x)
    if not settings.head_units:
        x = keras.layers.Dropout(settings.dropout, name="head_dropout_1")(x)
    # float32: float16 cannot tell 0.9999 from 1, and the loss takes its logarithm.
    p_fake = keras.layers.Dense(1, activation="sigmoid", dtype="float32", name=OUTPUT_NAME)(x)
    return keras.Model(pixels, p_fake, name="framejury")


def _normalisation(settings: TrainingSettings) -> tuple[Sequence[float], Sequence[float]]:
    """Mean and deviation of the pixels that the weights were learned with, 0 to 1."""
    if settings.backbone == "efficientnet_lite0" or settings.weights == "lite0":
        return lite0.MEAN, lite0.STD
    return IMAGENET_MEAN, IMAGENET_STD


@contextmanager
def _dtype_policy(precision: Precision) -> Iterator[None]:
    """The `efficientnet` package takes no dtype, so the policy is set around it."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
