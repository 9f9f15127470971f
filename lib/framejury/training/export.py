"""A trained network becomes a bundle: ONNX export, parity check, files.

Kernels are stored in half precision, which halves the Keras model. They are rounded before the
network is exported or measured, so `model.keras` and `model.onnx` hold exactly the weights that the
figures were measured with.

tf2onnx is called directly, because `model.export(format="onnx")`, which also calls it, names the
output `Identity:0` and does not fix the operator set.
"""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import h5py  # type: ignore[import-untyped]
import keras
import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import tensorflow as tf
import tf2onnx
from onnx import numpy_helper
from pydantic import JsonValue

from framejury.errors import BundleError, FramejuryError, ParityError
from framejury.model.bundle import load_bundle, write_bundle
from framejury.model.input_contract import Framing, PixelContract
from framejury.model.manifest import (
    KERAS_NAME,
    ONNX_NAME,
    OUTPUT_NAME,
    Bundle,
    JudgingSection,
    Manifest,
    Parity,
    TrainingData,
)
from framejury.model.seen import SeenVideos
from framejury.schemas.statuses import Side
from framejury.settings.learning import NAMED_WEIGHTS
from framejury.signals.network_input import picture_of
from framejury.training.network import INPUT_NAME, with_heat
from framejury.training.source_counts import methods_learned, sample_faces
from framejury.training.train import TrainedNetwork

PARITY_TOLERANCE = 1e-4
PARITY_FACES = 64
_OPSET = 17
_WEIGHTS_NAME = "model.weights.h5"
_KERNEL_AXES = 2  # biases and batch norms have fewer; they are small and stay float32
_LIBRARIES = (
    "framejury",
    "tensorflow",
    "keras",
    "efficientnet",
    "numpy",
    "onnx",
    "onnxruntime",
    "tf2onnx",
    "opencv-python-headless",
)


def export_onnx(model: keras.Model, path: Path) -> int:
    """Write a network as one ONNX file: any number of faces per call, a score and a heat map each.

    Args:
        model: from `build_network`, float32.
        path: of the file; replaced when it exists.

    Returns:
        side of the heat map, cells.

    Raises:
        onnx.checker.ValidationError: the exported model is not valid.
    """
    side = model.input_shape[1]
    signature = [tf.TensorSpec((None, side, side, 3), tf.float32, name=INPUT_NAME)]
    both = with_heat(model)
    exported, _ = tf2onnx.convert.from_keras(both, input_signature=signature, opset=_OPSET)
    _normalise_by_plane(exported.graph)
    onnx.checker.check_model(exported, full_check=True)
    onnx.save(exported, str(path))
    return int(both.output_shape[1][1])


def _normalise_by_plane(graph: onnx.GraphProto) -> None:
    """Move the normalisation of pixels behind the transposition to NCHW, in place.

    The result is identical, since the operation is elementwise. ONNX Runtime's CPU kernels process
    three values at a time with channels last, but a whole plane with channels first, which makes
    B0 at 224 pixels 1.15 times faster.
    """
    scale, shift, turn = graph.node[:3]
    if [node.op_type for node in (scale, shift, turn)] != ["Mul", "Add", "Transpose"]:
        return  # another start of the graph; it stays as it is
    constants = {item.name: item for item in graph.initializer}
    for node in (scale, shift):  # new constants, because tf2onnx shares equal ones
        planes = numpy_helper.to_array(constants[node.input[1]]).reshape(-1, 1, 1)
        node.input[1] = f"{node.output[0]}_planes"
        graph.initializer.append(numpy_helper.from_array(planes, node.input[1]))
    turned = f"{scale.input[0]}_nchw"
    turn.input[0], scale.input[0] = scale.input[0], turned
    turn.output[0], shift.output[0] = turned, turn.output[0]
    graph.node.insert(0, graph.node.pop(2))
    used = {name for node in graph.node for name in node.input}
    for name in constants.keys() - used:
        graph.initializer.remove(constants[name])


def check_parity(model: keras.Model, onnx_path: Path, samples: npt.NDArray[np.uint8]) -> float:
    """Return the largest difference between the scores of a network and of its ONNX file.

    Args:
        model: the network that was exported.
        onnx_path: the export.
        samples: uint8 (n, input_px, input_px, 3) RGB, n at least 1; real crops, because noise may
            not activate all parts of the network.

    Returns:
        largest |difference| of the scores, 0 to 1.

    Raises:
        ParityError: it is above 1e-4 or not a number.
    """
    if len(samples) == 0:
        raise ValueError("parity needs at least one sample")
    pixels = samples.astype(np.float32)
    session = onnxruntime.InferenceSession(str(onnx_path), providers=["CPUExecutionProvider"])
    (exported,) = session.run([OUTPUT_NAME], {session.get_inputs()[0].name: pixels})
    trained = np.asarray(model(pixels, training=False))
    difference = float(np.abs(np.asarray(exported).reshape(-1) - trained.reshape(-1)).max())
    if not difference <= PARITY_TOLERANCE:
        raise ParityError(
            f"scores of {onnx_path.name} differ from the trained network's by {difference:.2e} on "
            f"{len(samples)} faces; the limit is {PARITY_TOLERANCE:.0e}. No bundle was written"
        )
    return difference


def round_kernels(model: keras.Model) -> None:
    """Round every kernel to the nearest half-precision value, in place (still float32).

    Raises:
        FramejuryError: a weight exceeds the range of half precision, so the training diverged.
    """
    for variable in model.variables:
        if len(variable.shape) < _KERNEL_AXES:
            continue
        with np.errstate(over="ignore"):
            rounded = np.asarray(variable, np.float32).astype(np.float16).astype(np.float32)
        if not np.isfinite(rounded).all():
            raise FramejuryError(
                f"{variable.path} has weights above 65504 or not finite: the training diverged. "
                "Lower the learning rate"
            )
        variable.assign(rounded)


