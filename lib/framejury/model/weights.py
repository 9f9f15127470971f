"""Initial weights of a backbone, and a check that they belong to it.

Keras silently loads the weights of another network when the shapes happen to fit:
`keras.applications`' EfficientNet-B0 has the same layers but normalises inside. So the content of a
file is compared with the backbone, name by name, before it is loaded.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import efficientnet.weights as published
import h5py  # type: ignore[import-untyped]
import keras

from framejury.errors import ConfigError, SetupError
from framejury.model import lite0, resnet18

_RESNET18_ORIGIN = (
    "https://huggingface.co/timm/resnet18.tv_in1k/resolve/"
    "a987fd6b60f845221bfff84b6f0191273ba56ead/model.safetensors"
)
"""torchvision's IMAGENET1K_V1 (BSD-3-Clause), as safetensors."""
_RESNET18_SHA256 = "694f673df6520a3158624e8a89af086f59923ee4cd7436fe5bc3bc71d295ad81"
Shapes = dict[str, list[tuple[int, ...]]]


def downloaded_weights(kind: str, name: str) -> Path:
    """Return the path of an EfficientNet's published weights without its top, downloaded once.

    Args:
        kind: imagenet or noisy-student.
        name: name of the network in the `efficientnet` package, such as efficientnet-b0.

    Raises:
        SetupError: the file is not in Keras' cache and cannot be downloaded.
    """
    if kind == "imagenet":
        file_name = f"{name}_weights_tf_dim_ordering_tf_kernels_autoaugment_notop.h5"
        origin, digest = published.IMAGENET_WEIGHTS_PATH, published.IMAGENET_WEIGHTS_HASHES
    else:
        file_name = f"{name}_noisy-student_notop.h5"
        origin, digest = published.NS_WEIGHTS_PATH, published.NS_WEIGHTS_HASHES
    return _downloaded(file_name, origin + file_name, digest[name][1])


def downloaded_resnet18() -> Path:
    """Return the path of ResNet-18's published ImageNet weights, downloaded once.

    Raises:
        SetupError: the file is not in Keras' cache and cannot be downloaded.
    """
    return _downloaded("resnet18_imagenet.safetensors", _RESNET18_ORIGIN, _RESNET18_SHA256)


def _downloaded(file_name: str, origin: str, digest: str) -> Path:
    """Return the path in Keras' cache; a file with another digest is downloaded again."""
    try:
        path = keras.utils.get_file(file_name, origin, cache_subdir="models", file_hash=digest)
    except Exception as error:  # get_file wraps every network error in a bare Exception
        raise SetupError(
            f"the pretrained weights {file_name} are not on this machine and cannot be downloaded "
            f"from {origin} ({error}). Without a network connection, --set training.weights=PATH "
            f"takes a copy of {file_name}, and training.weights=none starts from random weights"
        ) from error
    return Path(path)


def lite0_arrays() -> lite0.Arrays:
    """Read EfficientNet-Lite0's ImageNet weights from Keras' cache, where `make lite0` puts them.

    Raises:
        SetupError: there is no such file.
        ConfigError: the file is damaged.
    """
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    return lite0.read_arrays(home / "models" / lite0.ARRAYS_NAME)


def load_backbone_weights(backbone: keras.Model, weights: str) -> None:
    """Fill a backbone from a file, after a check that the file belongs to the same network.

    Args:
        backbone: from `build_network`, without its top.
        weights: path of a `.weights.h5` or `.h5` file of that backbone, or of a `.keras` file that
            is or contains it (such as a bundle's `model.keras`); for ResNet-18 also of a
            `.safetensors` file with torchvision's names.

    Raises:
        ConfigError: there is no such file, or it is of another kind or another network.
    """
    path, name = Path(weights), backbone.name
    if not path.is_file():
        raise ConfigError(
            f"training.weights is {weights!r}, which is neither noisy-student, imagenet, lite0 or "
            "none, nor the path of a file"
        )
    try:
        if path.name.endswith(resnet18.SUFFIX):
            _load_arrays(backbone, path)
        elif path.name.endswith(".keras"):
            _load_from_model(backbone, path)
        elif path.name.endswith(".weights.h5"):
            _require_same(path, _stored_shapes(path), _expected_stored_shapes(backbone), name)
            backbone.load_weights(path)
        elif path.name.endswith(".h5"):
            _require_same(path, _legacy_shapes(path), _layer_shapes(backbone), name)
            backbone.load_weights(path)
        else:
            raise ConfigError(
                f"{path} is not a .weights.h5, .h5, .keras or .safetensors file of weights"
            )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"cannot read weights from {path}: {error}") from error


