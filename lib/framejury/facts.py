"""What runs and reports say of themselves: bundle and versions. Plain values."""

from __future__ import annotations

import contextlib
import platform
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from framejury import __version__
from framejury.model.manifest import CARD_NAME, Bundle
from framejury.rule import rule_facts
from framejury.warehouse import Warehouse

_LIBRARIES = ("pyspark", "av", "onnxruntime", "opencv-python-headless", "numpy", "pyarrow")


def bundle_facts(bundle: Bundle) -> dict[str, Any]:
    """What later runs and reports need to know of a bundle, as plain values."""
    return {
        "model_id": bundle.model_id,
        "purpose": bundle.purpose,
        "threshold": bundle.threshold,
        "rule": rule_facts(bundle.rule),
        "metrics": {
            side: {name: asdict(figure) for name, figure in figures.items()}
            for side, figures in bundle.metrics.items()
        },
        "card": (bundle.directory / CARD_NAME).read_text(encoding="utf-8"),
    }


def latest_bundle(warehouse: Warehouse) -> dict[str, Any]:
    """`bundle_facts` of the latest run that scored.

    Raises:
        WarehouseError: nothing was scored yet.
    """
    facts: dict[str, Any] = warehouse.require("face_scores")[-1].facts["bundle"]
    return facts


def versions() -> dict[str, str]:
    """Versions of framejury and what it stands on."""
    found = {"framejury": __version__, "python": platform.python_version()}
    for name in _LIBRARIES:
        # A scanning machine has no Spark; its reports then do not name one.
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
