"""EfficientNet-Lite0: B0 without squeeze-excite and with ReLU6 for swish, in plain Keras layers.

Source: Liu, "Higher accuracy on vision models with EfficientNet-Lite" (TensorFlow blog, 2020),
after Tan and Le (ICML 2019). Its convolutions and batch norms have the shapes of B0's, and its
layers the names that the `efficientnet` package gives B0's, so one set of ImageNet weights
initialises both networks. Nothing here depends on TensorFlow.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
from keras import layers

from framejury.errors import ConfigError

NAME = "efficientnet-lite0"
# Lite0 was trained on (x - 127) / 128.
MEAN = (127 / 255,) * 3
STD = (128 / 255,) * 3

_BATCH_NORM_EPSILON = 1e-3
# sigmoid(4) = 0.982: every channel passes almost unchanged, and the gate can still learn.
_OPEN_GATE = 4.0

Arrays = Mapping[str, npt.NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Block:
    """One inverted residual block.

    Attributes:
        name: as the `efficientnet` package names it, such as block2a.
        expansion: factor of the channels inside.
        channels: output channels, count.
        kernel_px: side of the depthwise convolution.
        stride: stride of that convolution.
        skips: whether input and output are added.
    """

    name: str
    expansion: int
    channels: int
    kernel_px: int
    stride: int
    skips: bool


# Expansion, channels, blocks, kernel, stride of the first block: table 1 of Tan and Le.
_STAGES = (
    (1, 16, 1, 3, 1),
    (6, 24, 2, 3, 2),
    (6, 40, 2, 5, 2),
    (6, 80, 3, 3, 2),
    (6, 112, 3, 5, 1),
    (6, 192, 4, 5, 2),
    (6, 320, 1, 3, 1),
)
_STEM_CHANNELS, _TOP_CHANNELS = 32, 1280


def blocks() -> Iterator[Block]:
    """Yield the sixteen blocks of B0 and Lite0, in order."""
    for stage, (expansion, channels, count, kernel_px, stride) in enumerate(_STAGES, start=1):
        for number in range(count):
            first = number == 0
            yield Block(
                name=f"block{stage}{chr(ord('a') + number)}",
                expansion=expansion,
                channels=channels,
                kernel_px=kernel_px,
                stride=stride if first else 1,
                skips=not first,
            )


def build_lite0(input_px: int) -> keras.Model:
    """Return the network without its top, with random weights.

    Input: float32 (n, input_px, input_px, 3) RGB, normalised by `MEAN` and `STD`.
    Output: float32 (n, 1280), the average of the last activation over the picture.
    """
    pixels = keras.Input((input_px, input_px, 3))
    x = layers.Conv2D(_STEM_CHANNELS, 3, 2, padding="same", use_bias=False, name="stem_conv")(
        pixels
    )
    x = _norm(x, "stem", activated=True)
    for block in blocks():
        x = _block(x, block)
    x = layers.Conv2D(_TOP_CHANNELS, 1, use_bias=False, name="top_conv")(x)
    x = _norm(x, "top", activated=True)
    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    return keras.Model(pixels, x, name=NAME)


def _block(x: keras.KerasTensor, block: Block) -> keras.KerasTensor:
    entered, inside = x, x.shape[-1] * block.expansion
    if block.expansion > 1:
        x = layers.Conv2D(inside, 1, use_bias=False, name=f"{block.name}_expand_conv")(x)
        x = _norm(x, f"{block.name}_expand", activated=True)
    x = layers.DepthwiseConv2D(
        block.kernel_px, block.stride, padding="same", use_bias=False, name=f"{block.name}_dwconv"
    )(x)
    x = _norm(x, block.name, activated=True)
    x = layers.Conv2D(block.channels, 1, use_bias=False, name=f"{block.name}_project_conv")(x)
    x = _norm(x, f"{block.name}_project", activated=False)
    return layers.Add(name=f"{block.name}_add")([x, entered]) if block.skips else x


def _norm(x: keras.KerasTensor, name: str, *, activated: bool) -> keras.KerasTensor:
    x = layers.BatchNormalization(epsilon=_BATCH_NORM_EPSILON, name=f"{name}_bn")(x)
    return layers.ReLU(6.0, name=f"{name}_activation")(x) if activated else x


def read_arrays(path: Path) -> Arrays:
    """Read Lite0's ImageNet weights from `convert_lite0`: PyTorch's names and shapes.

    Raises:
        ConfigError: the file is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ConfigError(f"cannot read {path}: {error}. Delete it and run make lite0") from error


def fill(backbone: keras.Model, arrays: Arrays) -> None:
    """Set the weights of a Lite0, or of the `efficientnet` package's B0, from Lite0's.

    B0's squeeze-excite gates, which Lite0 lacks, are set to pass almost everything. With swish in
    place of ReLU6 the averages of the batch norms no longer fit and must be re-estimated.

    Args:
        backbone: without its top; filled in place.
        arrays: from `read_arrays`.

    Raises:
        ConfigError: an array is missing or of another shape.
    """
    try:
        for layer, prefix in _names(backbone):
            layer.set_weights(_weights_of(layer, prefix, arrays))
    except (KeyError, ValueError) as error:
        raise ConfigError(f"these are not the weights of EfficientNet-Lite0: {error}") from error
    for layer in backbone.layers:
        if re.fullmatch(r"block\d[a-d]_se_expand", layer.name):
            kernel, bias = layer.get_weights()
            layer.set_weights([np.zeros_like(kernel), np.full_like(bias, _OPEN_GATE)])


def _names(backbone: keras.Model) -> Iterator[tuple[keras.layers.Layer, str]]:
    """Yield each layer with weights, and its prefix in the arrays."""
    yield backbone.get_layer("stem_conv"), "_conv_stem"
    yield backbone.get_layer("stem_bn"), "_bn0"
    for number, block in enumerate(blocks()):
        prefix = f"_blocks.{number}"
        if block.expansion > 1:
            yield backbone.get_layer(f"{block.name}_expand_conv"), f"{prefix}._expand_conv"
            yield backbone.get_layer(f"{block.name}_expand_bn"), f"{prefix}._bn0"
        yield backbone.get_layer(f"{block.name}_dwconv"), f"{prefix}._depthwise_conv"
        yield backbone.get_layer(f"{block.name}_bn"), f"{prefix}._bn1"
        yield backbone.get_layer(f"{block.name}_project_conv"), f"{prefix}._project_conv"
        yield backbone.get_layer(f"{block.name}_project_bn"), f"{prefix}._bn2"
    yield backbone.get_layer("top_conv"), "_conv_head"
    yield backbone.get_layer("top_bn"), "_bn1"


def _weights_of(
    layer: keras.layers.Layer, prefix: str, arrays: Arrays
) -> list[npt.NDArray[np.float32]]:
    """Convert PyTorch's (out, in, height, width) to Keras' (height, width, in, out)."""
    if isinstance(layer, keras.layers.BatchNormalization):
        parts = ("weight", "bias", "running_mean", "running_var")
        return [arrays[f"{prefix}.{part}"] for part in parts]
    kernel = arrays[f"{prefix}.weight"]
    depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
    return [kernel.transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))]
