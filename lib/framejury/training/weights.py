"""Initial weights of a backbone, and a check that they belong to it.

Keras silently loads the weights of another network when the shapes happen to fit:
`keras.applications`' EfficientNet-B0 has the same layers but normalises inside. So the content of a
file is compared with the backbone, name by name, before it is loaded.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import h5py  # type: ignore[import-untyped]
import keras
import numpy as np
import numpy.typing as npt

from framejury.errors import ConfigError, SetupError
from framejury.settings import TrainingSettings
from framejury.training import resnet18
from framejury.training.pretrained import download_of, instead_of_download

Shapes = dict[str, list[tuple[int, ...]]]


def downloaded(settings: TrainingSettings) -> Path:
    """Return the path of published weights in Keras' cache, downloaded once.

    A file with another digest is downloaded again.

    Args:
        settings: of which `weights` and `backbone` are used.

    Raises:
        SetupError: the file is not in the cache and cannot be downloaded.
    """
    file = download_of(settings)
    assert file is not None
    try:
        path = keras.utils.get_file(
            file.file_name, file.origin, cache_subdir="models", file_hash=file.digest
        )
    except Exception as error:  # get_file wraps every network error in a bare Exception
        raise SetupError(
            f"the pretrained weights {file.file_name} are not on this machine and cannot be "
            f"downloaded from {file.origin} ({error}). Without a network connection, "
            f"{instead_of_download(settings)}, and training.weights=none starts from random weights"
        ) from error
    return Path(path)


def load_backbone_weights(backbone: keras.Model, weights: str) -> None:
    """Fill a backbone from a file, after a check that the file belongs to the same network.

    Args:
        backbone: from `build_network`, without its top.
        weights: path of a `.weights.h5` or `.h5` file of that backbone, or of a `.keras` file that
            is or contains it (such as a bundle's `model.keras`); for ResNet-18 also of a
            `.safetensors` file with torchvision's names.

    Raises:
        ConfigError: the file cannot be read, or is of another kind or another network.
    """
    path, name = Path(weights), backbone.name
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


def average_with_start(model: keras.Model, weights: str, start_share: float) -> None:
    """Make a trained network the weighted mean of itself and the network it started from.

    Each weight becomes `start_share` times the initial plus `1 - start_share` times the trained
    one. On new kinds of data the mean is often better than either (WiSE-FT, Wortsman et al.,
    CVPR 2022).

    Args:
        model: the trained network.
        weights: path of the `.keras` file of the network it started from.
        start_share: weight of the latter, 0 to 1.

    Raises:
        ConfigError: as `start_of`.
    """
    both = zip(start_of(model, weights), model.get_weights(), strict=True)
    model.set_weights([start_share * a + (1 - start_share) * b for a, b in both])


def start_of(model: keras.Model, weights: str) -> list[npt.NDArray[np.float32]]:
    """Read all weights of the network that a training starts from, in the order of `model`'s.

    Args:
        model: a network like it.
        weights: path of its `.keras` file.

    Raises:
        ConfigError: the file cannot be read, or holds another network.
    """
    try:
        found = keras.models.load_model(weights, compile=False, safe_mode=True).get_weights()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"cannot read weights from {weights}: {error}") from error
    if [part.shape for part in found] != [part.shape for part in model.get_weights()]:
        raise ConfigError(
            f"training.start_share needs the same network in training.weights, head included, but "
            f"{weights} holds another one; set training.start_share=0"
        )
    return list(found)


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
