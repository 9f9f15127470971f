"""A Keras model in half the bytes: its kernels are stored in half precision.

The kernels are rounded before the network is exported or measured, so the file loses nothing:
`model.keras` and `model.onnx` hold exactly the weights that the figures were measured with.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import h5py  # type: ignore[import-untyped]
import keras
import numpy as np

from framejury.errors import FramejuryError

_WEIGHTS_NAME = "model.weights.h5"
_KERNEL_AXES = 2  # biases and batch norms have fewer; they are small and stay float32


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
