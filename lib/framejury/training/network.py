"""The network: a backbone, dense layers, one sigmoid or a softmax over two classes, heat maps.

Backbones are EfficientNet-B0 and B4 (Tan and Le, "EfficientNet", ICML 2019) from the `efficientnet`
package, EfficientNet-Lite0 (`lite0`) and ResNet-18 (`resnet18`). Loading the `model.keras` of a B0
or B4 needs `import efficientnet.tfkeras`, which registers the custom layers with Keras.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Literal

import efficientnet.tfkeras as efficientnet
import keras
from keras import ops

from framejury.errors import ConfigError
from framejury.model.manifest import HEAT_NAME, OUTPUT_NAME
from framejury.settings import TrainingSettings
from framejury.training import lite0, resnet18
from framejury.training.pretrained import PUBLISHED, require_weights
from framejury.training.weights import downloaded, load_backbone_weights

BACKBONE_LAYERS = {
    "efficientnet_b0": "efficientnet-b0",
    "efficientnet_b4": "efficientnet-b4",
    "efficientnet_lite0": lite0.NAME,
    "resnet18": resnet18.NAME,
}
INPUT_NAME = "pixels"
CLASSES_NAME = "real_fake"
"""The softmax over two classes, REAL before FAKE."""
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
# Random weights change fast at first, so their moving averages must follow fast.
_FRESH_MOMENTUM = 0.9

Precision = Literal["float32", "mixed_float16"]


def build_network(
    settings: TrainingSettings, precision: Precision = "float32", *, pretrained: bool = True
) -> keras.Model:
    """Return the network before training.

    Input: float32 (n, input_px, input_px, 3) RGB, 0 to 255; the first layer computes
    (x / 255 - mean) / std with the constants of the backbone's ImageNet training, or x / 255.
    Output: float32 (n, 1), the score 0 to 1: a sigmoid, or FAKE's part of a softmax over REAL and
    FAKE. The binary cross entropy of that part equals the cross entropy over both classes:
    -log score for a fake, -log(1 - score) = -log p_real for a real.

    Args:
        settings: `backbone`, `input_px`, `normalisation`, `weights`, `head_units`, `dropout`,
            `output` and `frozen_layers` are used.
        precision: arithmetic between input and output; weights are always float32.
        pretrained: False skips `weights`, for a network that is filled afterwards.

    Raises:
        SetupError: pretrained weights cannot be downloaded.
        ConfigError: `weights` is not a file or belongs to another network, or a name in
            `frozen_layers` matches no layer.
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
    """Return the backbone inside a network from `build_network`."""
    names = {layer.name for layer in model.layers}
    return model.get_layer(next(name for name in BACKBONE_LAYERS.values() if name in names))


def freeze(backbone: keras.Model, settings: TrainingSettings) -> None:
    """Freeze the weights of `frozen_layers`, and the averages of their batch norms.

    Making a whole network trainable undoes this, so call it afterwards.

    Raises:
        ConfigError: a name matches no layer with weights.
    """
    names = [layer.name for layer in backbone.layers if layer.weights]
    for pattern in settings.frozen_layers:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise ConfigError(
                f"training.frozen_layers: no layer of {settings.backbone} is called {pattern!r}; "
                f"the layers are {', '.join(names[:6])}, ... {', '.join(names[-3:])}"
            )
    for layer in backbone.layers:
        if any(fnmatchcase(layer.name, pattern) for pattern in settings.frozen_layers):
            layer.trainable = False


def with_heat(model: keras.Model) -> keras.Model:
    """Return the network with a heat map as its second output; both share their weights.

    The heat map is float32 (n, rows, columns), 0 to 1: each picture's own maximum is 1, so maps
    of two pictures do not compare. It is 0 everywhere where nothing points to FAKE.

    Source: Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
    Localization", ICCV 2017. The map is ReLU(sum_k a_k A_k) over the channels A_k of the last
    activation that still has a height and a width; a_k is the mean over the picture of the gradient
    of the logit (the score before the sigmoid, which saturates) with respect to A_k. With a softmax
    over REAL and FAKE the logit is the difference of the two. Between that activation and the logit
    lie a mean over places and dense layers, so by the chain rule the gradient is a product of their
    weights, and a graph without gradients computes it.

    Args:
        model: from `build_network`, float32.
    """
    backbone = backbone_of(model)
    at = model.layers.index(backbone)
    dense = [layer for layer in model.layers[at:] if isinstance(layer, keras.layers.Dense)]
    activation = next(
        layer.output for layer in reversed(backbone.layers) if len(layer.output.shape) == 4
    )
    x = model.input
    for layer in model.layers[1:at]:
        x = layer(x)
    activation, x = keras.Model(backbone.inputs, [activation, backbone.output])(x)
    hidden = []
    for layer in dense[:-1]:
        x = layer(x)
        hidden.append((layer.kernel, x))
    kernel = dense[-1].kernel
    gradient = ops.transpose(kernel if kernel.shape[1] == 1 else kernel[:, 1:] - kernel[:, :1])
    for kernel, x in reversed(hidden):  # a ReLU passes the gradient where it is above 0
        gradient = ops.matmul(gradient * ops.cast(x > 0, "float32"), ops.transpose(kernel))
    heat = ops.relu(ops.sum(activation * gradient[:, None, None, :], axis=-1))
    highest = ops.max(heat, axis=(1, 2), keepdims=True)
    heat = heat / ops.where(highest > 0, highest, 1.0)
    return keras.Model(
        model.input, [model.output, keras.layers.Identity(name=HEAT_NAME)(heat)], name=model.name
    )


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
    if settings.weights not in PUBLISHED:
        path = require_weights(settings)
        if settings.weights == "lite0":
            lite0.fill(backbone, lite0.read_arrays(path))
        else:
            load_backbone_weights(backbone, str(path))
    elif settings.backbone == "resnet18":
        load_backbone_weights(backbone, str(downloaded(settings)))
    else:
        backbone.load_weights(downloaded(settings))


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
    # float16 cannot separate 0.9999 from 1, and the loss takes the logarithm.
    if settings.output == "sigmoid":
        return keras.layers.Dense(1, activation="sigmoid", dtype="float32", name=OUTPUT_NAME)(x)
    both = keras.layers.Dense(2, activation="softmax", dtype="float32", name=CLASSES_NAME)(x)
    return keras.layers.Reshape((1,), dtype="float32", name=OUTPUT_NAME)(both[:, 1:])


def _normalisation(settings: TrainingSettings) -> tuple[Sequence[float], Sequence[float]]:
    """Return mean and standard deviation of the pixels in the weights' training, 0 to 1."""
    if settings.normalisation == "unit":
        return (0.0,) * 3, (1.0,) * 3
    if settings.backbone == "efficientnet_lite0" or settings.weights == "lite0":
        return lite0.MEAN, lite0.STD
    return IMAGENET_MEAN, IMAGENET_STD


@contextmanager
def _dtype_policy(precision: Precision) -> Iterator[None]:
    """Set the dtype policy, because the `efficientnet` package takes no dtype."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
