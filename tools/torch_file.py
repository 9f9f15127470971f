"""Read tensors from a file of PyTorch's legacy format, without PyTorch and without running code.

The format (which PyTorch wrote before version 1.6) is five pickles in a row: a magic number,
the protocol, facts about the machine, the object with references to storages, the storages' keys.
Then follows each storage: its length (int64) and its elements, little-endian.

A pickle can name any function of any module. This reader knows three names and refuses all others.
"""

from __future__ import annotations

import os
import pickle
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_STORAGES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


@dataclass
class _Storage:
    dtype: np.dtype[Any]
    elements: int
    data: npt.NDArray[Any] | None = None


@dataclass(frozen=True)
class _Tensor:
    """A view of a storage; offset and strides in elements."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        """Return what stands for a name; the file gets nothing else to call."""
        if (module_name, global_name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module_name, global_name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if module_name == "torch" and global_name in _STORAGES:
            return _STORAGES[global_name]
        raise ValueError(f"it names {module_name}.{global_name}, which weights do not need")

    def persistent_load(self, pid: Any) -> _Storage:
        """Return the storage of a reference; its elements follow later in the file."""
        kind, dtype, key, _, elements, view = pid
        if kind != "storage" or not isinstance(dtype, np.dtype) or view is not None:
            raise ValueError(f"it refers to {kind!r}, not to a plain storage")
        return self.storages.setdefault(key, _Storage(dtype, elements))


def _tensor(
    storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any
) -> _Tensor:
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


def read_tensors(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Return the tensors of a state dict by name, copied, in the shapes that PyTorch shows.

    Raises:
        ValueError: the file is damaged, of another format, or names what is not on the list.
    """
    try:
        with path.open("rb") as file:
            if _Unpickler(file).load() != _MAGIC or _Unpickler(file).load() != _PROTOCOL:
                raise ValueError("it is not in PyTorch's legacy format")
            _Unpickler(file).load()  # facts about the machine that wrote it
            reader = _Unpickler(file)
            tensors = reader.load()
            for key in _Unpickler(file).load():
                _fill(reader.storages[key], file)
        return {name: _array(tensor) for name, tensor in tensors.items()}
    except (pickle.UnpicklingError, EOFError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"cannot read {path}: {type(error).__name__} {error}") from error
    except ValueError as error:
        raise ValueError(f"cannot read {path}: {error}") from error


def _fill(storage: _Storage, file: BinaryIO) -> None:
    elements = int.from_bytes(file.read(8), "little", signed=True)
    size_bytes = elements * storage.dtype.itemsize
    left_bytes = os.fstat(file.fileno()).st_size - file.tell()
    if elements != storage.elements or not 0 <= size_bytes <= left_bytes:
        raise ValueError("it is cut short, or a storage has another length than its tensors")
    storage.data = np.frombuffer(file.read(size_bytes), storage.dtype)


def _array(tensor: _Tensor) -> npt.NDArray[Any]:
    data = tensor.storage.data
    last = tensor.offset + sum(
        (side - 1) * stride for side, stride in zip(tensor.shape, tensor.strides, strict=True)
    )
    if data is None or min(tensor.offset, *tensor.strides, *tensor.shape, 0) < 0:
        raise ValueError("a tensor has no storage")
    if not 0 <= last < len(data):
        raise ValueError("a tensor reaches beyond its storage")
    strides = [stride * data.itemsize for stride in tensor.strides]
    view = np.lib.stride_tricks.as_strided(data[tensor.offset :], tensor.shape, strides)
    return view.copy()
