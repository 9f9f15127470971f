"""Bundle and versions behind a run or report, as plain values."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Iterable
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from framejury import __version__
from framejury.errors import WarehouseError
from framejury.model.curves import curves_of
from framejury.model.foreign import training_remark
from framejury.model.manifest import CARD_NAME, CURVES_NAME, SEEN_NAME, Bundle
from framejury.model.seen import SeenVideos
from framejury.storage import Location, is_file, write_whole
from framejury.verdict.rule import rule_facts
from framejury.warehouse import Warehouse
from framejury.warehouse.commits import Commit

_LIBRARIES = ("pyspark", "av", "onnxruntime", "opencv-python-headless", "numpy", "pyarrow")


def bundle_facts(bundle: Bundle) -> dict[str, Any]:
    """Return what later runs and reports need from a bundle, as plain values."""
    return {
        "model_id": bundle.model_id,
        "purpose": bundle.purpose,
        "leak": bundle.data.leak,
        "training": training_remark(bundle),
        "judges": bundle.framing.judges,
        "methods": None if bundle.data.methods is None else dict(bundle.data.methods),
        "threshold": bundle.threshold,
        "target_fpr": _target_fpr(bundle),
        "settings": dict(bundle.settings),
        "rule": rule_facts(bundle.rule),
        "members": [
            {"model_id": one.model_id, "rule": rule_facts(one.rule)} for one in bundle.member_rules
        ],
        "expected": None if bundle.rule_fit is None else bundle.rule_fit.expected,
        "judging": dict(bundle.judging),
        "metrics": {
            side: {name: asdict(figure) for name, figure in figures.items()}
            for side, figures in bundle.metrics.items()
        },
        "card": (bundle.directory / CARD_NAME).read_text(encoding="utf-8"),
    }


def _target_fpr(bundle: Bundle) -> float | None:
    fit = bundle.rule_fit
    return None if fit is None or fit.threshold_from == "given" else fit.target_fpr


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


def remember_bundle(warehouse: Warehouse, bundle: Bundle) -> None:
    """Keep what reports need of a bundle: which videos it has seen, and its learning curves.

    Raises:
        OSError: the warehouse cannot be written.
    """
    for path in (bundle.seen_path, bundle.curves_path):
        if path is not None:
            place = _kept_place(warehouse, bundle.model_id, path.name)
            if not is_file(place):
                write_whole(place, path.read_bytes())


def seen_records(warehouse: Warehouse, model_ids: Iterable[str]) -> dict[str, SeenVideos | None]:
    """Return model_id -> the record kept by `remember_bundle`; None: there is none.

    Raises:
        WarehouseError, BundleError: a record is there but cannot be read.
    """
    return {model_id: _seen_record(warehouse, model_id) for model_id in model_ids}


def _seen_record(warehouse: Warehouse, model_id: str) -> SeenVideos | None:
    place = _kept_place(warehouse, model_id, SEEN_NAME)
    data = _kept(place)
    return None if data is None else SeenVideos.of_bytes(data, place.uri)


def _kept(place: Location) -> bytes | None:
    if not is_file(place):
        return None
    try:
        with place.filesystem.open_input_stream(place.path) as stream:
            return bytes(stream.read())
    except OSError as error:
        raise WarehouseError(f"cannot read {place.uri}: {error}") from error


def _kept_place(warehouse: Warehouse, model_id: str, name: str) -> Location:
    return warehouse.location.child("models", model_id, name)


def training_report(model_id: str) -> str:
    """Return the name of the folder below `reports` with the training curves."""
    return f"train-{model_id}"


def training_history(warehouse: Warehouse, model_id: str) -> tuple[dict[str, Any], ...]:
    """Return the epochs kept by `remember_bundle`, as plain values; empty if there are none.

    Raises:
        WarehouseError, BundleError: they are there but cannot be read.
    """
    place = _kept_place(warehouse, model_id, CURVES_NAME)
    data = _kept(place)
    return () if data is None else tuple(map(asdict, curves_of(data, place.uri)))


def versions() -> dict[str, str]:
    """Return the versions of framejury and of the libraries it uses."""
    found = {"framejury": __version__, "python": platform.python_version()}
    for name in _LIBRARIES:
        # A machine that only scans has no Spark.
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
