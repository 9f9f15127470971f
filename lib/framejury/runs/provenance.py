"""Bundle and versions behind a run or report, as plain values."""

from __future__ import annotations

import contextlib
import platform
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pydantic import TypeAdapter

from framejury import __version__
from framejury.errors import WarehouseError
from framejury.model.manifest import CARD_NAME, Bundle
from framejury.storage import is_file
from framejury.verdict.rule import rule_facts
from framejury.warehouse import Warehouse
from framejury.warehouse.commits import Commit

HISTORY_FILE = "history.json"
"""One object per epoch, stored beside the training curves."""

_LIBRARIES = ("pyspark", "av", "onnxruntime", "opencv-python-headless", "numpy", "pyarrow")


def bundle_facts(bundle: Bundle) -> dict[str, Any]:
    """Return what later runs and reports need from a bundle, as plain values."""
    return {
        "model_id": bundle.model_id,
        "purpose": bundle.purpose,
        "leak": bundle.data.leak,
        "judges": bundle.framing.judges,
        "methods": None if bundle.data.methods is None else dict(bundle.data.methods),
        "threshold": bundle.threshold,
        "rule": rule_facts(bundle.rule),
        "metrics": {
            side: {name: asdict(figure) for name, figure in figures.items()}
            for side, figures in bundle.metrics.items()
        },
        "card": (bundle.directory / CARD_NAME).read_text(encoding="utf-8"),
    }


def latest_bundle(warehouse: Warehouse) -> dict[str, Any]:
    """Return the `bundle_facts` of the latest run that scored.

    Raises:
        WarehouseError: nothing was scored yet.
    """
    return bundle_of(warehouse.require("face_scores")[-1])


def bundle_of(commit: Commit) -> dict[str, Any]:
    """Return the `bundle_facts` of the bundle that a run scored with.

    Raises:
        WarehouseError: its commit does not name one.
    """
    if commit.facts.bundle is None:
        raise WarehouseError(
            f"the commit of run {commit.run_id} names no bundle; score again with framejury score"
        )
    return commit.facts.bundle


def training_report(model_id: str) -> str:
    """Return the name of the folder below `reports` with the training curves."""
    return f"train-{model_id}"


def training_history(warehouse: Warehouse, model_id: str) -> tuple[dict[str, Any], ...]:
    """Read the epochs of a bundle trained from this warehouse; empty for other bundles.

    Raises:
        WarehouseError: the history is there but cannot be read.
    """
    place = warehouse.location.child("reports", training_report(model_id), HISTORY_FILE)
    if not is_file(place):
        return ()
    try:
        with place.filesystem.open_input_stream(place.path) as stream:
            return tuple(TypeAdapter(list[dict[str, Any]]).validate_json(stream.read()))
    except (OSError, ValueError) as error:
        raise WarehouseError(f"cannot read {place.uri}: {error}; remove it") from error


def versions() -> dict[str, str]:
    """Return the versions of framejury and of the libraries it uses."""
    found = {"framejury": __version__, "python": platform.python_version()}
    for name in _LIBRARIES:
        # A machine that only scans has no Spark.
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
