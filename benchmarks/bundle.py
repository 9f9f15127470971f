"""A bundle with an EfficientNet-B0 of random weights: as slow as a trained one.

python -m benchmarks.bundle FOLDER
"""

from __future__ import annotations

import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from framejury.model.bundle import write_bundle
from framejury.model.input_contract import Framing, PixelContract
from framejury.model.manifest import (
    KERAS_NAME,
    ONNX_NAME,
    Bundle,
    Manifest,
    TrainingData,
)
from framejury.settings import TrainingSettings
from framejury.training.export import export_onnx
from framejury.training.network import build_network


def random_bundle(directory: Path) -> Bundle:
    """Write it; its scores mean nothing."""
    settings = TrainingSettings(weights="none")
    model = build_network(settings)
    manifest = Manifest(
        purpose="demo",
        backbone=settings.backbone,
        signal="rgb",
        pixels=PixelContract(input_px=settings.input_px),
        framing=Framing(margin_ratio=0.3, shape="square"),
        threshold=0.5,
        data=TrainingData(description="None: random weights.", fingerprint="0" * 64, counts=()),
        settings={},
        libraries={},
        created_at=datetime.now(UTC),
    )
    with tempfile.TemporaryDirectory() as folder:
        onnx_file, keras_file = Path(folder) / ONNX_NAME, Path(folder) / KERAS_NAME
        model.save(keras_file)
        export_onnx(model, onnx_file)
        return write_bundle(directory, manifest, onnx_file, keras_file)


if __name__ == "__main__":
    random_bundle(Path(sys.argv[1]))
