"""ResNet-18 as torchvision builds it, in plain Keras layers, and its published weights.

Source: He et al., "Deep Residual Learning for Image Recognition" (CVPR 2016), with torchvision's
details: padding on both sides (TensorFlow's "same" pads only one side at a stride of 2) and batch
norms with epsilon 1e-5. Layers have torchvision's names, which `training.frozen_layers` uses:
conv1, bn1, layer1.0.conv1, layer2.0.downsample.0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
from keras import layers
from safetensors import SafetensorError
from safetensors.numpy import load_file

from framejury.errors import ConfigError

NAME = "resnet18"
SUFFIX = ".safetensors"

_STAGES = ((64, 1), (128, 2), (256, 2), (512, 2))
"""Channels and stride of each stage; two blocks per stage."""
_BLOCKS = 2
_BATCH_NORM_EPSILON = 1e-5
_BATCH_NORM_MOMENTUM = 0.9  # 0.1 in PyTorch's notation

Arrays = Mapping[str, npt.NDArray[np.float32]]


def build_resnet18(input_px: int) -> keras.Model:
    """Return the network without its top, with random weights.

    Input: float32 (n, input_px, input_px, 3) RGB, normalised as for ImageNet's weights.
    Output: float32 (n, 512), the average of the last activation over the picture.
    """
    pixels = keras.Input((input_px, input_px, 3))
    x = _conv(pixels, "conv1", 64, 7, 2)
    x = layers.ReLU(name="relu")(_norm(x, "bn1"))
    # After a ReLU nothing is below 0, so a border of zeros equals PyTorch's in a maximum.
    x = layers.ZeroPadding2D(1, name="maxpool_pad")(x)
    x = layers.MaxPooling2D(3, 2, name="maxpool")(x)
    for stage, (channels, stride) in enumerate(_STAGES, start=1):
        for number in range(_BLOCKS):
            x = _block(x, f"layer{stage}.{number}", channels, stride if number == 0 else 1)
    x = layers.GlobalAveragePooling2D(name="avgpool")(x)
    return keras.Model(pixels, x, name=NAME)


def _block(x: keras.KerasTensor, name: str, channels: int, stride: int) -> keras.KerasTensor:
    """Add torchvision's BasicBlock: two convolutions and a skip connection."""
    entered = x
    x = layers.ReLU(name=f"{name}.relu1")(
        _norm(_conv(x, f"{name}.conv1", channels, 3, stride), f"{name}.bn1")
    )
    x = _norm(_conv(x, f"{name}.conv2", channels, 3, 1), f"{name}.bn2")
    if stride != 1:
        entered = _conv(entered, f"{name}.downsample.0", channels, 1, stride)
        entered = _norm(entered, f"{name}.downsample.1")
    return layers.ReLU(name=f"{name}.relu2")(layers.Add(name=f"{name}.add")([x, entered]))


def _conv(
    x: keras.KerasTensor, name: str, channels: int, kernel_px: int, stride: int
) -> keras.KerasTensor:
    padded = stride > 1 and kernel_px > 1
    if padded:
        x = layers.ZeroPadding2D(kernel_px // 2, name=f"{name}_pad")(x)
    return layers.Conv2D(
        channels,
        kernel_px,
        stride,
        padding="valid" if padded else "same",
        use_bias=False,
        # torchvision's kaiming_normal_, mode fan_out.
        kernel_initializer=keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal"),
        name=name,
    )(x)


def _norm(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.BatchNormalization(
        momentum=_BATCH_NORM_MOMENTUM, epsilon=_BATCH_NORM_EPSILON, name=name
    )(x)


def read_arrays(path: Path) -> Arrays:
    """Read a safetensors file with torchvision's names and shapes; the format cannot hold code.

    Raises:
        ConfigError: the file cannot be read.
    """
    try:
        arrays: Arrays = load_file(path)
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise ConfigError(f"cannot read weights from {path}: {error}") from error
    return arrays


def fill(backbone: keras.Model, arrays: Arrays, origin: str) -> None:
    """Set every weight from torchvision's. Any further array must belong to its classifier.

    Args:
        backbone: from `build_resnet18`; filled in place.
        arrays: by torchvision's names, such as layer1.0.bn2.running_var.
        origin: name of the source, for messages.

    Raises:
        ConfigError: an array is missing, left over or of another shape.
    """
    wanted = {name: layer for layer, names in _names(backbone) for name in names}
    ignored = {
        name for name in arrays if name.startswith("fc.") or name.endswith(".num_batches_tracked")
    }
    missing = sorted(wanted.keys() - arrays.keys())
    extra = sorted(arrays.keys() - wanted.keys() - ignored)
    if missing or extra:
        raise ConfigError(
            f"{origin} does not hold weights of {NAME}: missing are {_few(missing)}, "
            f"unexpected are {_few(extra)}"
        )
    for layer, names in _names(backbone):
        found = [_turned(arrays[name]) for name in names]
        shapes = [tuple(weight.shape) for weight in layer.weights]
        if [array.shape for array in found] != shapes:
            raise ConfigError(
                f"{origin} does not hold weights of {NAME}: {names[0]} has shape "
                f"{arrays[names[0]].shape}"
            )
        layer.set_weights(found)


def _names(backbone: keras.Model) -> Iterator[tuple[keras.layers.Layer, tuple[str, ...]]]:
    """Yield each layer with weights, and the names of its arrays in Keras' order."""
    for layer in backbone.layers:
        if isinstance(layer, layers.BatchNormalization):
            parts = ("weight", "bias", "running_mean", "running_var")
            yield layer, tuple(f"{layer.name}.{part}" for part in parts)
        elif isinstance(layer, layers.Conv2D):
            yield layer, (f"{layer.name}.weight",)


def _turned(array: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Convert PyTorch's (out, in, height, width) to Keras' (height, width, in, out)."""
    return array.transpose(2, 3, 1, 0) if array.ndim == 4 else array


def _few(names: list[str]) -> str:
    return f"{', '.join(names[:3])}{', ...' if len(names) > 3 else ''}" if names else "nothing"
