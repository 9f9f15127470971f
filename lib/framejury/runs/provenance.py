"""What runs and reports say of themselves: bundle and versions. Plain values."""

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
"""One object an epoch, beside the curves of a training."""

_LIBRARIES = ("pyspark", "av", "onnxruntime", "opencv-python-headless", "numpy", "pyarrow")


def bundle_facts(bundle: Bundle) -> dict[str, Any]:
    """What later runs and reports need to know of a bundle, as plain values."""
    return {
        "model_id": bundle.model_id,
        "purpose": bundle.purpose,
        "leak": bundle.data.leak,
        "judges": bundle.framing.judges,
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
    """Name of the folder below `reports` with the curves of a training."""
    return f"train-{model_id}"


def training_history(warehouse: Warehouse, model_id: str) -> tuple[dict[str, Any], ...]:
    """The epochs of a bundle that was trained from this warehouse; else nothing.

    Raises:
        WarehouseError: they are there and cannot be read.
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
    """Versions of framejury and what it stands on."""
    found = {"framejury": __version__, "python": platform.python_version()}
    for name in _LIBRARIES:
        # A scanning machine has no Spark; its reports then do not name one.
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