def _load_arrays(backbone: keras.Model, path: Path) -> None:
    if backbone.name != resnet18.NAME:
        raise ConfigError(
            f"{path}: only training.backbone=resnet18 reads {resnet18.SUFFIX} files, not "
            f"{backbone.name}"
        )
    resnet18.fill(backbone, resnet18.read_arrays(path), str(path))


def _load_from_model(backbone: keras.Model, path: Path) -> None:
    model = keras.models.load_model(path, compile=False, safe_mode=True)
    inside = {layer.name: layer for layer in model.layers}
    found = inside.get(backbone.name, model)
    _require_same(path, _graph_shapes(found), _graph_shapes(backbone), backbone.name)
    backbone.set_weights(found.get_weights())


def _require_same(path: Path, found: Shapes, expected: Shapes, network: str) -> None:
    if found == expected:
        return
    extra, missing = sorted(found.keys() - expected.keys()), sorted(expected.keys() - found.keys())
    other = sorted(name for name in found.keys() & expected.keys() if found[name] != expected[name])
    differences = [
        f"{what} {', '.join(names[:3])}{', ...' if len(names) > 3 else ''}"
        for what, names in (("unexpected:", extra), ("missing:", missing), ("other shapes:", other))
        if names
    ]
    hint = (
        "; files of keras.applications do not fit, because their networks normalise inside"
        if any("normalization" in name and "batch" not in name for name in extra)
        else ""
    )
    raise ConfigError(
        f"{path} does not hold weights of {network} without its top: {'; '.join(differences)}{hint}"
    )


def _stored_shapes(path: Path) -> Shapes:
    """Return path -> shape of the arrays in a `.weights.h5` file (by class and order, not name)."""
    shapes: Shapes = {}

    def visit(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and not name.startswith("optimizer/"):
            shapes[name] = [tuple(item.shape)]

    with h5py.File(path) as file:
        file.visititems(visit)
    return shapes


def _expected_stored_shapes(backbone: keras.Model) -> Shapes:
    with tempfile.TemporaryDirectory() as folder:
        reference = Path(folder) / "reference.weights.h5"
        backbone.save_weights(reference)
        return _stored_shapes(reference)


def _legacy_shapes(path: Path) -> Shapes:
    """Return layer -> shapes of its arrays, from a Keras 2 file of weights or a whole model."""
    with h5py.File(path) as file:
        group = file["model_weights"] if "layer_names" not in file.attrs else file
        names = {str(_text(name)) for name in group.attrs["layer_names"]}
        listed = {
            name: [
                tuple(group[name][_text(key)].shape) for key in group[name].attrs["weight_names"]
            ]
            for name in names
        }
    return {name: sorted(shapes) for name, shapes in listed.items() if shapes}


def _layer_shapes(backbone: keras.Model) -> Shapes:
    shapes = {layer.name: [tuple(w.shape) for w in layer.weights] for layer in backbone.layers}
    return {name: sorted(of_layer) for name, of_layer in shapes.items() if of_layer}


def _graph_shapes(model: keras.Model) -> Shapes:
    """Return `_layer_shapes` and normalising layers, even where they have no weights."""
    shapes = _layer_shapes(model)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Rescaling | keras.layers.Normalization):
            shapes[f"normalization layer {layer.name}"] = []
    return shapes


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else name
