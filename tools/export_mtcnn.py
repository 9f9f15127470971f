"""Convert the weights of the `mtcnn` 1.0.0 package into the three ONNX files beside this module.

    python -m tools.export_mtcnn [--out DIR]

Only maintainers run it; the files it writes are committed. It needs `onnx`, `joblib`, `lz4` and
the installed `mtcnn` package (extra `train`). It reads the package's weight files without running
its code, so it does not import TensorFlow.

`mtcnn_graph` describes the inputs and outputs of the networks.
Source: Zhang et al., "Joint Face Detection and Alignment using Multi-task Cascaded
Convolutional Networks", 2016; weights MIT, see weights/LICENSE-mtcnn.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import joblib

from framejury.errors import SetupError
from tools.mtcnn_graph import MTCNN_VERSION, Array, network_bytes

NETWORKS = ("pnet", "rnet", "onet")
WEIGHTS_DIR = Path(__file__).resolve().parents[1] / "lib" / "framejury" / "faces" / "weights"
SHA256 = {
    "pnet": "ea6b0c3e685ebee3165326ad6484acc95f2ef78f1c94fbf40a55704fa989f7b5",
    "rnet": "cb00e6460f3c98b0bfafaba3c0a0ded4bdf6e62cee7174d969e8670d7e757fee",
    "onet": "94f6ea2f4cf985275ee958cdd762d17b6009348a4fb9d8c6be39ba73ffd22ca3",
}
"""Digests of the package's weight files; joblib unpickles, so no other file is opened."""


def read_package_weights(name: str) -> list[Array]:
    """Read the weight arrays of one network from the installed `mtcnn` package.

    Raises:
        SetupError: the package is missing or of another version, or its file was altered.
    """
    try:
        package = distribution("mtcnn")
    except PackageNotFoundError:
        raise SetupError(f"mtcnn is not installed; pip install mtcnn=={MTCNN_VERSION}") from None
    path = Path(str(package.locate_file(f"mtcnn/assets/weights/{name}.lz4")))
    if not path.is_file():
        raise SetupError(f"{path} is missing; pip install mtcnn=={MTCNN_VERSION}")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != SHA256[name]:
        raise SetupError(
            f"{path} of mtcnn {package.version} has SHA-256 {digest}, not {SHA256[name]}; "
            f"pip install --force-reinstall mtcnn=={MTCNN_VERSION}"
        )
    arrays: list[Array] = joblib.load(path)
    return arrays


def export(out_dir: Path) -> list[Path]:
    """Write the three networks into `out_dir` and return their paths.

    Raises:
        SetupError: the `mtcnn` package cannot be used.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    paths = []
    for name in NETWORKS:
        path = out_dir / f"{name}.onnx"
        path.write_bytes(network_bytes(name, read_package_weights(name)))
        paths.append(path)
    return paths


def main(argv: Sequence[str]) -> int:
    """Export, print one line per file, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.export_mtcnn")
    parser.add_argument("--out", type=Path, default=WEIGHTS_DIR, help="folder (%(default)s)")
    for path in export(parser.parse_args(argv).out):
        print(f"{path} {path.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