def save_compact(model: keras.Model, path: Path) -> None:
    """Save a model after `round_kernels` as `.keras`, kernels as float16; Keras reads it as usual.

    Raises:
        ValueError: a kernel was not rounded and would change.
    """
    model.save(path)
    with zipfile.ZipFile(path) as whole:
        members = {name: whole.read(name) for name in whole.namelist()}
    members[_WEIGHTS_NAME] = _halved(members[_WEIGHTS_NAME])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as compact:
        for name, content in members.items():
            # With a fixed date the same model gives the same bytes.
            compact.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)


def _halved(content: bytes) -> bytes:
    """Return the same weights file with its kernels as float16."""
    output = io.BytesIO()
    with h5py.File(io.BytesIO(content)) as source, h5py.File(output, "w") as target:

        def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Group):
                made = target.require_group(name)
            else:
                values = item[()]
                if values.ndim >= _KERNEL_AXES and values.dtype == np.float32:
                    halved = values.astype(np.float16)
                    if not np.array_equal(halved.astype(np.float32), values):
                        raise ValueError(f"{name} was not rounded before it was saved")
                    values = halved
                made = target.create_dataset(name, data=values)
            for key, value in item.attrs.items():
                made.attrs[key] = value

        source.visititems(copy)
        for key, value in source.attrs.items():
            target.attrs[key] = value
    return output.getvalue()


def pack_bundle(
    trained: TrainedNetwork,
    directory: str | Path,
    *,
    framing: Framing,
    threshold: float,
    data_description: str,
    purpose: Literal["detector", "demo"] = "detector",
    notes: tuple[str, ...] = (),
    leak: str | None = None,
    judging: Mapping[JudgingSection, Mapping[str, JsonValue]] | None = None,
    seen: SeenVideos | None = None,
) -> Bundle:
    """Write the bundle of a trained network, once its export was checked on validation crops.

    Args:
        trained: from `train`; its kernels are rounded to half precision, which halves the file.
        directory: the bundle; an older bundle there is replaced.
        framing: crop geometry of the training faces.
        threshold: a `p_fake` at or above it means fake, 0 to 1.
        data_description: description of the training data.
        purpose: demo: its verdicts mean nothing, as the card states.
        notes: sentences for the limits in the card.
        leak: a sentence on what lets one source appear in two splits; None: nothing does.
        judging: as `Manifest.judging`; None: none.
        seen: the videos that were learned from; None: they are not recorded.

    Raises:
        ParityError: scores of the export differ from the network's; nothing is written.
        BundleError: `directory` holds something other than a bundle.
    """
    side_px = trained.settings.input_px
    faces = sample_faces(trained.source, Side.VAL, PARITY_FACES)
    samples = np.stack(
        [
            picture_of(
                face.cropped(),
                trained.settings.signal,
                side_px,
                trained.settings.resize,
                trained.settings.jpeg_quality,
            )
            for face in faces
        ]
    )
    with tempfile.TemporaryDirectory() as folder:
        onnx_file, keras_file = Path(folder) / ONNX_NAME, Path(folder) / KERAS_NAME
        round_kernels(trained.model)
        save_compact(trained.model, keras_file)
        heat_cells = export_onnx(trained.model, onnx_file)
        difference = check_parity(trained.model, onnx_file, samples)
        manifest = Manifest(
            purpose=purpose,
            backbone=trained.settings.backbone,
            signal=trained.settings.signal,
            pixels=PixelContract(
                input_px=side_px,
                resize=trained.settings.resize,
                jpeg_quality=trained.settings.jpeg_quality,
            ),
            framing=framing,
            threshold=threshold,
            heat_cells=heat_cells,
            data=TrainingData(
                description=data_description,
                fingerprint=trained.counts.fingerprint,
                counts=trained.counts.per_split,
                leak=leak,
                methods=methods_of(trained),
            ),
            settings={"training": _training_record(trained)},
            judging=judging or {},
            parity=Parity(faces=len(samples), max_abs_difference=difference),
            libraries={name: version(name) for name in _LIBRARIES},
            created_at=datetime.now(UTC),
            notes=notes,
        )
        return write_bundle(
            directory, manifest, onnx_file, keras_file, seen, curves=trained.history
        )


def methods_of(trained: TrainedNetwork) -> dict[str, int] | None:
    """Return the methods learned, also by the bundle whose weights training began with.

    Both may have learned from the same videos, so of two counts the larger one holds.

    None: that bundle did not record them.
    """
    own = methods_learned(trained.source)
    weights = trained.settings.weights
    if weights in (*NAMED_WEIGHTS, "none"):
        return own
    try:
        before = load_bundle(Path(weights).parent).data.methods
    except BundleError:
        return None
    return None if before is None else dict(Counter(own) | Counter(before))


def _origin(weights: Path) -> str:
    """Return the name of a weights file and its bundle, without a path: bundles are copied."""
    try:
        model_id = load_bundle(weights.parent).model_id
    except BundleError:
        return weights.name
    return f"{weights.name} of {model_id}"


def _training_record(trained: TrainedNetwork) -> dict[str, JsonValue]:
    record: dict[str, JsonValue] = trained.settings.model_dump(mode="json")
    weights = trained.settings.weights
    if weights not in (*NAMED_WEIGHTS, "none"):
        record["weights"] = _origin(Path(weights))
    return {
        **record,
        "epochs_done": len(trained.history),
        "best_epoch": trained.best_epoch + 1,
    }
