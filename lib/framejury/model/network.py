"""The network, built in one place: a backbone, dense layers, one sigmoid or a softmax of two.

Backbones: EfficientNet-B0 and B4 (Tan and Le, "EfficientNet", ICML 2019) as the `efficientnet`
package builds them, EfficientNet-Lite0 (`lite0`) and ResNet-18 (`resnet18`). Importing that package
registers its custom layers with Keras, without which a saved B0 or B4 does not load; so a bundle's
`model.keras` needs `import efficientnet.tfkeras`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Literal

import efficientnet.tfkeras as efficientnet
import keras

from framejury.errors import ConfigError
from framejury.model import lite0, resnet18
from framejury.model.manifest import OUTPUT_NAME
from framejury.model.weights import (
    downloaded_resnet18,
    downloaded_weights,
    lite0_arrays,
    load_backbone_weights,
)
from framejury.settings import TrainingSettings

BACKBONE_LAYERS = {
    "efficientnet_b0": "efficientnet-b0",
    "efficientnet_b4": "efficientnet-b4",
    "efficientnet_lite0": lite0.NAME,
    "resnet18": resnet18.NAME,
}
INPUT_NAME = "pixels"
CLASSES_NAME = "real_fake"
"""The softmax of two, REAL before FAKE."""
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
# Random weights learn in few steps or not at all: their moving averages must keep up with them.
_FRESH_MOMENTUM = 0.9

Precision = Literal["float32", "mixed_float16"]


def build_network(
    settings: TrainingSettings, precision: Precision = "float32", *, pretrained: bool = True
) -> keras.Model:
    """The network before training.

    Input: float32 (n, input_px, input_px, 3) RGB, 0 to 255; the first layer makes of it
    (x / 255 - mean) / std with the constants of the backbone's ImageNet training, or x / 255.
    Output: float32 (n, 1), `p_fake` 0 to 1: a sigmoid, or FAKE's part of a softmax over REAL and
    FAKE. The binary cross entropy of that part is the cross entropy of the two, for REAL has the
    rest: -log p_fake for a fake, -log(1 - p_fake) = -log p_real for a real.

    Args:
        settings: `backbone`, `input_px`, `normalisation`, `weights`, `head_units`, `dropout`,
            `output` and `frozen_layers` count.
        precision: of the arithmetic between input and output; weights are float32 always.
        pretrained: False leaves `weights` unread, for a network that is filled afterwards.

    Raises:
        SetupError: pretrained weights cannot be downloaded.
        ConfigError: `weights` is no file, or a file of another network; a name of
            `frozen_layers` is of no layer.
    """
    with _dtype_policy(precision):
        backbone = _bare_backbone(settings)
        if settings.weights == "none":
            _quicken_averages(backbone)
        elif pretrained:
            _load_start(backbone, settings)
        freeze(backbone, settings)
        return _with_head(backbone, settings)


def backbone_of(model: keras.Model) -> keras.Model:
    """The backbone inside a network of `build_network`."""
    names = {layer.name for layer in model.layers}
    return model.get_layer(next(name for name in BACKBONE_LAYERS.values() if name in names))


def freeze(backbone: keras.Model, settings: TrainingSettings) -> None:
    """Keeps `frozen_layers` as they are: their weights, and averages of batch norms too.

    Making a whole network trainable undoes it, so it is called after that.

    Raises:
        ConfigError: a name is of no layer with weights.
    """
    names = [layer.name for layer in backbone.layers if layer.weights]
    for pattern in settings.frozen_layers:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise ConfigError(
                f"training.frozen_layers: no layer of {settings.backbone} is called {pattern!r}; "
                f"its layers are {', '.join(names[:6])}, ... {', '.join(names[-3:])}"
            )
    for layer in backbone.layers:
        if any(fnmatchcase(layer.name, pattern) for pattern in settings.frozen_layers):
            layer.trainable = False


def _bare_backbone(settings: TrainingSettings) -> keras.Model:
    if settings.backbone == "efficientnet_lite0":
        return lite0.build_lite0(settings.input_px)
    if settings.backbone == "resnet18":
        return resnet18.build_resnet18(settings.input_px)
    builders = {
        "efficientnet_b0": efficientnet.EfficientNetB0,
        "efficientnet_b4": efficientnet.EfficientNetB4,
    }
    return builders[settings.backbone](
        include_top=False,
        weights=None,
        pooling="avg",
        input_shape=(settings.input_px, settings.input_px, 3),
    )


def _quicken_averages(backbone: keras.Model) -> None:
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = _FRESH_MOMENTUM


def _load_start(backbone: keras.Model, settings: TrainingSettings) -> None:
    weights = settings.weights
    if weights == "lite0":
        lite0.fill(backbone, lite0_arrays())
    elif weights not in ("noisy-student", "imagenet"):
        load_backbone_weights(backbone, weights)
    elif settings.backbone == "resnet18":
        load_backbone_weights(backbone, str(downloaded_resnet18()))
    else:
        backbone.load_weights(downloaded_weights(weights, backbone.name))


def _with_head(backbone: keras.Model, settings: TrainingSettings) -> keras.Model:
    side = settings.input_px
    pixels = keras.Input((side, side, 3), dtype="float32", name=INPUT_NAME)
    mean, std = _normalisation(settings)
    normalised = keras.layers.Rescaling(
        scale=[1 / (255 * deviation) for deviation in std],
        offset=[-centre / deviation for centre, deviation in zip(mean, std, strict=True)],
        dtype="float32",
        name=f"{settings.normalisation}_normalisation",
    )(pixels)
    x = backbone(normalised)
    for number, units in enumerate(settings.head_units, start=1):
        x = keras.layers.Dropout(settings.dropout, name=f"head_dropout_{number}")(x)
        x = keras.layers.Dense(units, activation="relu", name=f"head_dense_{number}")(x)
    if not settings.head_units:
        x = keras.layers.Dropout(settings.dropout, name="head_dropout_1")(x)
    return keras.Model(pixels, _output(x, settings), name="framejury")


def _output(x: keras.KerasTensor, settings: TrainingSettings) -> keras.KerasTensor:
    # float32: float16 cannot tell 0.9999 from 1, and the loss takes its logarithm.
    if settings.output == "sigmoid":
        return keras.layers.Dense(1, activation="sigmoid", dtype="float32", name=OUTPUT_NAME)(x)
    both = keras.layers.Dense(2, activation="softmax", dtype="float32", name=CLASSES_NAME)(x)
    return keras.layers.Reshape((1,), dtype="float32", name=OUTPUT_NAME)(both[:, 1:])


def _normalisation(settings: TrainingSettings) -> tuple[Sequence[float], Sequence[float]]:
    """Mean and deviation of the pixels that the weights were learned with, 0 to 1."""
    if settings.normalisation == "unit":
        return (0.0,) * 3, (1.0,) * 3
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
