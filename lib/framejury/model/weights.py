"""Where a backbone's first weights come from, and that they are that backbone's.

Keras fills a graph from a file of another graph without a word when the shapes happen to
fit: `keras.applications`' EfficientNet-B0 has the same layers but normalises inside. So the
content of a file is compared with the backbone, name by name, before it is loaded.
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
    """Path of an EfficientNet's published weights without top, downloaded once.

    Args:
        kind: imagenet or noisy-student.
        name: of the network as the `efficientnet` package says it, such as efficientnet-b0.

    Raises:
        SetupError: the file is not in Keras' cache and cannot be fetched.
    """
    if kind == "imagenet":
        file_name = f"{name}_weights_tf_dim_ordering_tf_kernels_autoaugment_notop.h5"
        origin, digest = published.IMAGENET_WEIGHTS_PATH, published.IMAGENET_WEIGHTS_HASHES
    else:
        file_name = f"{name}_noisy-student_notop.h5"
        origin, digest = published.NS_WEIGHTS_PATH, published.NS_WEIGHTS_HASHES
    return _downloaded(file_name, origin + file_name, digest[name][1])


def downloaded_resnet18() -> Path:
    """Path of ResNet-18's published ImageNet weights, downloaded once.

    Raises:
        SetupError: the file is not in Keras' cache and cannot be fetched.
    """
    return _downloaded("resnet18_imagenet.safetensors", _RESNET18_ORIGIN, _RESNET18_SHA256)


def _downloaded(file_name: str, origin: str, digest: str) -> Path:
    """Path in Keras' cache; what is there with another digest is fetched anew."""
    try:
        path = keras.utils.get_file(file_name, origin, cache_subdir="models", file_hash=digest)
    except Exception as error:  # get_file wraps every network error in a bare Exception
        raise SetupError(
            f"the pretrained weights {file_name} are not on this machine and cannot be fetched "
            f"from {origin} (the network is not reachable: {error}). Without the network: "
            "--set training.weights=none starts from random weights, and "
            f"--set training.weights=PATH takes a copy of {file_name} fetched elsewhere"
        ) from error
    return Path(path)


def lite0_arrays() -> lite0.Arrays:
    """EfficientNet-Lite0's ImageNet weights, from Keras' cache, where `make lite0` puts them.

    Raises:
        SetupError: they are not there.
        ConfigError: the file is damaged.
    """
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    return lite0.read_arrays(home / "models" / lite0.ARRAYS_NAME)


def load_backbone_weights(backbone: keras.Model, weights: str) -> None:
    """Fills a backbone from a file, once the file is known to be of that very network.

    Args:
        backbone: of `build_network`, without top.
        weights: path of a `.weights.h5` or `.h5` file of that backbone, or of a `.keras`
            file that is it or has it inside (such as a bundle's `model.keras`); for ResNet-18
            also of a `.safetensors` file with torchvision's names.

    Raises:
        ConfigError: no such file, another kind of file, or weights of another network.
    """
    path, name = Path(weights), backbone.name
    if not path.is_file():
        raise ConfigError(
            f"training.weights is {weights!r}: neither noisy-student, imagenet, lite0 or none, nor "
            "the path of a file"
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
                f"{path}: weights are read from .weights.h5, .h5, .keras or .safetensors files"
            )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"cannot read weights from {path}: {error}") from error


def _load_arrays(backbone: keras.Model, path: Path) -> None:
    if backbone.name != resnet18.NAME:
        raise ConfigError(
            f"{path}: {resnet18.SUFFIX} files are read for training.backbone=resnet18 only, "
            f"this is {backbone.name}"
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
    said = [
        f"{what} {', '.join(names[:3])}{', ...' if len(names) > 3 else ''}"
        for what, names in (("it has also", extra), ("it lacks", missing), ("other shapes:", other))
        if names
    ]
    hint = (
        "; a keras.applications file does not fit, its network normalises inside"
        if any("normalization" in name and "batch" not in name for name in extra)
        else ""
    )
    raise ConfigError(
        f"{path} holds weights of another network than {network} without top, as training.backbone "
        f"builds it: {'; '.join(said)}{hint}"
    )


def _stored_shapes(path: Path) -> Shapes:
    """Path of each array in a `.weights.h5` file (by class and order, not by name) -> shape."""
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
    """Layer -> shapes of its arrays, of a Keras 2 file of weights or of a whole model."""
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
    """As `_layer_shapes`, with normalising layers even where they have no weights."""
    shapes = _layer_shapes(model)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Rescaling | keras.layers.Normalization):
            shapes[f"normalization layer {layer.name}"] = []
    return shapes


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else name
