"""The id of a bundle: a digest of everything that changes a verdict."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from framejury.model.input_contract import Framing
from framejury.verdict.calibration import Calibration
from framejury.verdict.rule import Reducer

if TYPE_CHECKING:
    from framejury.model.manifest import Manifest


def model_id_of(manifest: Manifest, onnx_sha256: str | None) -> str:
    """Return the id that verdicts store; another contract with the same weights has another id.

    The contract is everything that changes a verdict: signal, pixels, crop geometry, aggregation,
    calibration, threshold, and the settings it judges by.

    Args:
        manifest: manifest of the bundle.
        onnx_sha256: digest of `model.onnx`, 64 hex digits; None for an ensemble: its members and
            their weights take its place.
    """
    contract: dict[str, Any] = {
        **_network_contract(manifest, onnx_sha256),
        "signal": manifest.signal,
        "pixels": _without_usual(
            asdict(manifest.pixels),
            {"jpeg_quality": None, "clip_frames": 1, "clip_stride": 1, "batch_limit": None},
        ),
        "framing": _framing_contract(manifest.framing),
        "threshold": float(manifest.threshold),
        "calibration": _floats(manifest.calibration),
    }
    if manifest.reducer is not None:  # left out otherwise, so that older ids stay
        contract["reducer"] = _floats(manifest.reducer)
    if manifest.judging:  # empty in older bundles
        contract["judging"] = manifest.judging
    return f"{manifest.backbone}-{digest_of(contract)[:12]}"


def _network_contract(manifest: Manifest, onnx_sha256: str | None) -> dict[str, Any]:
    if not manifest.members:
        return {"onnx": onnx_sha256}
    return {"members": [[one.model_id, float(one.weight)] for one in manifest.members]}


def _framing_contract(framing: Framing) -> dict[str, Any]:
    usual = {
        "shift_ratio": 0.0,
        "margin_px": None,
        "pair": "own",
        "judges": "face",
        "template": None,
    }
    return _without_usual(asdict(framing), usual)


def _without_usual(contract: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out newer fields at their default values, so that older ids stay."""
    return {name: value for name, value in contract.items() if usual.get(name, ...) != value}


def _floats(record: Reducer | Calibration | None) -> dict[str, Any] | None:
    """Return the fields, with integers as floats, as JSON reads them back."""
    if record is None:
        return None
    text = json.dumps(_without_usual(asdict(record), {"shrink_faces": None, "company_shift": None}))
    values: dict[str, Any] = json.loads(text, parse_int=float)
    return values


def digest_of(values: Mapping[str, Any]) -> str:
    """Return the SHA-256, hex, of plain values; the order of keys does not matter."""
    text = json.dumps(values, sort_keys=True, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
