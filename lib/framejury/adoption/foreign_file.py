"""The file of a foreign network, of any accepted format, as one ONNX model without other files.

A network is data here, not code: nothing is unpickled, no custom layer is loaded, and no file
outside the network's own folder is read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import onnx
from google.protobuf.message import DecodeError
from onnx import external_data_helper, inliner

from framejury.adoption.network_facts import NetworkFacts, all_nodes, check_contents, facts_of
from framejury.errors import BundleError, SetupError
from framejury.model.manifest import Parity

FileFormat = Literal["onnx", "keras", "h5", "saved_model"]
LARGEST_BYTES = 2**31 - 1
"""What a protocol buffer, and so an ONNX file, can hold."""

_PICKLED = (".pt", ".pth", ".ckpt", ".bin", ".pkl", ".pickle", ".tar", ".safetensors", ".joblib")
_HDF5 = b"\x89HDF\r\n\x1a\n"


@dataclass(frozen=True)
class ForeignNetwork:
    """A network as it was given.

    Attributes:
        model: as ONNX, with its weights inside and shapes inferred.
        facts: what it says of itself.
        contents: its operators, for people.
        file_format: of the file.
        sha256: digest of the file, or of all files of a SavedModel; 64 hex digits.
        parity: the conversion to ONNX against the network as given; None: it was ONNX.
    """

    model: onnx.ModelProto
    facts: NetworkFacts
    contents: str
    file_format: FileFormat
    sha256: str
    parity: Parity | None = None


def read_network(path: Path, architecture: Path | None = None) -> ForeignNetwork:
    """Read a network of any accepted format.

    Args:
        path: `.onnx`, `.keras`, `.h5` or the folder of a SavedModel.
        architecture: JSON of Keras's `to_json`, for an `.h5` with weights alone.

    Raises:
        BundleError: it is too large, damaged, needs other files or code, or cannot be a detector.
        SetupError: TensorFlow is needed and not installed.
        ParityError: the conversion gives other answers than the network.
    """
    file_format = _format_of(path)
    files = _files_of(path)
    total = sum(file.stat().st_size for file in files)
    if total > LARGEST_BYTES:
        raise BundleError(f"{path} has {total:,} bytes; an ONNX file holds {LARGEST_BYTES:,}")
    if architecture is not None and file_format != "h5":
        raise BundleError(f"--architecture is for .h5 files with weights alone, not for {path}")
    parity = None
    if file_format == "onnx":
        model = read_onnx(path)
    else:
        model, parity = _converted(path, file_format, architecture)
    contents = check_contents(model, path.name)
    try:
        onnx.checker.check_model(model)
        model = onnx.shape_inference.infer_shapes(model)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        reason = " ".join(str(error).split())[:300]
        raise BundleError(f"{path} is not a valid ONNX network: {reason}") from None
    return ForeignNetwork(
        model, facts_of(model, path.name), contents, file_format, _digest(files), parity
    )


def read_onnx(path: Path) -> onnx.ModelProto:
    """Read an ONNX file with the weights that lie beside it, and inline its functions.

    Raises:
        BundleError: it is damaged, or names a file outside its folder.
    """
    try:
        model = onnx.load(str(path), load_external_data=False)
    except (DecodeError, OSError, ValueError) as error:
        raise BundleError(f"{path} is not an ONNX file: {error}") from None
    if not model.graph.node:
        raise BundleError(f"{path} is not an ONNX file: it holds no network")
    places = {_place_of(tensor, path) for tensor in _tensors(model) if _is_outside(tensor)}
    total = path.stat().st_size + sum(place.stat().st_size for place in places)
    if total > LARGEST_BYTES:
        raise BundleError(
            f"{path} has {total:,} bytes with the files beside it; an ONNX file holds "
            f"{LARGEST_BYTES:,}"
        )
    if places:
        try:
            external_data_helper.load_external_data_for_model(model, str(path.parent))
        except (OSError, ValueError, onnx.checker.ValidationError) as error:
            raise BundleError(f"cannot read the weights beside {path}: {error}") from None
    return inliner.inline_local_functions(model) if model.functions else model


def _format_of(path: Path) -> FileFormat:
    suffix = path.suffix.lower()
    if path.is_dir():
        if (path / "saved_model.pb").is_file():
            return "saved_model"
        raise BundleError(f"{path} is a folder without saved_model.pb; give a network's file")
    with path.open("rb") as file:
        head = file.read(8)
    if suffix in _PICKLED or head[:2] == b"\x80\x02":
        raise BundleError(
            f"{path.name} is a checkpoint of PyTorch or a pickle: reading it can run any code, and "
            "it lacks the network itself. Export the network where its code is: "
            "torch.onnx.export(model.eval(), torch.zeros(1, 3, SIDE, SIDE), 'network.onnx', "
            "input_names=['input'], output_names=['output'], dynamic_axes={'input': {0: 'n'}, "
            "'output': {0: 'n'}}, opset_version=17); docs/adopting.md has recipes"
        )
    if suffix == ".keras":
        return "keras"
    if suffix in (".h5", ".hdf5") or head == _HDF5:
        return "h5"
    return "onnx"


def _files_of(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.rglob("*") if file.is_file())


def _digest(files: list[Path]) -> str:
    """Return the SHA-256 of a file, or of the digests of several in the order of their names."""
    digests = []
    for file in files:
        with file.open("rb") as opened:
            digests.append(hashlib.file_digest(opened, "sha256").hexdigest())
    return (
        digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
    )


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Yield every tensor of a model, also of subgraphs, functions and attributes."""
    graphs, nodes = [model.graph], list(all_nodes(model.graph))
    for node in nodes + [node for function in model.functions for node in function.node]:
        for attribute in node.attribute:
            graphs += [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]
            yield from [*([attribute.t] if attribute.HasField("t") else []), *attribute.tensors]
    for graph in graphs:
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)


def _is_outside(tensor: onnx.TensorProto) -> bool:
    return tensor.data_location == onnx.TensorProto.EXTERNAL or len(tensor.external_data) > 0


def _place_of(tensor: onnx.TensorProto, path: Path) -> Path:
    """Return the file that holds a tensor.

    Raises:
        BundleError: it is not a file beside the network.
    """
    named = next((str(item.value) for item in tensor.external_data if item.key == "location"), "")
    folder = path.parent.resolve()
    place = folder / named
    inside = named and not Path(named).is_absolute() and ".." not in Path(named).parts
    if not inside or not place.resolve().is_relative_to(folder):
        raise BundleError(
            f"{path.name} takes weights from {named!r}, outside its own folder. Put that file "
            "beside the network and export it again, or export it as one file"
        )
    if not place.is_file():
        raise BundleError(f"{path.name} needs the file {named} beside it, which is missing")
    return place


def _converted(
    path: Path, file_format: FileFormat, architecture: Path | None
) -> tuple[onnx.ModelProto, Parity]:
    try:
        from framejury.training.foreign_keras import convert
    except ModuleNotFoundError as error:
        raise SetupError(
            f"{path.name} needs TensorFlow to be converted, and {error.name} is not installed: "
            "pip install 'framejury[train]', or give the network as ONNX"
        ) from error
    return convert(path, file_format, architecture)
