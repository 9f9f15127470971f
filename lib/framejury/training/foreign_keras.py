"""Networks of Keras and TensorFlow that were trained elsewhere, converted to ONNX."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py  # type: ignore[import-untyped]
import keras
import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import tensorflow as tf
import tf2onnx
from tensorflow.core.protobuf import saved_model_pb2

from framejury.errors import BundleError, ParityError
from framejury.model.manifest import Parity
from framejury.training.export import PARITY_TOLERANCE

_OPSET = 17
_COMPARED = 4
_UNKNOWN_SIDE_PX = 224
Answers = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]

_RUNS_CODE = ("Lambda", "TFOpLambda", "SlicingOpLambda", "TorchModuleWrapper", "TFSMLayer")
_TOUCHES_FILES = (
    *("ReadFile", "WriteFile", "MatchingFiles", "SaveV2", "RestoreV2", "MergeV2Checkpoints"),
    *("PyFunc", "EagerPyFunc", "PyFuncStateless", "LoadLibrary", "PrintV2"),
)
_SAVING = ("SaveV2", "RestoreV2", "MergeV2Checkpoints")
"""Every SavedModel has these, for its own variables."""


def convert(
    path: Path, file_format: str, architecture: Path | None = None
) -> tuple[onnx.ModelProto, Parity]:
    """Convert a network to ONNX, and compare the answers of both on noise.

    Args:
        path: a `.keras` or `.h5` file, or the folder of a SavedModel.
        file_format: keras, h5 or saved_model.
        architecture: JSON of Keras's `to_json`, where `path` holds weights alone.

    Raises:
        BundleError: it is damaged, or has layers that run code of its author.
        ParityError: the answers differ by more than 1e-4 of their size.
    """
    try:
        if file_format == "saved_model":
            model, answers = _of_saved_model(path)
        else:
            model, answers = _of_keras(_keras_model(path, file_format, architecture))
    except (ValueError, TypeError, OSError, KeyError, NotImplementedError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:400]
        raise BundleError(
            f"{path} cannot be converted to ONNX: {reason}. Export it as ONNX where it was trained"
        ) from None
    model = _numbered(model)
    return model, _compared(model, answers, path.name)


def _keras_model(path: Path, file_format: str, architecture: Path | None) -> keras.Model:
    if file_format == "keras":
        with zipfile.ZipFile(path) as whole:
            _check_layers(json.loads(whole.read("config.json")), path)
        return keras.models.load_model(path, compile=False, safe_mode=True)
    if architecture is not None:
        config = json.loads(architecture.read_text(encoding="utf-8"))
        _check_layers(config, architecture)
        model = keras.saving.deserialize_keras_object(config, safe_mode=True)
        model.load_weights(path)
        return model
    with h5py.File(path) as file:
        config = file.attrs.get("model_config")
    if config is None:
        raise BundleError(
            f"{path.name} holds weights without a network; give the network's JSON (Keras: "
            "model.to_json()) with --architecture FILE"
        )
    _check_layers(json.loads(config), path)
    return keras.models.load_model(path, compile=False, safe_mode=True)


def _check_layers(config: Any, path: Path) -> None:
    """Raise BundleError for layers that carry code, or that come from elsewhere than Keras."""
    for layer in _layers(config):
        name, package = layer["class_name"], layer.get("registered_name")
        if name in _RUNS_CODE or (isinstance(package, str) and ">" in package):
            raise BundleError(
                f"{path.name} has a layer {package or name}, which runs code of its author; "
                "framejury adopts data, not code. Export the network as ONNX where it was trained"
            )


def _layers(config: Any) -> Iterator[dict[str, Any]]:
    waiting = [config]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            if isinstance(item.get("class_name"), str):
                yield item
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item


def _of_keras(model: keras.Model) -> tuple[onnx.ModelProto, Answers]:
    signature = [tf.TensorSpec(one.shape, one.dtype, name=one.name) for one in model.inputs]
    exported, _ = tf2onnx.convert.from_keras(model, input_signature=signature, opset=_OPSET)
    return exported, lambda pixels: _first(model(pixels, training=False))


def _of_saved_model(path: Path) -> tuple[onnx.ModelProto, Answers]:
    _check_operations(path)
    served = tf.saved_model.load(str(path)).signatures.get("serving_default")
    if served is None:
        raise BundleError(f"{path} has no signature serving_default; export the network as ONNX")
    graph, inputs, outputs = tf2onnx.tf_loader.from_saved_model(
        str(path), None, None, tag="serve", signatures=["serving_default"]
    )
    exported, _ = tf2onnx.convert.from_graph_def(
        graph, input_names=list(inputs), output_names=list(outputs), opset=_OPSET
    )
    (name,) = served.structured_input_signature[1]
    return exported, lambda pixels: _first(served(**{name: tf.constant(pixels)}))


def _check_operations(path: Path) -> None:
    """Raise BundleError for a SavedModel whose graph reads or writes files, or calls Python."""
    saved = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    for meta in saved.meta_graphs:
        functions = [node for item in meta.graph_def.library.function for node in item.node_def]
        found = {node.op for node in functions} | {node.op for node in meta.graph_def.node}
        if bad := sorted(found & set(_TOUCHES_FILES) - set(_SAVING)):
            raise BundleError(
                f"{path} uses {', '.join(bad)}: its graph touches files or runs code. Export the "
                "network as ONNX where it was trained"
            )


def _numbered(model: onnx.ModelProto) -> onnx.ModelProto:
    """Number what is inside the graph by its first use: tf2onnx's names differ each time.

    So the same file adopted twice is the same bundle. Graphs within nodes stay as they are, since
    they may use names from outside.
    """
    graph = model.graph
    if any(part.HasField("g") or part.graphs for node in graph.node for part in node.attribute):
        return model
    outer = {one.name for one in (*graph.input, *graph.output)}
    names: dict[str, str] = {"": ""} | {name: name for name in outer}
    for node in graph.node:
        node.name = ""
        for ends in (node.input, node.output):
            for at, name in enumerate(ends):
                ends[at] = names.setdefault(name, f"t{len(names)}")
    used = [one for one in graph.initializer if one.name in names]
    for one in used:
        one.name = names[one.name]
    del graph.initializer[:], graph.value_info[:]
    order = list(names.values())
    graph.initializer.extend(sorted(used, key=lambda one: order.index(one.name)))
    return model


def _compared(model: onnx.ModelProto, answers: Answers, name: str) -> Parity:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (given,) = session.get_inputs()
    inner = [dim if isinstance(dim, int) else _UNKNOWN_SIDE_PX for dim in given.shape[1:]]
    batch = given.shape[0] if isinstance(given.shape[0], int) else _COMPARED
    noise = np.random.default_rng(0).random((batch, *inner), np.float32)
    noise[::2] *= 255  # one of the two is the range of its training
    (converted, *_), original = session.run(None, {given.name: noise}), answers(noise)
    difference = float(np.abs(converted - original).max())
    if not difference <= PARITY_TOLERANCE * max(1.0, float(np.abs(original).max())):
        raise ParityError(
            f"{name} as ONNX gives answers that differ by {difference:.2e} from the network's own; "
            f"the limit is {PARITY_TOLERANCE:.0e}. No bundle was written"
        )
    return Parity(faces=batch, max_abs_difference=difference)


def _first(answer: Any) -> npt.NDArray[np.float32]:
    """Return the first of several outputs."""
    while isinstance(answer, dict | list | tuple):
        answer = next(iter(answer.values())) if isinstance(answer, dict) else answer[0]
    return np.asarray(answer, np.float32)
